// SPDX-License-Identifier: Apache-2.0
#include "aggregate/sched.h"

#include <utility>

namespace isoscope::aggregate {

std::vector<isoscope_cgroup_sched> SchedWindows::close(std::span<const isoscope_cgroup_sched> readings) {
  std::vector<isoscope_cgroup_sched> out;
  std::unordered_map<std::uint64_t, isoscope_cgroup_sched> current;
  current.reserve(readings.size());
  for (const isoscope_cgroup_sched& now : readings) {
    isoscope_cgroup_sched before{};
    if (const auto found = previous_.find(now.cgroup_id); found != previous_.end()) {
      before = found->second;
    }
    // Two CPUs may both be making the slot of a new cgroup: the loser's is empty, and given back at once.
    isoscope_cgroup_sched& kept = current[now.cgroup_id];
    if (now.voluntary + now.involuntary < kept.voluntary + kept.involuntary) {
      continue;
    }
    kept = now;
    const isoscope_cgroup_sched change{now.cgroup_id, now.voluntary - before.voluntary,
                                       now.involuntary - before.involuntary,
                                       now.on_cpu_ns - before.on_cpu_ns};
    if (change.voluntary + change.involuntary > 0) {
      out.push_back(change);
    }
  }
  previous_ = std::move(current);
  return out;
}

}  // namespace isoscope::aggregate
