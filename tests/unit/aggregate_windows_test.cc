// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregate/exits.h"
#include "aggregate/ledger.h"
#include "aggregate/recheck.h"
#include "aggregate/totals.h"

namespace isoscope::aggregate {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

probe::VcpuReading vcpu(std::uint32_t index, std::uint64_t start_ns) {
  probe::VcpuReading reading;
  reading.index = index;
  reading.vcpu.state = ISOSCOPE_VCPU_LIVE;
  reading.vcpu.tgid = 100;
  reading.vcpu.tid = 100 + index;
  reading.vcpu.isa = ISOSCOPE_ISA_SVM;
  reading.vcpu.start_ns = start_ns;
  return reading;
}

// As the programs do it.
void finish(isoscope_exit_cell& cell, std::uint32_t window, std::uint64_t ns) {
  if (cell.window != window) {
    cell.window = window;
    cell.min_ns = cell.max_ns = ns;
  }
  cell.min_ns = std::min<std::uint64_t>(cell.min_ns, ns);
  cell.max_ns = std::max<std::uint64_t>(cell.max_ns, ns);
  cell.sum_ns += ns;
  ++cell.buckets[bucket_of(ns)];
}

TEST(ExitWindows, EachWindowHoldsItsOwnExits) {
  ExitWindows windows;
  auto reading = vcpu(1, 7);
  reading.cells.emplace_back();
  isoscope_exit_cell& cell = reading.cells.back();
  cell.reason = 0x7b;
  cell.unfinished = 1;
  finish(cell, 1, 1000);
  finish(cell, 1, 3000);
  auto first = windows.close(std::span(&reading, 1), 1).rows;
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].count, 3U);
  EXPECT_EQ(first[0].stats.count, 2U);
  EXPECT_EQ(first[0].stats.sum_ns, 4000U);
  EXPECT_EQ(first[0].stats.min_ns, 1000U);
  EXPECT_EQ(first[0].stats.max_ns, 3000U);
  EXPECT_EQ(first[0].vm.pid, 100U);

  finish(cell, 2, 2000);
  auto second = windows.close(std::span(&reading, 1), 2).rows;
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].count, 1U);
  EXPECT_EQ(second[0].stats.count, 1U);
  EXPECT_EQ(second[0].stats.min_ns, 2000U);
  EXPECT_EQ(second[0].stats.max_ns, 2000U);
  EXPECT_THAT(windows.close(std::span(&reading, 1), 3).rows, IsEmpty());
}

TEST(ExitWindows, AnExitBetweenReadingAndWindowNumberIsBoundedByItsBucket) {
  ExitWindows windows;
  auto reading = vcpu(1, 7);
  reading.cells.emplace_back();
  finish(reading.cells.back(), 1, 5000);
  finish(reading.cells.back(), 1, 6000);
  const auto rows = windows.close(std::span(&reading, 1), 2).rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(bucket_of(rows[0].stats.min_ns), bucket_of(5000));
  EXPECT_LE(rows[0].stats.max_ns, 6000U + 600);
  EXPECT_GE(rows[0].stats.max_ns, 5400U);
}

TEST(ExitWindows, BucketsWrapAroundWithoutLoss) {
  ExitWindows windows;
  auto reading = vcpu(1, 7);
  reading.cells.emplace_back();
  reading.cells[0].buckets[50] = 0xffff'fffe;
  (void)windows.close(std::span(&reading, 1), 1);
  reading.cells[0].buckets[50] += 5;
  const auto rows = windows.close(std::span(&reading, 1), 2).rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].stats.count, 5U);
}

TEST(ExitWindows, AnIndexGivenToAnotherThreadStartsFromZero) {
  ExitWindows windows;
  auto reading = vcpu(1, 7);
  reading.cells.emplace_back();
  reading.cells[0].unfinished = 1000;
  reading.vcpu.unmatched_exits = 1;
  EXPECT_EQ(windows.close(std::span(&reading, 1), 1).unmatched_exits, 1U);
  reading.vcpu.start_ns = 8;
  reading.vcpu.unmatched_exits = 2;
  reading.cells[0].unfinished = 10;
  const auto window = windows.close(std::span(&reading, 1), 2);
  ASSERT_EQ(window.rows.size(), 1U);
  EXPECT_EQ(window.rows[0].count, 10U);
  EXPECT_EQ(window.unmatched_exits, 2U);
}

