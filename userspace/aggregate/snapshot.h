// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aggregate/histogram.h"
#include "aggregate/resource_row.h"
#include "event/record.h"
#include "identity/unit.h"

namespace isoscope::aggregate {

// One window's aggregates, ready for a sink. Counts are of this window alone, times in ns.

struct VmExitsRow {
  identity::Vm vm;
  identity::UnitRef unit;
  std::uint64_t cgroup_id = 0;  // of the vCPU thread when it made its first exit
  std::uint32_t vcpu_id = 0;
  std::uint32_t tid = 0;
  event::Isa isa = event::Isa::unknown;
  bool other = false;        // the row of exits that found no place of their own; reason is then 0
  std::uint32_t reason = 0;  // the vendor's number
  std::uint64_t count = 0;   // exits that ended in this window: those of `stats`, and the last of each vCPU
  std::uint64_t nested = 0;  // of `count`, those of a guest of the guest
  DurationStats stats;
  event::Split split;  // of stats.sum_ns
};

// Who took the CPU when a thread could have gone on.
struct PreemptedBy {
  std::optional<identity::UnitRef> unit;  // empty: nobody; out of quota (cpu.max), or about to move
  std::uint64_t count = 0;
  std::uint64_t waited_ns = 0;  // until the thread ran again
};

// What the threads of one unit did. A VM's are all threads of its VMM.
struct SchedRow {
  identity::UnitRef unit;
  std::uint64_t voluntary = 0;  // switches, as the kernel counts nvcsw and nivcsw
  std::uint64_t involuntary = 0;
  std::uint64_t on_cpu_ns = 0;
  std::uint64_t wakeups = 0;              // out of a sleep, to a run
  std::uint64_t migrations = 0;           // to another CPU
  std::uint64_t threads = 0;              // that ran in the window; of a run, the most in one window
  DurationStats run_queue;                // waits for a CPU that are over; min and max by their buckets
  std::uint64_t preempted_ns = 0;         // of run_queue, after another task had taken the CPU
  std::vector<PreemptedBy> preempted_by;  // of preempted_ns, the units that took most of it
  std::optional<std::uint64_t> steal_ns;  // VMs: what their vCPUs waited, within the exits of the window
};

// Records through the rings, by class. made == handled + dropped once the rings are drained.
struct ClassLedger {
  const char* name = "";
  std::uint64_t made = 0;
  std::uint64_t handled = 0;
  std::uint64_t dropped = 0;
};

struct CauseLedger {
  const char* name = "";  // snake_case, stable
  std::uint64_t count = 0;
};

// How full a table in the kernel is, at the end of the window. What finds no place is counted by cause.
struct MapLedger {
  const char* name = "";
  std::uint64_t entries = 0;
  std::uint64_t capacity = 0;
};

// What became of changes of namespaces whose records were dropped: all tasks were looked at until a pass
// found nothing more, and nothing was dropped meanwhile.
struct Recheck {
  std::uint64_t count = 0;    // passes
  std::uint64_t tasks = 0;    // looked at, added up over the passes
  std::uint64_t found = 0;    // changes that were told by a pass
  std::uint64_t open_ns = 0;  // from the first drop to the end of the pass that closed the gap
  bool complete = true;       // no gap is open at the end of the window
};

struct Ledger {
  std::vector<ClassLedger> classes;
  std::vector<CauseLedger> causes;  // failures by cause; a row per cause, also when 0
  std::vector<MapLedger> maps;
  Recheck recheck;
  std::uint64_t undecodable = 0;  // records that userspace could not read
  std::uint64_t unmatched_exits = 0;
  std::uint64_t unmatched_entries = 0;
  std::uint64_t unknown_reasons = 0;  // exits whose reason number has no name in our tables
  std::uint64_t task_collisions = 0;  // threads served by the overflow map: slower, nothing is lost
  std::uint64_t namespace_checks = 0;
  std::uint64_t credential_checks = 0;     // of contained tasks
  std::uint64_t accesses_folded = 0;       // told of within the second before
  std::uint64_t waits_unknown = 0;         // of tasks that were moved in their sleep: not counted
  std::uint64_t write_errors = 0;          // of outputs; the lines are lost there
  std::uint64_t agent_cpu_ns = 0;          // this process, user + system
  std::uint64_t agent_resident_bytes = 0;  // at the end of the window
};

// What an invariant was held against, and how often it did not hold.
struct InvariantRow {
  event::Invariant invariant = event::Invariant::pid_namespace;
  bool watched = true;  // false: this kernel cannot tell
  std::uint64_t checks = 0;
  std::uint64_t breaches = 0;  // by tasks of containers, pods and VMs
};

// "No alarm" says something only beside this.
struct Invariants {
  std::uint64_t units =
      0;  // containers, pods and VMs at the end of the window; of a run, the most in one window
  std::uint64_t transitions = 0;          // of namespaces and credentials that were found to be others
  std::uint64_t lost = 0;                 // security and lifecycle records dropped
  std::uint64_t not_followed = 0;         // tasks that found no place in the tables
  std::vector<InvariantRow> rows;         // I1 to I9
  std::uint64_t incomplete = 0;           // windows with something lost or not followed
  std::vector<std::uint64_t> in_windows;  // the numbers of the first of these
};

struct Snapshot {
  std::uint64_t window = 0;  // 1, 2, ...; 0: the summary of the whole run
  std::uint64_t start_mono_ns = 0;
  std::uint64_t end_mono_ns = 0;
  std::vector<VmExitsRow> vm_exits;
  std::vector<SchedRow> sched;
  std::vector<ResourcesRow> resources;
  Invariants invariants;
  Ledger ledger;
};

}  // namespace isoscope::aggregate
