// SPDX-License-Identifier: Apache-2.0
#include "aggregate/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace isoscope::aggregate {

namespace {

isoscope_hist_tables make_tables() {
  isoscope_hist_tables tables{};
  std::fill(std::begin(tables.floor_ns), std::end(tables.floor_ns), std::numeric_limits<__u64>::max());
  // What is longer than the last boundary is in the last bucket too.
  for (std::size_t i = 0; i < histogram_buckets; ++i) {
    tables.floor_ns[i] = static_cast<std::uint64_t>(std::floor(bucket_floor_ns(i)));
  }
  for (std::uint32_t step = 0; step < ISOSCOPE_HIST_STEPS; ++step) {
    const std::uint32_t shift = (step >> ISOSCOPE_HIST_STEP_BITS) * 8;
    const std::uint64_t first = std::uint64_t{step & ((1U << ISOSCOPE_HIST_STEP_BITS) - 1)} << shift;
    const auto* const after = std::lower_bound(std::begin(tables.floor_ns), std::end(tables.floor_ns), first);
    const auto above = static_cast<std::size_t>(after - std::begin(tables.floor_ns));
    tables.guess[step] = static_cast<__u8>(std::clamp<std::size_t>(above, 1, histogram_buckets) - 1);
  }
  return tables;
}

}  // namespace

double bucket_floor_ns(std::size_t index) {
  const double octaves = (static_cast<double>(index) + ISOSCOPE_HIST_OFFSET) / (1 << ISOSCOPE_HIST_SCALE);
  return 1e9 * std::exp2(octaves);
}

const isoscope_hist_tables& bucket_tables() {
  static const isoscope_hist_tables tables = make_tables();
  return tables;
}

std::size_t bucket_of(std::uint64_t duration_ns) {
  const isoscope_hist_tables& tables = bucket_tables();
  const std::size_t bucket = tables.guess[isoscope_hist_step(duration_ns)];
  return bucket + (duration_ns > tables.floor_ns[bucket + 1] ? 1 : 0);
}

void DurationStats::add(std::uint64_t duration_ns) {
  min_ns = count == 0 ? duration_ns : std::min(min_ns, duration_ns);
  max_ns = std::max(max_ns, duration_ns);
  ++count;
  sum_ns += duration_ns;
  ++buckets[bucket_of(duration_ns)];
}

void DurationStats::merge(const DurationStats& other) {
  if (other.count == 0) {
    return;
  }
  min_ns = count == 0 ? other.min_ns : std::min(min_ns, other.min_ns);
  max_ns = std::max(max_ns, other.max_ns);
  count += other.count;
  sum_ns += other.sum_ns;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    buckets[i] += other.buckets[i];
  }
}

double DurationStats::quantile_ns(double q) const {
  if (count == 0) {
    return 0;
  }
  const double rank = q * static_cast<double>(count);
  double before = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const auto in_bucket = static_cast<double>(buckets[i]);
    if (in_bucket > 0 && before + in_bucket >= rank) {
      const double lower = bucket_floor_ns(i);
      const double ratio = bucket_floor_ns(i + 1) / lower;
      const double value = lower * std::pow(ratio, (rank - before) / in_bucket);
      return std::clamp(value, static_cast<double>(min_ns), static_cast<double>(max_ns));
    }
    before += in_bucket;
  }
  return static_cast<double>(max_ns);
}

}  // namespace isoscope::aggregate
