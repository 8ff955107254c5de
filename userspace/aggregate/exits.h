// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "aggregate/snapshot.h"
#include "probe/readings.h"

namespace isoscope::aggregate {

// By VM, vCPU, thread and reason; the row of `other` after the reasons of its thread.
bool in_row_order(const VmExitsRow& a, const VmExitsRow& b);

// Turns readings of the ever-growing counters in the maps into the exits of one window.
class ExitWindows {
 public:
  struct Window {
    // In row order; vm.pid is the thread group, everything else of vm and unit is for the caller.
    std::vector<VmExitsRow> rows;
    std::uint64_t unmatched_exits = 0;
    std::uint64_t unmatched_entries = 0;
  };

  // `window` is the number that the programs wrote beside min and max during this window. Readings of a vCPU
  // that is not among `readings` any more are forgotten.
  Window close(std::span<const probe::VcpuReading> readings, std::uint32_t window);

 private:
  struct Previous {
    std::uint64_t start_ns = 0;
    isoscope_vcpu vcpu{};
    std::unordered_map<std::uint32_t, isoscope_exit_cell> cells;  // by reason
    bool seen = false;
  };

  void close_vcpu(const probe::VcpuReading& reading, std::uint32_t window, Previous& previous, Window& out);

  std::unordered_map<std::uint32_t, Previous> previous_;  // by index in the map
};

}  // namespace isoscope::aggregate
