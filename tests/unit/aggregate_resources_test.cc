// SPDX-License-Identifier: Apache-2.0
#include "aggregate/resources.h"

#include <gtest/gtest.h>

#include "aggregate/totals.h"

namespace isoscope::aggregate {
namespace {

using identity::CpuUse;
using identity::Pressure;
using identity::ResourceReading;
using identity::Throttling;

constexpr std::uint64_t second = 1'000'000'000;

ResourceReading reading(std::uint64_t factor) {
  ResourceReading out;
  out.cpu =
      CpuUse{600 * factor, 500 * factor, 100 * factor, Throttling{30 * factor, 20 * factor, 10 * factor}};
  out.cpu_pressure = Pressure{1000 * factor, 900 * factor};
  out.memory_pressure = Pressure{80 * factor, 70 * factor};
  out.io_pressure = Pressure{60 * factor, std::nullopt};
  out.memory_current = 4096 * factor;
  out.memory_peak = 8192 * factor;
  out.memory_events = identity::MemoryEvents{2 * factor, factor};
  out.io = identity::IoUse{11 * factor, 12 * factor, 13 * factor, 14 * factor};
  out.network = identity::NetworkUse{7, 21 * factor, 22 * factor, 23 * factor, 24 * factor};
  out.limits.memory_max = 1 << 20;
  return out;
}

// A row with the CPU and waits given, in parts of one second.
ResourcesRow used(double usage, std::optional<double> some, std::optional<double> throttled = std::nullopt) {
  const auto ns = [](double seconds) { return static_cast<std::uint64_t>(seconds * 1e9 + 0.5); };
  ResourcesRow row;
  row.span_ns = second;
  row.cpu = CpuUse{ns(usage), 0, 0, std::nullopt};
  if (throttled) {
    row.cpu->throttling = Throttling{10, 9, ns(*throttled)};
  }
  if (some) {
    row.cpu_pressure = Pressure{ns(*some), std::nullopt};
  }
  return row;
}

TEST(ResourceWindows, DifferencesAndStates) {
  ResourceWindows windows({});
  windows.begin(5, reading(1), second);
  const auto row = windows.close(5, reading(3), 3 * second);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->span_ns, 2 * second);
  EXPECT_EQ(row->cpu->usage_ns, 1200U);
  EXPECT_EQ(row->cpu->user_ns, 1000U);
  EXPECT_EQ(row->cpu->system_ns, 200U);
  EXPECT_EQ(row->cpu->throttling->periods, 60U);
  EXPECT_EQ(row->cpu->throttling->throttled_periods, 40U);
  EXPECT_EQ(row->cpu->throttling->throttled_ns, 20U);
  EXPECT_EQ(row->cpu_pressure->some_ns, 2000U);
  EXPECT_EQ(row->cpu_pressure->full_ns, 1800U);
  EXPECT_EQ(row->memory_pressure->some_ns, 160U);
  EXPECT_EQ(row->io_pressure->some_ns, 120U);
  EXPECT_FALSE(row->io_pressure->full_ns);
  EXPECT_EQ(row->memory_events->high, 4U);
  EXPECT_EQ(row->memory_events->oom_kills, 2U);
  EXPECT_EQ(row->io->read_bytes, 22U);
  EXPECT_EQ(row->io->written_bytes, 24U);
  EXPECT_EQ(row->io->reads, 26U);
  EXPECT_EQ(row->io->writes, 28U);
  EXPECT_EQ(row->network->received_bytes, 42U);
  EXPECT_EQ(row->network->sent_packets, 48U);
  EXPECT_EQ(row->memory_current, 4096U * 3);
  EXPECT_EQ(row->memory_peak, 8192U * 3);
  EXPECT_EQ(row->limits.memory_max, 1U << 20);
  EXPECT_EQ(windows.close(5, reading(3), 4 * second)->cpu->usage_ns, 0U) << "from the last reading on";
}

TEST(ResourceWindows, AnIdleUnitIsMeasuredFromItsLastReading) {
  ResourceWindows windows({});
  windows.begin(5, reading(1), second);
  windows.begin(6, reading(1), second);
  EXPECT_TRUE(windows.close(6, reading(2), 2 * second));
  EXPECT_EQ(windows.close(5, reading(2), 9 * second)->span_ns, 8 * second);
}

TEST(ResourceWindows, ANewCgroupBeginsWithNothing) {
  ResourceWindows windows({});
  windows.begin_empty(5, second);
  const auto row = windows.close(5, reading(1), 2 * second);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->cpu->usage_ns, 600U);
  EXPECT_EQ(row->cpu->throttling->throttled_ns, 10U);
  EXPECT_EQ(row->cpu_pressure->full_ns, 900U);
  EXPECT_EQ(row->memory_events->oom_kills, 1U);
  EXPECT_EQ(row->io->read_bytes, 11U);
  EXPECT_FALSE(row->network) << "the namespace may be older";
  EXPECT_TRUE(windows.close(5, reading(2), 3 * second)->network);
}

