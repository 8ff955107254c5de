// SPDX-License-Identifier: Apache-2.0
#include "policy/fold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>

#include "policy_samples.h"

namespace isoscope::policy {
namespace {

using ::testing::IsEmpty;

constexpr std::uint64_t second = 1'000'000'000;

Violation at(std::uint64_t seconds, const std::string& exe = "/usr/bin/nsenter") {
  Crossing crossing = samples::escape();
  crossing.ts_mono_ns = seconds * second;
  crossing.process.exe = exe;
  return judge(crossing).at(0);
}

TEST(Fold, RepeatsAreCountedAndTold) {
  Fold fold;
  const auto first = fold.take(at(100));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->suppressed, 0U);
  for (std::uint64_t i = 1; i <= 5; ++i) {
    EXPECT_FALSE(fold.take(at(100 + i)));
  }
  EXPECT_THAT(fold.expire(159 * second), IsEmpty());
  const auto due = fold.expire(160 * second);
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(std::get<policy::Crossing>(due[0].event).ts_mono_ns, 105 * second) << "the last of them";
  EXPECT_EQ(due[0].suppressed, 4U) << "and the others";
  EXPECT_THAT(fold.expire(161 * second), IsEmpty());
}

TEST(Fold, AWindowBeginsAnew) {
  Fold fold;
  EXPECT_TRUE(fold.take(at(100)));
  EXPECT_FALSE(fold.take(at(101)));
  EXPECT_EQ(fold.expire(160 * second).size(), 1U);
  EXPECT_FALSE(fold.take(at(161))) << "one a minute, not two at its turn";
  EXPECT_EQ(fold.expire(220 * second).size(), 1U);
  EXPECT_THAT(fold.expire(280 * second), IsEmpty());
  EXPECT_EQ(fold.size(), 0U) << "forgotten";
  EXPECT_TRUE(fold.take(at(281)));
}

TEST(Fold, TheNextOneTellsToo) {
  Fold fold;
  EXPECT_TRUE(fold.take(at(100)));
  EXPECT_FALSE(fold.take(at(101)));
  EXPECT_FALSE(fold.take(at(99))) << "late, and of the window";
  const auto next = fold.take(at(160));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->suppressed, 2U);
  EXPECT_THAT(fold.flush(), IsEmpty());
}

TEST(Fold, TheEndOfARunTells) {
  Fold fold;
  EXPECT_TRUE(fold.take(at(100)));
  EXPECT_THAT(fold.flush(), IsEmpty()) << "it was told";
  EXPECT_TRUE(fold.take(at(100)));
  EXPECT_FALSE(fold.take(at(100)));
  EXPECT_FALSE(fold.take(at(101)));
  const auto due = fold.flush();
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].suppressed, 1U);
}

TEST(Fold, WhatDiffersIsNoRepeat) {
  const std::function<void(Violation&)> differences[] = {
      [](Violation& v) { v.policy = "other"; },
      [](Violation& v) { v.rule = "other"; },
      [](Violation& v) { std::get<policy::Crossing>(v.event).from.id = "other"; },
      [](Violation& v) { std::get<policy::Crossing>(v.event).from.kind = identity::UnitKind::pod; },
      [](Violation& v) { std::get<policy::Crossing>(v.event).to.id = "other"; },
      [](Violation& v) { std::get<policy::Crossing>(v.event).process.exe = "other"; },
      [](Violation& v) { std::get<policy::Crossing>(v.event).direction = Direction::lateral; },
      [](Violation& v) { std::get<policy::Crossing>(v.event).mechanism = event::Mechanism::none; },
      [](Violation& v) { std::get<policy::Crossing>(v.event).moves.pop_back(); },
  };
  Fold fold;
  EXPECT_TRUE(fold.take(at(1)));
  for (const auto& change : differences) {
    Violation other = at(1);
    change(other);
    EXPECT_TRUE(fold.take(other));
  }
  Violation same = at(1);
  std::get<policy::Crossing>(same.event).process.pid = std::get<policy::Crossing>(same.event).process.tid =
      99;
  std::get<policy::Crossing>(same.event).process.comm = "other";
  EXPECT_FALSE(fold.take(same)) << "another process that does the same";
}

TEST(Fold, MemoryIsBoundedAndNothingIsHidden) {
  Fold fold(Fold::usual_window_ns, 10);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(fold.take(at(1, "/bin/" + std::to_string(i))));
  }
  EXPECT_EQ(fold.size(), 10U);
  EXPECT_EQ(fold.unfolded(), 990U);
  EXPECT_TRUE(fold.take(at(1, "/bin/999"))) << "it has no place";
  EXPECT_FALSE(fold.take(at(1, "/bin/9"))) << "this one has";
}

TEST(Fold, EachOneIsReportedOrCounted) {
  std::mt19937 random(1);
  Fold fold(5 * second, 7);
  std::uint64_t taken = 0;
  std::uint64_t told = 0;
  const auto tell = [&](const Violation& violation) { told += violation.suppressed + 1; };
  for (std::uint64_t now = 0; now < 2000; ++now) {
    for (unsigned i = random() % 4; i > 0; --i, ++taken) {
      if (const auto due = fold.take(at(now, std::string(1, static_cast<char>('a' + random() % 10))))) {
        tell(*due);
      }
    }
    if (random() % 3 == 0) {
      for (const Violation& due : fold.expire(now * second)) {
        tell(due);
      }
    }
  }
  for (const Violation& due : fold.flush()) {
    tell(due);
  }
  EXPECT_GT(taken, 2000U);
  EXPECT_EQ(told, taken);
}

}  // namespace
}  // namespace isoscope::policy
