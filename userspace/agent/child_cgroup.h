// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "kernel/cgroup_hierarchy.h"

namespace isoscope::agent {

// A cgroup below this process's own, in the hierarchy that is followed: limits and the login session stay
// those that the command would have had. It is removed with this object, unless processes are left in it.
class ChildCgroup {
 public:
  ChildCgroup() = default;  // none
  // Makes it and moves the process into it. Error: failure, with folder and reason.
  static base::Result<ChildCgroup> create(const std::optional<kernel::CgroupHierarchy>& hierarchy,
                                          std::uint32_t pid);
  ChildCgroup(ChildCgroup&& other) noexcept;
  ChildCgroup& operator=(ChildCgroup&& other) noexcept;
  ChildCgroup(const ChildCgroup&) = delete;
  ChildCgroup& operator=(const ChildCgroup&) = delete;
  ~ChildCgroup();

  // In the hierarchy, as /proc/PID/cgroup has it; empty: there is none.
  const std::string& path() const { return path_; }

 private:
  ChildCgroup(std::string path, std::string folder) : path_(std::move(path)), folder_(std::move(folder)) {}

  std::string path_;
  std::string folder_;
};

}  // namespace isoscope::agent
