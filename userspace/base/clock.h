// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace isoscope::base {

// CLOCK_MONOTONIC in ns: the clock of every ts_ns the BPF programs write.
std::uint64_t monotonic_ns();

// CLOCK_BOOTTIME in ns, which goes on during suspend: the clock of task start times.
std::uint64_t boottime_ns();

// Turns CLOCK_MONOTONIC readings into ns since the Unix epoch. The offset is taken once per window, so that
// a step of the wall clock shows up in the next window and the order of records within one is kept.
class WallClock {
 public:
  WallClock() { refresh(); }
  explicit WallClock(std::int64_t offset_ns) : offset_ns_(offset_ns) {}
  void refresh();
  std::uint64_t wall_ns(std::uint64_t mono_ns) const {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(mono_ns) + offset_ns_);
  }

 private:
  std::int64_t offset_ns_ = 0;
};

}  // namespace isoscope::base