TEST(ExitWindows, ExitsWithoutACellAreARowOfTheirOwn) {
  ExitWindows windows;
  auto reading = vcpu(1, 7);
  reading.vcpu.other_unfinished = 1;
  reading.vcpu.other_finished = 3;
  reading.vcpu.other_sum_ns = 900;
  reading.vcpu.other_split.userspace_ns = 800;
  const auto rows = windows.close(std::span(&reading, 1), 1).rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].other);
  EXPECT_EQ(rows[0].count, 4U);
  EXPECT_EQ(rows[0].stats.sum_ns, 900U);
  EXPECT_EQ(rows[0].split.userspace_ns, 800U);
}

TEST(ExitWindows, PartsOfAnExitNeverExceedItsTime) {
  ExitWindows windows;
  auto reading = vcpu(1, 7);
  reading.cells.emplace_back();
  isoscope_exit_cell& cell = reading.cells.back();
  finish(cell, 1, 1000);
  cell.split = {.halted_ns = 100, .userspace_ns = 200, .preempted_ns = 300};
  auto rows = windows.close(std::span(&reading, 1), 1).rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].split, (event::Split{.halted_ns = 100, .userspace_ns = 200, .preempted_ns = 300}));
  EXPECT_EQ(rows[0].split.kernel_ns(rows[0].stats.sum_ns), 400U);

  // The next reading falls between the parts of an exit of 5,000 ns and its duration.
  finish(cell, 2, 10);
  cell.split.halted_ns += 4'900;
  rows = windows.close(std::span(&reading, 1), 2).rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].split.halted_ns, 10U);
  finish(cell, 3, 5'000);
  rows = windows.close(std::span(&reading, 1), 3).rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].split.halted_ns, 4'890U);
}

