// SPDX-License-Identifier: Apache-2.0
#include "aggregate/exit_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "aggregate/exits.h"

namespace isoscope::aggregate {
namespace {

using event::Isa;
using event::Meta;
using event::VmExit;
using testing::IsEmpty;

constexpr std::uint32_t io = 0x7b;
constexpr std::uint32_t hlt = 0x78;
constexpr std::uint32_t npf = 0x400;

Meta thread(std::uint32_t tgid, std::uint32_t tid) {
  return Meta{.ts_ns = 1, .cgroup_id = 7, .tgid = tgid, .tid = tid, .cpu = 0};
}

VmExit exit_of(std::uint32_t vcpu, std::uint32_t reason, std::uint64_t ns) {
  return VmExit{.start_ns = 1,
                .duration_ns = ns,
                .split = {.halted_ns = ns / 2, .userspace_ns = ns / 4, .preempted_ns = ns / 8},
                .vcpu_id = vcpu,
                .isa = Isa::svm,
                .reason = reason};
}

TEST(ExitStream, IsEmptyAtFirst) {
  EXPECT_THAT(ExitStream().rows(), IsEmpty());
}

TEST(ExitStream, AddsUpByThreadAndReason) {
  ExitStream stream;
  stream.add(thread(100, 101), exit_of(3, io, 1000));
  stream.add(thread(100, 101), exit_of(3, io, 5000));
  stream.add(thread(100, 101), exit_of(3, io, 2000));
  const std::vector<VmExitsRow> rows = stream.rows();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].vm.pid, 100U);
  EXPECT_EQ(rows[0].tid, 101U);
  EXPECT_EQ(rows[0].cgroup_id, 7U);
  EXPECT_EQ(rows[0].vcpu_id, 3U);
  EXPECT_EQ(rows[0].isa, Isa::svm);
  EXPECT_FALSE(rows[0].other);
  EXPECT_EQ(rows[0].reason, io);
  EXPECT_EQ(rows[0].count, 3U);
  EXPECT_EQ(rows[0].stats.count, 3U);
  EXPECT_EQ(rows[0].stats.sum_ns, 8000U);
  EXPECT_EQ(rows[0].stats.min_ns, 1000U);
  EXPECT_EQ(rows[0].stats.max_ns, 5000U);
  EXPECT_EQ(rows[0].stats.buckets.at(bucket_of(5000)), 1U);
  EXPECT_EQ(rows[0].split, (event::Split{.halted_ns = 4000, .userspace_ns = 2000, .preempted_ns = 1000}));
}

TEST(ExitStream, EveryPartOfTheKeyTellsRowsApart) {
  ExitStream stream;
  VmExit other_isa = exit_of(0, io, 1);
  other_isa.isa = Isa::vmx;
  stream.add(thread(100, 101), exit_of(0, io, 1));
  stream.add(thread(200, 101), exit_of(0, io, 1));
  stream.add(thread(100, 102), exit_of(0, io, 1));
  stream.add(thread(100, 101), exit_of(1, io, 1));
  stream.add(thread(100, 101), exit_of(0, hlt, 1));
  stream.add(thread(100, 101), other_isa);
  const std::vector<VmExitsRow> rows = stream.rows();
  EXPECT_EQ(rows.size(), 6U);
  EXPECT_THAT(rows, testing::Each(testing::Field(&VmExitsRow::count, 1U)));
}

TEST(ExitStream, KeepsTheCgroupOfTheFirstExit) {
  ExitStream stream;
  Meta moved = thread(100, 101);
  moved.cgroup_id = 8;
  stream.add(thread(100, 101), exit_of(0, io, 1));
  stream.add(moved, exit_of(0, io, 1));
  ASSERT_EQ(stream.rows().size(), 1U);
  EXPECT_EQ(stream.rows()[0].cgroup_id, 7U);
}

TEST(ExitStream, RowsGrowWhileTheStreamGoesOn) {
  ExitStream stream;
  stream.add(thread(100, 101), exit_of(0, io, 1));
  EXPECT_EQ(stream.rows().at(0).count, 1U);
  stream.add(thread(100, 101), exit_of(0, io, 1));
  EXPECT_EQ(stream.rows().at(0).count, 2U);
}

