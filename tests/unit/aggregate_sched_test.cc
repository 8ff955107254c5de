// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregate/sched.h"

namespace isoscope::aggregate {
namespace {

using identity::UnitKind;
using identity::UnitRef;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t second_ns = 1'000'000'000;

isoscope_sched_cell cell(std::uint64_t account, std::uint64_t voluntary, std::uint64_t involuntary,
                         std::uint64_t on_cpu_ns) {
  isoscope_sched_cell made{};
  made.account = account;
  made.voluntary = voluntary;
  made.involuntary = involuntary;
  made.on_cpu_ns = on_cpu_ns;
  return made;
}

void wait(isoscope_sched_cell& cell, std::uint64_t ns) {
  cell.waits_ns += ns;
  ++cell.wait_buckets[bucket_of(ns)];
}

// What runs since when, read at `taken_ns`.
probe::SchedReading reading(std::vector<isoscope_sched_cell> cells,
                            std::vector<isoscope_cpu_run> running = {}, std::uint64_t taken_ns = 0) {
  probe::SchedReading made;
  made.cells = std::move(cells);
  made.running = std::move(running);
  made.taken_ns = taken_ns;
  return made;
}

TEST(SchedWindows, EachWindowHoldsItsOwn) {
  SchedWindows windows;
  isoscope_sched_cell one = cell(1, 10, 5, 1000);
  one.migrations = 2;
  one.threads = 3;
  wait(one, 500);
  const isoscope_sched_cell two = cell(2, 1, 0, 50);
  EXPECT_EQ(windows.close(reading({one, two}), 0).size(), 2U);
  one.voluntary += 2;
  one.on_cpu_ns += 700;
  one.migrations += 1;
  one.threads += 1;
  one.preempted_ns += 40;
  wait(one, 3000);
  wait(one, 3000);
  one.resumed += 1;
  one.own_preemptions += 3;
  one.own_preempted_ns += 30;
  const auto second = windows.close(reading({one, two}), 0);
  ASSERT_EQ(second.size(), 1U);  // nothing of account 2 ran
  EXPECT_EQ(second[0].account, 1U);
  EXPECT_EQ(second[0].voluntary, 2U);
  EXPECT_EQ(second[0].involuntary, 0U);
  EXPECT_EQ(second[0].on_cpu_ns, 700U);
  EXPECT_EQ(second[0].wakeups, 1U);
  EXPECT_EQ(second[0].migrations, 1U);
  EXPECT_EQ(second[0].threads, 1U);
  EXPECT_EQ(second[0].preempted_ns, 40U);
  ASSERT_EQ(second[0].preempted_by.size(), 1U);
  EXPECT_EQ(second[0].preempted_by[0].by, 1U);
  EXPECT_EQ(second[0].preempted_by[0].count, 3U);
  EXPECT_EQ(second[0].preempted_by[0].waited_ns, 30U);
  EXPECT_EQ(second[0].waits.count, 2U);
  EXPECT_EQ(second[0].waits.sum_ns, 6000U);
  EXPECT_LE(second[0].waits.min_ns, 3000U);
  EXPECT_GE(second[0].waits.max_ns, 3000U);
  EXPECT_LE(second[0].waits.max_ns, 3000U * 110 / 100);  // a bucket is 9 % wide
}

TEST(SchedWindows, BucketsThatWrappedAroundAreCountedOnce) {
  SchedWindows windows;
  isoscope_sched_cell one = cell(1, 1, 0, 0);
  one.wait_buckets[7] = 0xfffffffe;
  windows.close(reading({one}), 0);
  one.voluntary += 5;
  one.wait_buckets[7] = 3;
  EXPECT_EQ(windows.close(reading({one}), 0)[0].waits.count, 5U);
}

// A thread that runs for three windows without a switch: its time is in each of them, and in the one in which
// it leaves only the rest.
TEST(SchedWindows, ARunThatIsNotOverIsChargedToEveryWindow) {
  SchedWindows windows;
  isoscope_sched_cell one = cell(1, 0, 0, 0);
  one.threads = 1;
  const std::vector<isoscope_cpu_run> running{{1, 100}};
  const auto first = windows.close(reading({one}, running, second_ns), 50);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].on_cpu_ns, second_ns - 100);
  EXPECT_EQ(first[0].threads, 1U);
  const auto second = windows.close(reading({one}, running, 2 * second_ns), second_ns);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].on_cpu_ns, second_ns);
  EXPECT_EQ(second[0].threads, 1U);
  one.on_cpu_ns = 2 * second_ns + 5 - 100;
  one.involuntary = 1;
  const auto third = windows.close(reading({one}, {}, 3 * second_ns), 2 * second_ns);
  ASSERT_EQ(third.size(), 1U);
  EXPECT_EQ(third[0].on_cpu_ns, 5U);
}

