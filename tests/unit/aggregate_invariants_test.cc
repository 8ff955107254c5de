// SPDX-License-Identifier: Apache-2.0
#include "aggregate/invariants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace isoscope::aggregate {
namespace {

using event::Invariant;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

probe::Counters counters(std::uint64_t each) {
  probe::Counters result{};
  result[ISOSCOPE_NAMESPACE_CHECKS] = 100 * each;
  result[ISOSCOPE_NAMESPACE_CHANGES] = 2 * each;
  result[ISOSCOPE_CREDS_CHECKS] = 50 * each;
  result[ISOSCOPE_CREDS_CHANGES] = 3 * each;
  result[ISOSCOPE_INITIAL_CHECKS] = 49 * each;
  return result;
}

const InvariantRow& row(const Invariants& invariants, Invariant invariant) {
  return invariants.rows.at(static_cast<std::size_t>(invariant) - 1);
}

TEST(InvariantBook, GivesWhatCameSince) {
  InvariantBook book(true);
  book.breach(Invariant::initial_credentials);
  book.breach(Invariant::pid_namespace);
  book.moved();
  const Invariants first = book.close(counters(1), 7, 1, false);
  EXPECT_EQ(first.units, 7U);
  EXPECT_EQ(first.transitions, 5U);
  EXPECT_EQ(row(first, Invariant::pid_namespace).breaches, 1U);
  EXPECT_EQ(row(first, Invariant::initial_credentials).breaches, 1U);
  EXPECT_EQ(row(first, Invariant::capabilities).breaches, 0U);
  EXPECT_EQ(row(first, Invariant::capabilities).checks, 50U);
  EXPECT_EQ(row(first, Invariant::system_call).checks, 100U);
  EXPECT_EQ(row(first, Invariant::initial_namespaces).checks, 100U);
  EXPECT_EQ(row(first, Invariant::cgroup).checks, 1U);
  EXPECT_EQ(row(first, Invariant::initial_credentials).checks, 49U);
  EXPECT_EQ(first.incomplete, 0U);
  const Invariants second = book.close(counters(3), 7, 2, false);
  EXPECT_EQ(row(second, Invariant::capabilities).checks, 100U);
  EXPECT_EQ(row(second, Invariant::pid_namespace).breaches, 0U);
  EXPECT_EQ(row(second, Invariant::cgroup).checks, 0U);
}

TEST(InvariantBook, SaysWhatCannotBeTold) {
  const Invariants window = InvariantBook(false).close(counters(1), 0, 1, false);
  EXPECT_FALSE(row(window, Invariant::system_call).watched);
  EXPECT_EQ(row(window, Invariant::system_call).checks, 0U);
  EXPECT_TRUE(row(window, Invariant::initial_namespaces).watched);
}

TEST(InvariantBook, WindowsWithLossesAreIncomplete) {
  InvariantBook book(true);
  Invariants sum;
  probe::Counters kernel = counters(1);
  merge_into(sum, book.close(kernel, 2, 1, false));
  EXPECT_THAT(sum.in_windows, IsEmpty());
  kernel[ISOSCOPE_DROPPED_SECURITY] = 4;
  merge_into(sum, book.close(kernel, 9, 2, false));
  kernel[ISOSCOPE_TASK_FULL] = 1;
  merge_into(sum, book.close(kernel, 3, 3, false));
  merge_into(sum, book.close(kernel, 3, 4, false));
  kernel[ISOSCOPE_DROPPED_LIFECYCLE] = 1;
  merge_into(sum, book.close(kernel, 3, 5, false));
  merge_into(sum, book.close(kernel, 3, 6, true));
  EXPECT_EQ(sum.lost, 5U);
  EXPECT_EQ(sum.not_followed, 1U);
  EXPECT_EQ(sum.incomplete, 4U);
  EXPECT_THAT(sum.in_windows, ElementsAre(2U, 3U, 5U, 6U));
  EXPECT_EQ(sum.units, 9U) << "the most in one window";
  EXPECT_EQ(row(sum, Invariant::capabilities).checks, 50U);
}

}  // namespace
}  // namespace isoscope::aggregate
