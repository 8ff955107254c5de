// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "abi/counters.h"

namespace isoscope::aggregate {

// Turns readings of the cgroups' switch counters into those of one window.
class SchedWindows {
 public:
  // Counters whose cgroup is not among `readings` any more are forgotten. cgroup_id 0 is the `other` row.
  // Returns the differences; cgroups without a switch are left out.
  std::vector<isoscope_cgroup_sched> close(std::span<const isoscope_cgroup_sched> readings);

 private:
  std::unordered_map<std::uint64_t, isoscope_cgroup_sched> previous_;  // by cgroup id
};

}  // namespace isoscope::aggregate
