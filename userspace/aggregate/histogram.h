// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "abi/histogram.h"

namespace isoscope::aggregate {

inline constexpr std::size_t histogram_buckets = ISOSCOPE_HIST_BUCKETS;

// Lower boundary b(index) in ns of bucket `index`; index may be histogram_buckets (the last upper boundary).
// Formula: abi/histogram.h.
double bucket_floor_ns(std::size_t index);

// The tables with which the BPF programs find a bucket, and the same look-up in C++.
const isoscope_hist_tables& bucket_tables();
std::size_t bucket_of(std::uint64_t duration_ns);

// Counted durations. Mergeable: merge buckets, never percentiles.
struct DurationStats {
  std::uint64_t count = 0;
  std::uint64_t sum_ns = 0;
  std::uint64_t min_ns = 0;  // 0 while count is 0
  std::uint64_t max_ns = 0;
  std::array<std::uint64_t, histogram_buckets> buckets{};

  void add(std::uint64_t duration_ns);
  void merge(const DurationStats& other);

  // The q-quantile (0 <= q <= 1): geometric interpolation inside the bucket that holds rank q * count, never
  // outside [min, max]. 0 while count is 0.
  double quantile_ns(double q) const;
};

}  // namespace isoscope::aggregate
