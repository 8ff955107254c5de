// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <ctime>

namespace isoscope::base {

namespace {

std::uint64_t read_clock(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

std::uint64_t monotonic_ns() {
  return read_clock(CLOCK_MONOTONIC);
}

std::uint64_t boottime_ns() {
  return read_clock(CLOCK_BOOTTIME);
}

void WallClock::refresh() {
  const std::uint64_t mono = monotonic_ns();
  offset_ns_ = static_cast<std::int64_t>(read_clock(CLOCK_REALTIME) - mono);
}

}  // namespace isoscope::base
