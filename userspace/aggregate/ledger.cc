// SPDX-License-Identifier: Apache-2.0
#include "aggregate/ledger.h"

#include <utility>

namespace isoscope::aggregate {

namespace {

constexpr std::array<const char*, ISOSCOPE_CLASS_COUNT> class_names{"security", "lifecycle", "exits",
                                                                    "switches"};

struct Cause {
  isoscope_counter counter;
  const char* name;
};
constexpr std::array causes{

    Cause{ISOSCOPE_TASK_FULL, "task_table_full"},
    Cause{ISOSCOPE_VCPU_FULL, "vcpu_table_full"},
    Cause{ISOSCOPE_EXIT_CELL_FULL, "exit_cells_full"},
    Cause{ISOSCOPE_ACCOUNT_FULL, "account_table_full"},
    Cause{ISOSCOPE_REASON_UNREAD, "exit_reason_unreadable"},
    Cause{ISOSCOPE_EXIT_UNTRACKED, "exits_untracked"},
    Cause{ISOSCOPE_SWITCH_UNPAIRED, "switches_unpaired"},
    Cause{ISOSCOPE_WAIT_UNPAIRED, "waits_unpaired"},
    Cause{ISOSCOPE_PREEMPTION_FULL, "preemption_table_full"},
    Cause{ISOSCOPE_VMM_FULL, "vmm_table_full"},
    Cause{ISOSCOPE_CROSSING_GONE, "crossings_gone"},
    Cause{ISOSCOPE_ACCESS_GONE, "accesses_gone"},
    Cause{ISOSCOPE_MOVE_GONE, "cgroup_moves_gone"},
    Cause{ISOSCOPE_KILLS_REFUSED, "kills_refused"},
};

}  // namespace

Ledger LedgerBook::close(const probe::Counters& kernel, std::uint64_t write_errors,
                         std::uint64_t agent_cpu_ns) {
  const auto since = [&](std::size_t counter) { return kernel.at(counter) - previous_.at(counter); };
  Ledger ledger;
  for (std::size_t i = 0; i < class_names.size(); ++i) {
    ledger.classes.push_back({class_names.at(i), since(ISOSCOPE_MADE_SECURITY + i),
                              std::exchange(handled_.at(i), 0), since(ISOSCOPE_DROPPED_SECURITY + i)});
  }
  for (const Cause& cause : causes) {
    ledger.causes.push_back({cause.name, since(cause.counter)});
  }
  ledger.causes.push_back({"program_runs_missed", kernel.program_misses - previous_.program_misses});
  ledger.undecodable = std::exchange(undecodable_, 0);
  ledger.unmatched_exits = std::exchange(unmatched_exits_, 0);
  ledger.unmatched_entries = std::exchange(unmatched_entries_, 0);
  ledger.unknown_reasons = std::exchange(unknown_reasons_, 0);
  ledger.task_collisions = since(ISOSCOPE_TASK_COLLISION);
  ledger.namespace_checks = since(ISOSCOPE_NAMESPACE_CHECKS);
  ledger.credential_checks = since(ISOSCOPE_CREDS_CHECKS);
  ledger.accesses_folded = since(ISOSCOPE_ACCESS_FOLDED);
  ledger.waits_unknown = since(ISOSCOPE_WAIT_UNKNOWN);
  ledger.write_errors = write_errors - std::exchange(previous_write_errors_, write_errors);
  ledger.agent_cpu_ns = agent_cpu_ns - std::exchange(previous_cpu_ns_, agent_cpu_ns);
  previous_ = kernel;
  return ledger;
}

}  // namespace isoscope::aggregate
