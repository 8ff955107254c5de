// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace isoscope::live {

// Where cgroup v2 is mounted; empty if it is not, or cannot be written.
std::string cgroup_mount();

// Of this process, in the v2 hierarchy.
std::uint64_t own_cgroup_id();
std::uint64_t cgroup_id_of(const std::string& folder);

// A cgroup made for a test, and removed with the object together with whatever still runs in it.
class Cgroup {
 public:
  // Below the mount point, with a name of its own.
  Cgroup();
  Cgroup(const std::string& parent, const std::string& name);
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;
  ~Cgroup() { remove(); }

  const std::string& folder() const { return folder_; }
  const std::string& name() const { return name_; }
  std::uint64_t id() const { return id_; }
  int fd() const { return fd_.get(); }

  void take_in(std::uint32_t pid) const;
  void remove();

 private:
  std::string folder_;
  std::string name_;
  std::uint64_t id_ = 0;
  base::UniqueFd fd_;
};

}  // namespace isoscope::live
