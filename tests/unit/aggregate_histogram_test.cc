// SPDX-License-Identifier: Apache-2.0
#include "aggregate/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace isoscope::aggregate {
namespace {

// The definition, in long double and without tables: (b(i), b(i + 1)].
std::size_t bucket_by_definition(std::uint64_t ns) {
  const long double seconds = static_cast<long double>(ns) / 1e9L;
  const long double position = std::log2(seconds) * (1 << ISOSCOPE_HIST_SCALE);
  const auto index = static_cast<long>(std::ceil(position)) - 1 - ISOSCOPE_HIST_OFFSET;
  return static_cast<std::size_t>(std::clamp(index, 0L, static_cast<long>(histogram_buckets) - 1));
}

TEST(Histogram, BoundariesArePowersOfTwoInSeconds) {
  EXPECT_DOUBLE_EQ(bucket_floor_ns(0), 1e9 / (1 << 24));
  EXPECT_DOUBLE_EQ(bucket_floor_ns(24 << ISOSCOPE_HIST_SCALE), 1e9);
  EXPECT_DOUBLE_EQ(bucket_floor_ns(histogram_buckets), 64e9);
}

TEST(Histogram, UpperBoundIsInclusive) {
  const std::size_t one_second = 24 << ISOSCOPE_HIST_SCALE;
  EXPECT_EQ(bucket_of(1'000'000'000), one_second - 1);
  EXPECT_EQ(bucket_of(1'000'000'001), one_second);
}

TEST(Histogram, OutOfRangeGoesToTheEnds) {
  EXPECT_EQ(bucket_of(0), 0U);
  EXPECT_EQ(bucket_of(1), 0U);
  EXPECT_EQ(bucket_of(64'000'000'001), histogram_buckets - 1);
  EXPECT_EQ(bucket_of(~std::uint64_t{0}), histogram_buckets - 1);
}

TEST(Histogram, TablesGiveTheDefinitionAroundEveryBoundary) {
  for (std::size_t i = 0; i <= histogram_buckets; ++i) {
    const auto boundary = static_cast<std::uint64_t>(bucket_floor_ns(i));
    for (std::uint64_t ns = boundary - 1; ns <= boundary + 2; ++ns) {
      ASSERT_EQ(bucket_of(ns), bucket_by_definition(ns)) << ns << " ns";
    }
  }
}

TEST(Histogram, TablesGiveTheDefinitionAnywhere) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t ns = random() >> (random() % 63);
    ASSERT_EQ(bucket_of(ns), ns == 0 ? 0 : bucket_by_definition(ns)) << ns << " ns";
  }
}

TEST(DurationStats, QuantilesStayWithinOneBucketOfTheTruth) {
  std::mt19937_64 random(2);
  std::lognormal_distribution<double> durations(8.0, 1.5);
  std::vector<std::uint64_t> values(20'001);
  DurationStats stats;
  for (std::uint64_t& value : values) {
    value = 100 + static_cast<std::uint64_t>(durations(random));
    stats.add(value);
  }
  std::sort(values.begin(), values.end());
  for (const double q : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const auto truth = static_cast<double>(values[static_cast<std::size_t>(q * 20'000)]);
    EXPECT_NEAR(stats.quantile_ns(q) / truth, 1.0, std::exp2(1.0 / 8) - 1) << "q " << q;
  }
}

TEST(DurationStats, QuantilesNeverLeaveMinAndMax) {
  DurationStats stats;
  stats.add(1000);
  stats.add(1001);
  EXPECT_EQ(stats.quantile_ns(0), 1000);
  EXPECT_EQ(stats.quantile_ns(1), 1001);
  EXPECT_EQ(DurationStats{}.quantile_ns(0.5), 0);
}

TEST(DurationStats, MergeEqualsAddingEverythingToOne) {
  std::mt19937_64 random(3);
  DurationStats whole;
  DurationStats first;
  DurationStats second;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = random() % 1'000'000'000;
    whole.add(value);
    (i % 3 == 0 ? first : second).add(value);
  }
  first.merge(second);
  first.merge(DurationStats{});
  EXPECT_EQ(first.count, whole.count);
  EXPECT_EQ(first.sum_ns, whole.sum_ns);
  EXPECT_EQ(first.min_ns, whole.min_ns);
  EXPECT_EQ(first.max_ns, whole.max_ns);
  EXPECT_EQ(first.buckets, whole.buckets);
}

}  // namespace
}  // namespace isoscope::aggregate
