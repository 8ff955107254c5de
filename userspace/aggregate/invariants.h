// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "aggregate/snapshot.h"
#include "probe/readings.h"

namespace isoscope::aggregate {

// Counts breaches beside what the programs counted as checks, and gives both per window. Compares at
// switches, of an address and a byte, are no checks: a check looks at everything.
class InvariantBook {
 public:
  // Without the legal paths nobody knows whether a system call was at work.
  explicit InvariantBook(bool legal_paths) : legal_paths_(legal_paths) {}

  void breach(event::Invariant invariant) { ++breaches_.at(static_cast<std::size_t>(invariant) - 1); }
  void moved() { ++moves_; }  // a task, to another cgroup

  // What came since the last call. `kernel` is since start; `gap`: for some of the time a dropped change of
  // namespaces was not told (see RecheckBook).
  Invariants close(const probe::Counters& kernel, std::uint64_t units, std::uint64_t window, bool gap);

 private:
  bool legal_paths_;
  std::array<std::uint64_t, event::invariants> breaches_{};
  std::uint64_t moves_ = 0;
  probe::Counters previous_{};
};

// Of two windows, or of a run and the window after it.
void merge_into(Invariants& sum, const Invariants& window);

}  // namespace isoscope::aggregate
