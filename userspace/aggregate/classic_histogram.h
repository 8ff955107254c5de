// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "aggregate/histogram.h"

namespace isoscope::aggregate {

// Durations in few and wide buckets, as classic `le` histograms of Prometheus have them: the powers of 4 from
// 2^-20 s (0.95 us) to 2^4 s (16 s), each upper bound included. All of them are boundaries of DurationStats,
// so that its buckets fold into these without moving a single duration.
inline constexpr std::size_t classic_bounds = 13;

// Upper bound of bucket `index`, exact.
double classic_bound_seconds(std::size_t index);

struct ClassicHistogram {
  std::array<std::uint64_t, classic_bounds> buckets{};  // not cumulative
  std::uint64_t count = 0;                              // with those above the last bound
  std::uint64_t sum_ns = 0;

  // `stats` must have a distribution: what is in no bucket of it would count as above the last bound.
  void add(const DurationStats& stats);
};

}  // namespace isoscope::aggregate
