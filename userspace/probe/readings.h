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
  // What runs now, by CPU: a run is added to `cells` only when it is over. Account 0: idle, or not known.
  std::vector<isoscope_cpu_run> running;
  std::uint64_t taken_ns = 0;  // CLOCK_MONOTONIC, of `running`
  // Since the last reading: they begin anew with each.
  std::vector<std::pair<isoscope_preemption_key, isoscope_preemption>> preemptions;
};

// Since start. Those of the programs are summed over the CPUs.
struct Counters : std::array<std::uint64_t, ISOSCOPE_COUNTER_COUNT> {
  // Runs of programs that the kernel left out, because the same program was interrupted on that CPU.
  std::uint64_t program_misses = 0;
};

// One walk over all tasks; see bpf/recheck.bpf.c.
struct RecheckPass {
  std::uint64_t tasks = 0;    // looked at
  std::uint64_t found = 0;    // changes of namespaces and moves that were dropped, and are in the ring now
  std::uint64_t pending = 0;  // changes that could not be told yet
};

}  // namespace isoscope::probe