TEST(ResourceWindows, OneWithoutAPastHasNoRow) {
  ResourceWindows windows({});
  EXPECT_FALSE(windows.knows(5));
  EXPECT_FALSE(windows.close(5, reading(1), second));
  EXPECT_TRUE(windows.knows(5));
  EXPECT_EQ(windows.close(5, reading(2), 2 * second)->cpu->usage_ns, 600U);
}

TEST(ResourceWindows, WhatShrankIsNotKnown) {
  ResourceWindows windows({});
  windows.begin(5, reading(2), second);
  ResourceReading less = reading(3);
  less.io->reads = 1;
  less.network->sent_bytes = 1;
  less.cpu->throttling->periods = 1;
  less.cpu_pressure->full_ns = 1;
  const auto row = windows.close(5, less, 2 * second);
  EXPECT_FALSE(row->io) << "a device was taken away";
  EXPECT_FALSE(row->network);
  EXPECT_FALSE(row->cpu->throttling);
  EXPECT_EQ(row->cpu->usage_ns, 600U);
  EXPECT_FALSE(row->cpu_pressure->full_ns);
  EXPECT_EQ(row->cpu_pressure->some_ns, 1000U);
  EXPECT_EQ(windows.close(5, reading(4), 3 * second)->io->reads, 13U * 4 - 1);
}

TEST(ResourceWindows, AnotherNetworkNamespaceIsNotADifference) {
  ResourceWindows windows({});
  windows.begin(5, reading(1), second);
  ResourceReading other = reading(2);
  other.network->inum = 8;
  EXPECT_FALSE(windows.close(5, other, 2 * second)->network);
}

TEST(ResourceWindows, WhatCameMeanwhileHasNoDifference) {
  ResourceWindows windows({});
  ResourceReading before = reading(1);
  before.io.reset();
  before.cpu->throttling.reset();
  windows.begin(5, before, second);
  const auto row = windows.close(5, reading(2), 2 * second);
  EXPECT_FALSE(row->io) << "the controller was turned on";
  EXPECT_FALSE(row->cpu->throttling);
  EXPECT_TRUE(row->cpu);
}

TEST(ResourceWindows, Forgets) {
  ResourceWindows windows({});
  windows.begin(5, reading(1), second);
  windows.begin(6, reading(1), second);
  windows.forget_if([](std::uint64_t id) { return id == 5; });
  EXPECT_FALSE(windows.knows(5));
  EXPECT_EQ(windows.size(), 1U);
}

TEST(Efficiency, RunningOverRunningAndWaiting) {
  EXPECT_DOUBLE_EQ(*efficiency_of(used(0.2, 0.8)), 0.2);
  EXPECT_DOUBLE_EQ(*efficiency_of(used(0.5, 0.0)), 1.0);
  EXPECT_DOUBLE_EQ(*efficiency_of(used(4, 1)), 0.5) << "on each of four processors somebody waited";
  EXPECT_DOUBLE_EQ(*efficiency_of(used(0.2, std::nullopt, 0.8)), 0.2) << "a kernel without PSI";
  EXPECT_DOUBLE_EQ(*efficiency_of(used(0.2, 0.8, 0.8)), 0.2) << "PSI has the throttled time in it";
  EXPECT_DOUBLE_EQ(*efficiency_of(used(1, 0.98, 63)), 1.0 / 64) << "throttled on 64 processors";
  EXPECT_FALSE(efficiency_of(used(1, std::nullopt)));
  EXPECT_FALSE(efficiency_of(used(0, 0))) << "wanted no processor";
  ResourcesRow none;
  none.cpu_pressure = Pressure{1, std::nullopt};
  EXPECT_FALSE(efficiency_of(none));
}

