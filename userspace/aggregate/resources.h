// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>

#include "aggregate/resource_row.h"
#include "config/config.h"
#include "identity/resources.h"

namespace isoscope::aggregate {

// How long the unit's tasks could have run and waited for a processor, in the time of one processor:
//
//   cpus    = max(1, usage / span)                 processors that the unit had on average
//   waiting = max(some * cpus, throttled)
//
// The kernel averages `some` over the processors that the unit is busy on, hence the factor. It includes
// being throttled; throttled_ns, a sum over the processors, is for kernels without PSI and for quotas on so
// many processors that `cpus` says too little. Both are too small where several tasks wait for one processor.
// Empty: neither is known.
std::optional<std::uint64_t> cpu_waiting_ns(const ResourcesRow& row);

// usage / (usage + waiting): of the time for which the unit's tasks wanted a processor, the share for which
// they had one. 1 is never made to wait; at most this good, where several tasks wait at a time.
std::optional<double> efficiency_of(const ResourcesRow& row);

// The resource for which the unit's tasks waited too long: of those whose share of the time is above its
// threshold, the one that is above it by the largest factor. The shares are `some` / span, and for the
// processor waiting / (span * cpus). Empty: no share is known.
std::optional<Bottleneck> bottleneck_of(const ResourcesRow& row,
                                        const config::BottleneckThresholds& thresholds);

// Adds up rows of one unit, in their order; of a state the later counts, of peaks the larger.
void merge(ResourcesRow& sum, const ResourcesRow& later, const config::BottleneckThresholds& thresholds);

// Turns readings of cgroups, which only grow, into what was used since the one before.
class ResourceWindows {
 public:
  explicit ResourceWindows(const config::BottleneckThresholds& thresholds) : thresholds_(thresholds) {}

  // Where a cgroup's counters stand before its first row.
  void begin(std::uint64_t cgroup_id, const identity::ResourceReading& reading, std::uint64_t now_ns);
  // The same for one that was made after that time: it begins with nothing.
  void begin_empty(std::uint64_t cgroup_id, std::uint64_t now_ns);
  bool knows(std::uint64_t cgroup_id) const { return previous_.contains(cgroup_id); }

  // The row without its unit. A counter that is smaller than before (a device or an interface was taken away,
  // and its part of the sum with it) is empty this time. So is the network's of a namespace that was not read
  // before: it may be older than the unit. A cgroup that never began gives no row, and begins.
  std::optional<ResourcesRow> close(std::uint64_t cgroup_id, const identity::ResourceReading& reading,
                                    std::uint64_t now_ns);

  // Forgets the cgroups for which `gone` is true.
  void forget_if(const std::function<bool(std::uint64_t cgroup_id)>& gone);
  std::size_t size() const { return previous_.size(); }

 private:
  struct Previous {
    std::uint64_t at_ns = 0;
    bool empty = false;  // of a new cgroup: everything but the network was 0
    identity::ResourceReading reading;
  };

  config::BottleneckThresholds thresholds_;
  std::unordered_map<std::uint64_t, Previous> previous_;
};

}  // namespace isoscope::aggregate