TEST(ExitWindows, WhatAReadingInTheMiddleOfAnExitSawWaitsForItsCount) {
  ExitWindows windows;
  auto reading = vcpu(1, 7);
  reading.cells.emplace_back();
  isoscope_exit_cell& cell = reading.cells.back();
  finish(cell, 1, 1000);
  (void)windows.close(std::span(&reading, 1), 1);

  cell.sum_ns += 5'000;  // written, and its bucket not yet
  cell.split.userspace_ns += 4'000;
  cell.nested += 1;
  reading.vcpu.other_sum_ns += 700;
  EXPECT_THAT(windows.close(std::span(&reading, 1), 2).rows, IsEmpty());
  ++cell.buckets[bucket_of(5'000)];
  ++reading.vcpu.other_finished;
  auto rows = windows.close(std::span(&reading, 1), 3).rows;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].count, 1U);
  EXPECT_EQ(rows[0].nested, 1U);
  EXPECT_EQ(rows[0].stats.sum_ns, 5'000U);
  EXPECT_EQ(rows[0].split.userspace_ns, 4'000U);
  EXPECT_EQ(rows[1].stats.sum_ns, 700U);

  ++cell.buckets[bucket_of(2'000)];  // and the other way round
  rows = windows.close(std::span(&reading, 1), 4).rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].count, 1U);
  EXPECT_EQ(bucket_of(rows[0].stats.min_ns), bucket_of(2'000));
  cell.sum_ns += 2'000;
  EXPECT_THAT(windows.close(std::span(&reading, 1), 5).rows, IsEmpty());
  finish(cell, 6, 3'000);
  rows = windows.close(std::span(&reading, 1), 6).rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].stats.sum_ns, 5'000U);
  EXPECT_EQ(rows[0].stats.min_ns, 3'000U);
  EXPECT_EQ(rows[0].stats.max_ns, 3'000U);
}

TEST(ExitWindows, OneExitBeyondTheLastBoundaryIsAsLongAsItWas) {
  constexpr std::uint64_t five_minutes = 300'000'000'000;
  ExitWindows windows;
  auto reading = vcpu(1, 7);
  reading.cells.emplace_back();
  finish(reading.cells.back(), 1, five_minutes);
  auto rows = windows.close(std::span(&reading, 1), 1).rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].stats.min_ns, five_minutes);
  EXPECT_EQ(rows[0].stats.max_ns, five_minutes);
  finish(reading.cells.back(), 2, five_minutes);
  finish(reading.cells.back(), 2, five_minutes + 10);
  rows = windows.close(std::span(&reading, 1), 2).rows;
  EXPECT_EQ(rows.at(0).stats.min_ns, five_minutes);
  EXPECT_EQ(rows.at(0).stats.max_ns, five_minutes + 10);
  finish(reading.cells.back(), 3, five_minutes);  // and the window's number moved on before it was read
  rows = windows.close(std::span(&reading, 1), 4).rows;
  EXPECT_EQ(rows.at(0).stats.min_ns, five_minutes);
  EXPECT_EQ(rows.at(0).stats.max_ns, five_minutes);
}

TEST(ExitWindows, ExitsOfNestedGuestsAreCountedApart) {
  ExitWindows windows;
  auto reading = vcpu(1, 7);
  reading.cells.emplace_back();
  reading.cells[0].buckets[50] = 0xffff'ffff;
  reading.cells[0].nested = 0xffff'fffe;
  (void)windows.close(std::span(&reading, 1), 1);
  reading.cells[0].buckets[50] += 5;
  reading.cells[0].nested += 3;
  const auto rows = windows.close(std::span(&reading, 1), 2).rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].count, 5U);
  EXPECT_EQ(rows[0].nested, 3U);
}

TEST(LedgerBook, ArithmeticClosesPerClass) {
  LedgerBook book;
  probe::Counters kernel{};
  kernel[ISOSCOPE_MADE_EXIT] = 10;
  kernel[ISOSCOPE_DROPPED_EXIT] = 4;
  kernel[ISOSCOPE_TASK_FULL] = 2;
  for (int i = 0; i < 6; ++i) {
    book.handled(ISOSCOPE_CLASS_EXIT);
  }
  const Ledger first = book.close(kernel, 0, 0);
  const ClassLedger& exits = first.classes.at(ISOSCOPE_CLASS_EXIT);
  EXPECT_STREQ(exits.name, "exits");
  EXPECT_EQ(exits.made, exits.handled + exits.dropped);
  EXPECT_THAT(first.causes,
              testing::Contains(testing::AllOf(Field(&CauseLedger::name, testing::StrEq("task_table_full")),
                                               Field(&CauseLedger::count, 2U))));
  const Ledger second = book.close(kernel, 3, 0);
  EXPECT_EQ(second.classes.at(ISOSCOPE_CLASS_EXIT).made, 0U);
  EXPECT_EQ(second.write_errors, 3U);
}

// From the first drop to the pass that finds nothing more; windows in between have their part of it.
TEST(RecheckBook, AGapIsOpenFromTheFirstDropToAPassWithoutAFinding) {
  RecheckBook book;
  book.dropped(0);
  EXPECT_FALSE(book.open());
  EXPECT_TRUE(book.close(100).complete);
  book.dropped(1000);
  book.dropped(1500);
  book.pass({.tasks = 7, .found = 2, .pending = 0}, 0, 2000);
  EXPECT_TRUE(book.open()) << "there may be more";
  const Recheck first = book.close(3000);
  EXPECT_EQ(first.count, 1U);
  EXPECT_EQ(first.tasks, 7U);
  EXPECT_EQ(first.found, 2U);
  EXPECT_EQ(first.open_ns, 2000U);
  EXPECT_FALSE(first.complete);
  book.pass({.tasks = 7, .found = 0, .pending = 1}, 0, 3100);
  EXPECT_TRUE(book.open()) << "one is still to be told";
  book.pass({.tasks = 7, .found = 0, .pending = 0}, 3150, 3200);
  EXPECT_TRUE(book.open()) << "something was dropped meanwhile";
  book.pass({.tasks = 8, .found = 0, .pending = 0}, 0, 3300);
  EXPECT_FALSE(book.open());
  const Recheck second = book.close(4000);
  EXPECT_EQ(second.count, 3U);
  EXPECT_EQ(second.tasks, 22U);
  EXPECT_EQ(second.open_ns, 300U);
  EXPECT_TRUE(second.complete);
  EXPECT_EQ(book.close(5000).count, 0U);
}

Snapshot window_of(const std::string& vm, std::uint64_t count) {
  Snapshot window;
  window.window = 1;
  window.start_mono_ns = 10;
  window.end_mono_ns = 20;
  VmExitsRow row;
  row.vm.id = vm;
  row.count = count;
  row.stats.add(100 * count);
  row.split.userspace_ns = 10 * count;
  window.vm_exits.push_back(row);
  SchedRow sched;
  sched.unit.id = vm;
  sched.voluntary = count;
  sched.threads = count;
  sched.run_queue.add(1000 * count);
  sched.preempted_by = {{std::nullopt, count, 10 * count}};
  window.sched.push_back(sched);
  return window;
}

TEST(Totals, SumOfTheWindows) {
  Totals totals;
  totals.add(window_of("a", 1));
  totals.add(window_of("a", 2));
  totals.add(window_of("b", 4));
  const Snapshot all = totals.summary();
  EXPECT_EQ(all.window, 0U);
  EXPECT_EQ(all.start_mono_ns, 10U);
  ASSERT_EQ(all.vm_exits.size(), 2U);
  EXPECT_EQ(all.vm_exits[0].count, 3U);
  EXPECT_EQ(all.vm_exits[0].stats.count, 2U);
  EXPECT_EQ(all.vm_exits[0].stats.max_ns, 200U);
  EXPECT_EQ(all.vm_exits[0].split.userspace_ns, 30U);
  ASSERT_EQ(all.sched.size(), 2U);
  EXPECT_EQ(all.sched[0].voluntary, 3U);
  EXPECT_EQ(all.sched[0].threads, 2U);  // of one window: they may be the same ones
  EXPECT_EQ(all.sched[0].run_queue.count, 2U);
  ASSERT_EQ(all.sched[0].preempted_by.size(), 1U);
  EXPECT_EQ(all.sched[0].preempted_by[0].waited_ns, 30U);
}

TEST(Totals, AUnitHasItsLastName) {
  Totals totals(1);
  for (const char* name : {"4f5e6d7c8b9a", "web"}) {
    Snapshot window = window_of("a", 1);
    window.sched[0].unit.name = name;
    totals.add(window);
  }
  totals.add(window_of("b", 1));
  totals.add(window_of("c", 1));
  const Snapshot all = totals.summary();
  ASSERT_EQ(all.sched.size(), 2U);
  EXPECT_EQ(all.sched[0].unit.name, "web");
  EXPECT_EQ(all.sched[1].unit.name, "other") << "not one of those that it holds";
}

TEST(Totals, WithoutRowsTheLedgerIsTheSame) {
  Totals totals;
  Snapshot window = window_of("a", 1);
  window.ledger.undecodable = 2;
  window.ledger.classes = {{"exits", 5, 4, 1}};
  window.ledger.maps = {{"vcpus", 3, 10}};
  window.ledger.recheck = {1, 10, 2, 100, false};
  totals.add_ledger_of(window);
  window.ledger.maps = {{"vcpus", 1, 10}};
  window.ledger.recheck = {2, 20, 1, 50, true};
  totals.add_ledger_of(window);
  const Snapshot all = totals.summary();
  EXPECT_EQ(all.start_mono_ns, 10U);
  EXPECT_THAT(all.vm_exits, IsEmpty());
  EXPECT_EQ(all.ledger.undecodable, 4U);
  EXPECT_EQ(all.ledger.classes[0].made, 10U);
  EXPECT_EQ(all.ledger.recheck.count, 3U);
  EXPECT_EQ(all.ledger.recheck.tasks, 30U);
  EXPECT_EQ(all.ledger.recheck.found, 3U);
  EXPECT_EQ(all.ledger.recheck.open_ns, 150U);
  EXPECT_TRUE(all.ledger.recheck.complete);   // as it is at the end
  EXPECT_EQ(all.ledger.maps[0].entries, 1U);  // how full it is at the end, not a sum
}

TEST(Totals, BeyondTheCapacityNothingIsLostFromTheSum) {
  Totals totals(2);
  for (const char* vm : {"a", "b", "c", "d", "c"}) {
    totals.add(window_of(vm, 1));
  }
  const Snapshot all = totals.summary();
  EXPECT_EQ(all.vm_exits.size(), 3U);
  std::uint64_t count = 0;
  for (const VmExitsRow& row : all.vm_exits) {
    count += row.count;
  }
  EXPECT_EQ(count, 5U);
  EXPECT_EQ(all.sched.size(), 3U);
}

}  // namespace
}  // namespace isoscope::aggregate
