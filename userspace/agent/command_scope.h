// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <utility>

#include "event/record.h"
#include "identity/ancestry.h"
#include "identity/cgroup_tree.h"

namespace isoscope::agent {

// Whether somebody was started by the command of the run. Names are forgeable, so that none is asked:
//
// - Who was born in a cgroup of the command is: its own one with all below it; each that is made by somebody
//   who is in one of these, as container runtimes do; and each new one whose first process is moved there
//   from one of these, as systemd does for a runtime that asks it to. The kernel says so in its records, also
//   of who is gone by now.
// - Who has the agent among its ancestors is: it has no other children, and reaps those of the command (see
//   Child). This finds who went into a cgroup that was there before, as `runc exec` does.
//
// What a daemon does that the command asked (dockerd, containerd, systemd for its services) is the daemon's.
class CommandScope {
 public:
  // Of removed cgroups so many are remembered: a task that was moved out may outlive the one it was born in.
  static constexpr std::size_t removed_kept = 4096;

  // The command's own cgroup by its path; empty: it has none. `agent_pid` is this process.
  CommandScope(std::string cgroup_path, std::uint32_t agent_pid)
      : cgroup_path_(std::move(cgroup_path)), agent_pid_(agent_pid) {}

  // Every record, in order, before units change by it.
  void observe(const event::Record& record, const identity::CgroupTree& cgroups);

  // Without a cgroup of the command or of the process, who cannot be traced back counts as the command's.
  bool includes(std::uint64_t home_cgroup_id, const identity::Ancestry& ancestry,
                const identity::CgroupTree& cgroups) const;

  const std::string& cgroup_path() const { return cgroup_path_; }

 private:
  bool is_own(std::uint64_t cgroup_id, const identity::CgroupTree& cgroups) const;

  std::string cgroup_path_;
  std::uint32_t agent_pid_;
  std::set<std::uint64_t> made_;       // by the command, wherever they are
  std::set<std::uint64_t> strange_;    // made by others since the start, and nobody was moved there yet
  std::deque<std::uint64_t> removed_;  // of those in made_, the oldest first
};

}  // namespace isoscope::agent
