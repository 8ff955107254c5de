// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "agent/filter.h"
#include "aggregate/resources.h"
#include "base/clock.h"
#include "config/config.h"
#include "identity/resources.h"
#include "identity/unit_registry.h"

namespace isoscope::agent {

// Reads what units use, once a window, and only of those of which something ran: who sleeps costs nothing.
// For a task that runs these are the unit that it belongs to, the pods, containers, VMs and services around
// that, and the host. Units that the filter does not let through are not read at all.
class ResourceWatch {
 public:
  // More units of one window are left out, those that ran least.
  static constexpr std::size_t most_units = 2000;

  // What tests bring along.
  struct World {
    identity::ResourceReader reader = {};
    std::function<std::uint64_t()> clock = base::monotonic_ns;
    std::size_t capacity = most_units;
  };

  explicit ResourceWatch(const config::BottleneckThresholds& thresholds)
      : ResourceWatch(thresholds, World{}) {}
  ResourceWatch(const config::BottleneckThresholds& thresholds, World world)
      : windows_(thresholds),
        reader_(std::move(world.reader)),
        clock_(std::move(world.clock)),
        capacity_(world.capacity) {}

  // Notes where the counters of the units that are there stand, before the first window.
  void start(const identity::UnitRegistry& registry, const Filter& filter);

  // Tasks of this cgroup ran in this window.
  void ran(std::uint64_t cgroup_id, std::uint64_t on_cpu_ns) { ran_.emplace_back(cgroup_id, on_cpu_ns); }

  // The rows of the window that began at start_ns and ends now. A unit whose cgroup is gone already has none.
  std::vector<aggregate::ResourcesRow> close(const identity::UnitRegistry& registry, const Filter& filter,
                                             std::uint64_t start_ns);

  // Units that ran in the last window and had no place.
  std::uint64_t left_out() const { return left_out_; }
  std::size_t remembered() const { return windows_.size(); }

 private:
  struct Active {
    const identity::Unit* unit = nullptr;
    std::uint64_t on_cpu_ns = 0;
    std::vector<std::uint64_t> cgroup_ids;  // its own, and some in it that ran: where its processes are
  };

  std::vector<Active> active_units(const identity::UnitRegistry& registry, const Filter& filter);
  void begin(const identity::Unit& unit, std::uint64_t start_ns);
  std::optional<identity::ResourceReading> read(const identity::UnitRegistry& registry, const Active& active);
  void forget(const identity::UnitRegistry& registry);

  aggregate::ResourceWindows windows_;
  identity::ResourceReader reader_;
  std::function<std::uint64_t()> clock_;
  std::size_t capacity_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ran_;          // cgroup, time on CPU
  std::unordered_set<std::uint64_t> older_;                           // cgroups with a past that is not known
  std::unordered_map<std::uint64_t, std::uint32_t> network_members_;  // a process of each unit, by cgroup
  std::uint64_t left_out_ = 0;
};

}  // namespace isoscope::agent
