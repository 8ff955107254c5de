// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace isoscope::kernel {

// By which hierarchy of cgroups units are told apart: the default one (v2), or, on hosts where pids and
// memory belong to cgroup v1, that of pids, else that of memory. Container runtimes and systemd make a cgroup
// in both for whatever they start; v2 may then hold every task in its root.
enum class CgroupController { unified, pids, memory };
const char* to_string(CgroupController controller);

struct CgroupMount {
  std::string point;  // where it is mounted
  std::string root;   // which cgroup is mounted there; "" for the root
};

struct CgroupHierarchy {
  CgroupController controller = CgroupController::unified;
  std::uint32_t id = 0;  // the kernel's number of it; v2 has 0
  CgroupMount mount;
};

// The mount of a hierarchy in the text of /proc/self/mountinfo: the one of the whole hierarchy if there is
// one.
std::optional<CgroupMount> find_cgroup_mount(std::string_view mountinfo, CgroupController controller);

// What a process has in the text of its /proc/PID/cgroup.
struct CgroupMembership {
  std::uint32_t hierarchy_id = 0;
  std::string path;
};
std::optional<CgroupMembership> find_membership(std::string_view cgroup_file, CgroupController controller);

// The hierarchy to follow; nothing, if none is mounted. `unified_controllers` is the text of
// cgroup.controllers where v2 is mounted, `cgroup_file` that of /proc/self/cgroup.
std::optional<CgroupHierarchy> choose_hierarchy(std::string_view mountinfo,
                                                std::string_view unified_controllers,
                                                std::string_view cgroup_file);

}  // namespace isoscope::kernel
