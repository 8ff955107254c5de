// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "abi/event.h"
#include "aggregate/snapshot.h"
#include "probe/readings.h"

namespace isoscope::aggregate {

// Keeps what userspace handled beside what the programs made and dropped, and gives both per window. Records
// that are still in a ring when a window closes are made in it and handled in the next: over the whole run,
// after the last drain, made == handled + dropped in every class.
class LedgerBook {
 public:
  void handled(isoscope_class event_class) { ++handled_[event_class]; }
  void undecodable() { ++undecodable_; }
  void unknown_reasons(std::uint64_t exits) { unknown_reasons_ += exits; }
  void unmatched(std::uint64_t exits, std::uint64_t entries) {
    unmatched_exits_ += exits;
    unmatched_entries_ += entries;
  }

  // What came since the last call. `kernel` and `write_errors` are totals since start, and so is the CPU
  // time.
  Ledger close(const probe::Counters& kernel, std::uint64_t write_errors, std::uint64_t agent_cpu_ns);

 private:
  std::array<std::uint64_t, ISOSCOPE_CLASS_COUNT> handled_{};
  std::uint64_t undecodable_ = 0;
  std::uint64_t unknown_reasons_ = 0;
  std::uint64_t unmatched_exits_ = 0;
  std::uint64_t unmatched_entries_ = 0;
  probe::Counters previous_{};
  std::uint64_t previous_write_errors_ = 0;
  std::uint64_t previous_cpu_ns_ = 0;
};

}  // namespace isoscope::aggregate
