// SPDX-License-Identifier: Apache-2.0
#include "aggregate/classic_histogram.h"

#include <cmath>

namespace isoscope::aggregate {

namespace {

constexpr int first_octave = -20;
constexpr int octaves_each = 2;

// Buckets of DurationStats up to bound `index`.
constexpr std::size_t fine_buckets(std::size_t index) {
  const int octaves = first_octave + octaves_each * static_cast<int>(index) - ISOSCOPE_HIST_FIRST_OCTAVE;
  return static_cast<std::size_t>(octaves) << ISOSCOPE_HIST_SCALE;
}
static_assert(first_octave >= ISOSCOPE_HIST_FIRST_OCTAVE);
static_assert(fine_buckets(classic_bounds - 1) <= histogram_buckets);

}  // namespace

double classic_bound_seconds(std::size_t index) {
  return std::exp2(first_octave + octaves_each * static_cast<int>(index));
}

void ClassicHistogram::add(const DurationStats& stats) {
  std::size_t fine = 0;
  for (std::size_t i = 0; i < classic_bounds; ++i) {
    for (; fine < fine_buckets(i); ++fine) {
      buckets[i] += stats.buckets[fine];
    }
  }
  count += stats.count;
  sum_ns += stats.sum_ns;
}

}  // namespace isoscope::aggregate