TEST(SchedWindows, ARunThatEndedDuringTheReadingIsNeverNegative) {
  SchedWindows windows;
  isoscope_sched_cell one = cell(1, 1, 0, 0);
  windows.close(reading({one}, {{1, 100}}, 1100), 0);
  one.voluntary = 2;  // it left, but its time was not there yet
  EXPECT_EQ(windows.close(reading({one}, {}, 1200), 1000)[0].on_cpu_ns, 0U);
  one.voluntary = 3;
  one.on_cpu_ns = 1500;
  EXPECT_EQ(windows.close(reading({one}, {}, 1700), 1200)[0].on_cpu_ns, 500U);
}

TEST(SchedWindows, AnAccountThatWasGivenBackBeginsAnew) {
  SchedWindows windows;
  windows.close(reading({cell(1, 10, 0, 1000)}), 0);
  windows.close(reading({}), 0);
  EXPECT_EQ(windows.close(reading({cell(1, 3, 0, 10)}), 0)[0].voluntary, 3U);
}

TEST(SchedWindows, AnAccountThatIsGivenBackAndMadeAgainAtOnceBeginsAnew) {
  SchedWindows windows;
  windows.close(reading({cell(1, 10, 0, 1000)}), 0);
  windows.forget(1);
  EXPECT_EQ(windows.close(reading({cell(1, 12, 0, 1500)}), 0)[0].voluntary, 12U);
  // Nobody said so, but counters only grow.
  EXPECT_EQ(windows.close(reading({cell(1, 3, 0, 10)}), 0)[0].on_cpu_ns, 10U);
}

// Two CPUs that make the entry of one account at once: the loser's stays empty.
TEST(SchedWindows, AnEmptyTwinTakesNothingAway) {
  SchedWindows windows;
  const auto changes = windows.close(reading({cell(1, 4, 0, 10), cell(1, 0, 0, 0)}), 0);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].voluntary, 4U);
  EXPECT_THAT(windows.close(reading({cell(1, 4, 0, 10)}), 0), IsEmpty());
}

UnitRef unit(UnitKind kind, const std::string& name) {
  return {kind, name, name};
}

TEST(FoldByUnit, TwoCgroupsOfAContainerAreOneRow) {
  SchedWindows windows;
  isoscope_sched_cell one = cell(1, 10, 1, 1000);
  wait(one, 500);
  isoscope_sched_cell two = cell(2, 20, 2, 3000);
  wait(two, 500);
  probe::SchedReading both = reading({cell(0, 0, 0, 0), one, two, cell(3, 1, 1, 1)});
  both.preemptions = {{{1, 3}, {5, 400}}, {{2, 3}, {6, 600}}, {{2, ISOSCOPE_ACCOUNT_IDLE}, {1, 2000}}};
  const auto changes = windows.close(both, 0);
  const auto rows = fold_by_unit(changes, [](std::uint64_t account) {
    return account == 3 ? unit(UnitKind::service, "s") : unit(UnitKind::container, "c");
  });
  ASSERT_EQ(rows.size(), 2U);
  const SchedRow& container = rows[0];
  EXPECT_EQ(container.unit.name, "c");
  EXPECT_EQ(container.voluntary, 30U);
  EXPECT_EQ(container.involuntary, 3U);
  EXPECT_EQ(container.on_cpu_ns, 4000U);
  EXPECT_EQ(container.run_queue.count, 2U);
  ASSERT_EQ(container.preempted_by.size(), 2U);
  EXPECT_FALSE(container.preempted_by[0].unit);  // nobody took most
  EXPECT_EQ(container.preempted_by[0].waited_ns, 2000U);
  EXPECT_EQ(container.preempted_by[1].unit->name, "s");
  EXPECT_EQ(container.preempted_by[1].count, 11U);
  EXPECT_EQ(container.preempted_by[1].waited_ns, 1000U);
  EXPECT_THAT(rows[1].preempted_by, IsEmpty());
}

TEST(FoldByUnit, OfThoseThatTookTheCpuTheFirstAreKept) {
  AccountChange change;
  change.account = 1;
  for (std::uint64_t by = 1; by <= 100; ++by) {
    change.preempted_by.push_back({by, 1, by});
  }
  const auto rows = fold_by_unit(std::span(&change, 1), [](std::uint64_t account) {
    return unit(UnitKind::cgroup, std::to_string(account));
  });
  ASSERT_EQ(rows[0].preempted_by.size(), most_preemptors);
  EXPECT_EQ(rows[0].preempted_by.front().waited_ns, 100U);
  EXPECT_EQ(rows[0].preempted_by.back().waited_ns, 101 - most_preemptors);
}

TEST(StealOf, OfThatVmAlone) {
  std::vector<VmExitsRow> exits(3);
  exits[0].vm.id = exits[1].vm.id = "a";
  exits[2].vm.id = "b";
  exits[0].split.preempted_ns = 5;
  exits[1].split.preempted_ns = 7;
  exits[2].split.preempted_ns = 100;
  EXPECT_EQ(steal_of("a", exits), 12U);
}

TEST(VmmOfAccount, CgroupsHaveNone) {
  EXPECT_EQ(vmm_of_account(ISOSCOPE_ACCOUNT_VM | 4711), 4711U);
  EXPECT_FALSE(vmm_of_account(4711));
  EXPECT_FALSE(vmm_of_account(0));
}

}  // namespace
}  // namespace isoscope::aggregate
