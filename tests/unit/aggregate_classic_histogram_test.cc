// SPDX-License-Identifier: Apache-2.0
#include "aggregate/classic_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace isoscope::aggregate {
namespace {

TEST(ClassicHistogram, BoundsArePowersOfFourInSeconds) {
  EXPECT_EQ(classic_bound_seconds(0), 1.0 / (1 << 20));
  EXPECT_EQ(classic_bound_seconds(10), 1.0);
  EXPECT_EQ(classic_bound_seconds(classic_bounds - 1), 16.0);
  for (std::size_t i = 1; i < classic_bounds; ++i) {
    EXPECT_EQ(classic_bound_seconds(i), 4 * classic_bound_seconds(i - 1));
  }
}

// Where a duration belongs by the bounds alone, without the fine buckets.
std::size_t classic_bucket(std::uint64_t ns) {
  std::size_t index = 0;
  while (index<classic_bounds&& static_cast<long double>(ns)> 1e9L *
         static_cast<long double>(classic_bound_seconds(index))) {
    ++index;
  }
  return index;
}

TEST(ClassicHistogram, EveryDurationFoldsIntoItsBucket) {
  for (std::size_t i = 0; i < classic_bounds; ++i) {
    const auto bound = static_cast<std::uint64_t>(1e9 * classic_bound_seconds(i));
    for (const std::uint64_t ns : {bound - 1, bound, bound + 1}) {
      DurationStats one;
      one.add(ns);
      ClassicHistogram folded;
      folded.add(one);
      const std::size_t expected = classic_bucket(ns);
      for (std::size_t bucket = 0; bucket < classic_bounds; ++bucket) {
        ASSERT_EQ(folded.buckets[bucket], bucket == expected ? 1U : 0U) << ns << " ns, bucket " << bucket;
      }
      EXPECT_EQ(folded.count, 1U);
      EXPECT_EQ(folded.sum_ns, ns);
    }
  }
}

TEST(ClassicHistogram, TheExtremesAreBelowTheFirstAndAboveTheLastBound) {
  DurationStats both;
  both.add(1);
  both.add(16'000'000'001);
  both.add(~std::uint64_t{0} / 2);
  ClassicHistogram folded;
  folded.add(both);
  folded.add(both);
  EXPECT_EQ(folded.buckets[0], 2U);
  EXPECT_EQ(std::accumulate(folded.buckets.begin(), folded.buckets.end(), std::uint64_t{0}), 2U);
  EXPECT_EQ(folded.count, 6U);
}

TEST(ClassicHistogram, PercentilesAreInTheBucketThatAScraperFinds) {
  std::mt19937_64 random(7);
  for (const double spread : {0.5, 1.5, 3.0}) {
    std::lognormal_distribution<double> durations(9.0, spread);
    DurationStats fine;
    ClassicHistogram folded;
    for (int window = 0; window < 5; ++window) {
      DurationStats part;
      for (int i = 0; i < 3'000; ++i) {
        part.add(static_cast<std::uint64_t>(durations(random)));
      }
      fine.merge(part);
      folded.add(part);
    }
    for (const double q : {0.5, 0.9, 0.99, 0.999}) {
      std::size_t bucket = 0;
      double below = 0;
      while (bucket < classic_bounds &&
             below + static_cast<double>(folded.buckets[bucket]) < q * static_cast<double>(folded.count)) {
        below += static_cast<double>(folded.buckets[bucket]);
        ++bucket;
      }
      ASSERT_LT(bucket, classic_bounds);
      const double seconds = fine.quantile_ns(q) / 1e9;
      EXPECT_LE(seconds, classic_bound_seconds(bucket) * (1 + 1e-9)) << q;
      EXPECT_GE(seconds, bucket == 0 ? 0 : classic_bound_seconds(bucket - 1) * (1 - 1e-9)) << q;
    }
  }
}

}  // namespace
}  // namespace isoscope::aggregate
