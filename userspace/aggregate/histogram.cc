// SPDX-License-Identifier: Apache-2.0
#include "aggregate/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace isoscope::aggregate {

namespace {

isoscope_hist_tables make_tables() {
  isoscope_hist_tables tables{};
  for (std::size_t i = 0; i <= histogram_buckets; ++i) {
    tables.floor_ns[i] = static_cast<std::uint64_t>(std::floor(bucket_floor_ns(i)));
  }
  for (std::uint32_t step = 0; step < ISOSCOPE_HIST_STEPS; ++step) {
    const std::uint32_t exponent = step >> ISOSCOPE_HIST_STEP_BITS;
    const std::uint64_t fraction = step & ((1U << ISOSCOPE_HIST_STEP_BITS) - 1);
    const std::uint64_t one = std::uint64_t{1} << exponent;
    const std::uint64_t first = one + fraction * (one >> ISOSCOPE_HIST_STEP_BITS);  // of no use below 2^4
    const auto* const after = std::upper_bound(std::begin(tables.floor_ns), std::end(tables.floor_ns), first);
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
  constexpr std::uint64_t in_first_bucket = 64;  // the whole nanoseconds up to b(1)
  if (duration_ns <= in_first_bucket) {
    return 0;
  }
  const std::uint64_t below = duration_ns - 1;
  const auto exponent = static_cast<std::uint32_t>(std::bit_width(below)) - 1;
  constexpr std::uint32_t step_mask = (1U << ISOSCOPE_HIST_STEP_BITS) - 1;
  const std::uint64_t fraction = (below >> (exponent - ISOSCOPE_HIST_STEP_BITS)) & step_mask;
  const std::size_t bucket = tables.guess[(exponent << ISOSCOPE_HIST_STEP_BITS) + fraction];
  return std::min(bucket + (below >= tables.floor_ns[bucket + 1] ? 1 : 0), histogram_buckets - 1);
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
