// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/child_cgroup.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/cgroup_hierarchy.h"

namespace isoscope::agent {

// The command of `isoscope run -- COMMAND`: a child process that waits until tracing is on. It is made before
// that, and in a cgroup of its own (see ChildCgroup): a task belongs to the cgroup in which it is first seen.
//
// This process becomes the reaper of what the command leaves behind: who lost its parent is not handed on to
// pid 1, so that the chain of parents of everything that the command started leads to this process, as long
// as that is alive.
//
// A child that was not let go ends with this object; one that runs is sent SIGTERM.
class Child {
 public:
  // `words` are the program, looked up in PATH, and its arguments; not empty. No hierarchy: no cgroup of its
  // own. To be called before signals are blocked or ignored: the child inherits that. Error: failure.
  static base::Result<Child> create(const std::vector<std::string>& words,
                                    const std::optional<kernel::CgroupHierarchy>& hierarchy);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  // Lets it execute the program.
  void let_go();
  // Collects what has ended, to be called at SIGCHLD; true as soon as the command itself has.
  bool reap();
  // Does nothing once it has ended.
  void send(int signal) const;

  std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
  // Path of the cgroup of its own; empty: it is in ours.
  const std::string& cgroup_path() const { return cgroup_.path(); }
  // As env(1) and a shell have it, once it has ended: the exit status of the program, 128 and the signal that
  // killed it; 127 if there was no such program, 126 if it could not be executed.
  int status() const { return status_; }
  // Why the program was not executed; empty: it was.
  const std::string& failure() const { return failure_; }

 private:
  Child(std::string program, pid_t pid, base::UniqueFd start, base::UniqueFd error)
      : program_(std::move(program)), pid_(pid), start_(std::move(start)), error_(std::move(error)) {}
  void take_end(int wait_status);

  std::string program_;
  pid_t pid_ = -1;
  base::UniqueFd start_;  // a byte into it lets the child go, its end makes it end
  base::UniqueFd error_;  // the errno of exec, if that failed
  ChildCgroup cgroup_;
  bool ended_ = false;
  int status_ = 0;
  std::string failure_;
};

}  // namespace isoscope::agent