TEST(BottleneckOf, TheOneFurthestAboveItsThreshold) {
  const auto waits = [](double cpu, double memory, double io) {
    ResourcesRow row = used(0.1, cpu);
    row.memory_pressure = Pressure{static_cast<std::uint64_t>(memory * 1e9), std::nullopt};
    row.io_pressure = Pressure{static_cast<std::uint64_t>(io * 1e9), std::nullopt};
    return bottleneck_of(row, {});
  };
  EXPECT_EQ(waits(0.1, 0.05, 0.1), Bottleneck::none) << "at the thresholds, not above";
  EXPECT_EQ(waits(0.11, 0.05, 0.1), Bottleneck::cpu);
  EXPECT_EQ(waits(0.11, 0.06, 0.1), Bottleneck::memory) << "1.2 times its threshold";
  EXPECT_EQ(waits(0.11, 0.06, 0.13), Bottleneck::io);
  EXPECT_EQ(waits(0.9, 0.3, 0.2), Bottleneck::cpu);
}

TEST(BottleneckOf, ThrottlingIsTheProcessors) {
  EXPECT_EQ(bottleneck_of(used(0.2, std::nullopt, 0.8), {}), Bottleneck::cpu);
  EXPECT_EQ(bottleneck_of(used(63.4, std::nullopt, 0.64), {}), Bottleneck::none)
      << "a hundredth of the time of each processor";
}

TEST(BottleneckOf, OtherThresholds) {
  EXPECT_EQ(bottleneck_of(used(0.2, 0.3), {.cpu = 0.5}), Bottleneck::none);
  EXPECT_EQ(bottleneck_of(used(0.2, 0.03), {.cpu = 0.02}), Bottleneck::cpu);
  EXPECT_EQ(bottleneck_of(used(0.2, 5), {.cpu = 1}), Bottleneck::none) << "1 is never";
}

TEST(BottleneckOf, WithoutAnyPressureIsNotKnown) {
  EXPECT_FALSE(bottleneck_of(used(1, std::nullopt), {}));
  ResourcesRow row = used(1, std::nullopt);
  row.io_pressure = Pressure{0, std::nullopt};
  EXPECT_EQ(bottleneck_of(row, {}), Bottleneck::none);
}

TEST(Totals, ResourcesOfTheRun) {
  ResourceWindows windows({});
  Totals totals(1, {.cpu = 1e-9});
  windows.begin(5, reading(1), second);
  Snapshot window;
  for (const std::uint64_t factor : {2, 5}) {
    auto row = windows.close(5, reading(factor), factor * second);
    ASSERT_TRUE(row);
    row->unit.id = "/a";
    window.resources = {*row};
    row->unit.id = "/beyond";
    window.resources.push_back(*row);
    totals.add(window);
  }
  const Snapshot summary = totals.summary();
  ASSERT_EQ(summary.resources.size(), 1U);
  const ResourcesRow& sum = summary.resources[0];
  EXPECT_EQ(sum.unit.id, "/a");
  EXPECT_EQ(sum.span_ns, 4 * second);
  EXPECT_EQ(sum.cpu->usage_ns, 2400U);
  EXPECT_EQ(sum.cpu->throttling->throttled_ns, 40U);
  EXPECT_EQ(sum.cpu_pressure->some_ns, 4000U);
  EXPECT_EQ(sum.cpu_pressure->full_ns, 3600U);
  EXPECT_EQ(sum.io->read_bytes, 44U);
  EXPECT_EQ(sum.network->sent_bytes, 88U);
  EXPECT_EQ(sum.memory_current, 4096U * 5) << "the last";
  EXPECT_EQ(sum.memory_peak, 8192U * 5);
  EXPECT_EQ(sum.bottleneck, Bottleneck::cpu) << "by the thresholds of the run";
}

}  // namespace
}  // namespace isoscope::aggregate
