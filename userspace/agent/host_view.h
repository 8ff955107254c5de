// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "event/record.h"
#include "identity/process.h"
#include "identity/unit_registry.h"
#include "kernel/cgroup_hierarchy.h"

namespace isoscope::agent {

// What this host shows of itself in /proc and in its cgroups, to the agent and to the commands that do
// without one. What cannot be read is said once, in the log, and goes on without.
class HostView {
 public:
  // Empty: no cgroups are mounted.
  explicit HostView(std::optional<kernel::CgroupHierarchy> hierarchy);

  // Of pid 1; this process's own where those may not be read.
  const event::NamespaceSet& namespaces() const { return namespaces_; }

  // With the cgroups of now; without any, every task counts as the host's. The cgroup `plain_cgroup` (a path)
  // is none of a container, whatever starts in it.
  identity::UnitRegistry make_registry(const std::string& plain_cgroup = {}) const;

  base::Result<std::vector<identity::ProcessInfo>> list_processes() const;
  std::optional<std::string> cgroup_path_of(std::uint32_t pid) const;

 private:
  identity::CgroupTree read_cgroups() const;
  kernel::CgroupController controller() const;

  std::optional<kernel::CgroupHierarchy> hierarchy_;
  event::NamespaceSet namespaces_;
};

}  // namespace isoscope::agent
