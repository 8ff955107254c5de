// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "abi/counters.h"

namespace isoscope::probe {

// One vCPU as it stands in the maps: copies, taken field by field while the vCPU may run.
struct VcpuReading {
  std::uint32_t index = 0;  // in the map; with vcpu.start_ns it names the vCPU for ever
  isoscope_vcpu vcpu{};
  std::vector<isoscope_exit_cell> cells;  // of every reason seen so far
};

// The scheduler's accounts as they stand in the maps.
struct SchedReading {
  std::vector<isoscope_sched_cell> cells;  // the first is `other`
  // The threads that run now: a run is added to `cells` only when it is over. Without those of the overflow map
  // of the task table.
  struct Run {
    std::uint32_t tid = 0;
    std::uint64_t account = 0;
    std::uint64_t since_ns = 0;
    friend bool operator==(const Run&, const Run&) = default;
  };
  std::vector<Run> running;
  std::uint64_t taken_ns = 0;              // CLOCK_MONOTONIC, of `running`
  // Since the last reading: they begin anew with each.
  std::vector<std::pair<isoscope_preemption_key, isoscope_preemption>> preemptions;
};

// Since start. Those of the programs are summed over the CPUs.
struct Counters : std::array<std::uint64_t, ISOSCOPE_COUNTER_COUNT> {
  // Runs of programs that the kernel left out, because the same program was interrupted on that CPU.
  std::uint64_t program_misses = 0;
};

}  // namespace isoscope::probe