// What the programs do with the same exits.
class Maps {
 public:
  void add(const Meta& meta, const VmExit& exit) {
    probe::VcpuReading& vcpu = vcpu_of(meta, exit);
    isoscope_exit_cell& cell = cell_of(vcpu, exit.reason);
    const bool first = cell.window == 0;
    cell.window = 1;
    cell.sum_ns += exit.duration_ns;
    cell.split.halted_ns += exit.split.halted_ns;
    cell.split.userspace_ns += exit.split.userspace_ns;
    cell.split.preempted_ns += exit.split.preempted_ns;
    cell.min_ns = first ? exit.duration_ns : std::min<std::uint64_t>(cell.min_ns, exit.duration_ns);
    cell.max_ns = std::max<std::uint64_t>(cell.max_ns, exit.duration_ns);
    ++cell.buckets[bucket_of(exit.duration_ns)];
  }

  const std::vector<probe::VcpuReading>& readings() const { return readings_; }

 private:
  probe::VcpuReading& vcpu_of(const Meta& meta, const VmExit& exit) {
    for (probe::VcpuReading& reading : readings_) {
      if (reading.vcpu.tid == meta.tid) {
        return reading;
      }
    }
    probe::VcpuReading& reading = readings_.emplace_back();
    reading.index = static_cast<std::uint32_t>(readings_.size());
    reading.vcpu.state = ISOSCOPE_VCPU_LIVE;
    reading.vcpu.vcpu_id = exit.vcpu_id;
    reading.vcpu.tgid = meta.tgid;
    reading.vcpu.tid = meta.tid;
    reading.vcpu.isa = static_cast<std::uint32_t>(exit.isa);
    reading.vcpu.start_ns = meta.tid;
    reading.vcpu.cgroup_id = meta.cgroup_id;
    return reading;
  }

  static isoscope_exit_cell& cell_of(probe::VcpuReading& reading, std::uint32_t reason) {
    for (isoscope_exit_cell& cell : reading.cells) {
      if (cell.reason == reason) {
        return cell;
      }
    }
    isoscope_exit_cell& cell = reading.cells.emplace_back();
    cell.reason = reason;
    return cell;
  }

  std::vector<probe::VcpuReading> readings_;
};

TEST(ExitStream, SameRowsInTheSameOrderAsTheMapsGive) {
  std::mt19937 random(1);
  ExitStream stream;
  Maps maps;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t vcpu = random() % 300;
    const std::uint32_t reason = std::array{io, hlt, npf, 0x72U}.at(random() % 4);
    const Meta meta = thread(9000 - vcpu / 4, 10'000 - vcpu);
    const VmExit exit = exit_of(vcpu % 4, reason, std::uint64_t{1} << (random() % 40));
    stream.add(meta, exit);
    maps.add(meta, exit);
  }
  const std::vector<VmExitsRow> rows = stream.rows();
  const std::vector<VmExitsRow> expected = ExitWindows().close(maps.readings(), 1).rows;
  ASSERT_EQ(rows.size(), expected.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].vm.pid, expected[i].vm.pid);
    EXPECT_EQ(rows[i].tid, expected[i].tid);
    EXPECT_EQ(rows[i].vcpu_id, expected[i].vcpu_id);
    EXPECT_EQ(rows[i].cgroup_id, expected[i].cgroup_id);
    EXPECT_EQ(rows[i].isa, expected[i].isa);
    EXPECT_EQ(rows[i].reason, expected[i].reason);
    EXPECT_EQ(rows[i].count, expected[i].count);
    EXPECT_EQ(rows[i].stats.count, expected[i].stats.count);
    EXPECT_EQ(rows[i].stats.sum_ns, expected[i].stats.sum_ns);
    EXPECT_EQ(rows[i].stats.min_ns, expected[i].stats.min_ns);
    EXPECT_EQ(rows[i].stats.max_ns, expected[i].stats.max_ns);
    EXPECT_EQ(rows[i].stats.buckets, expected[i].stats.buckets);
    EXPECT_EQ(rows[i].split, expected[i].split);
  }
}

}  // namespace
}  // namespace isoscope::aggregate
