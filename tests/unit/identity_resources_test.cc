// SPDX-License-Identifier: Apache-2.0
#include "identity/resources.h"

#include <gtest/gtest.h>

#include "cgroup_files.h"

namespace isoscope::identity {
namespace {

using testing::KernelFiles;

constexpr auto every_device = [](const BlockDevice&) { return true; };

// Linux 6.12, cpu controller on.
constexpr const char* cpu_stat =
    "usage_usec 600123\nuser_usec 500100\nsystem_usec 100023\nnice_usec 0\ncore_sched.force_idle_usec 0\n"
    "nr_periods 30\nnr_throttled 29\nthrottled_usec 2400001\nnr_bursts 0\nburst_usec 0\n";
constexpr const char* pressure =
    "some avg10=79.12 avg60=30.00 avg300=8.00 total=2401234\n"
    "full avg10=79.00 avg60=30.00 avg300=8.00 total=2401000\n";

TEST(CpuStat, WithAndWithoutTheController) {
  const auto use = parse_cpu_stat(cpu_stat);
  ASSERT_TRUE(use && use->throttling);
  EXPECT_EQ(use->usage_ns, 600'123'000U);
  EXPECT_EQ(use->user_ns, 500'100'000U);
  EXPECT_EQ(use->system_ns, 100'023'000U);
  EXPECT_EQ(use->throttling->periods, 30U);
  EXPECT_EQ(use->throttling->throttled_periods, 29U);
  EXPECT_EQ(use->throttling->throttled_ns, 2'400'001'000U);
  const auto bare = parse_cpu_stat("usage_usec 7\nuser_usec 4\nsystem_usec 3\n");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->usage_ns, 7'000U);
  EXPECT_FALSE(bare->throttling) << "off is not 0";
}

TEST(CpuStat, OtherTextIsNone) {
  for (const char* text : {"", "\n", "usage_usec", "usage_usec x\n", "usage_usec 1.5\n", "user_usec 4\n",
                           "usage_usec 99999999999999999999\n", "usage_usec -1\n"}) {
    EXPECT_FALSE(parse_cpu_stat(text)) << text;
  }
}

TEST(CpuMax, QuotaOfAPeriod) {
  EXPECT_EQ(parse_cpu_max("20000 100000\n"), 200'000U);
  EXPECT_EQ(parse_cpu_max("250000 100000\n"), 2'500'000U);
  EXPECT_EQ(parse_cpu_max("max 100000\n"), no_limit);
  for (const char* text : {"", "20000", "20000 0", "x 100000", "18446744073709551615 1"}) {
    EXPECT_FALSE(parse_cpu_max(text)) << text;
  }
}

TEST(PressureFile, Totals) {
  const auto both = parse_pressure(pressure);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->some_ns, 2'401'234'000U);
  EXPECT_EQ(both->full_ns, 2'401'000'000U);
  const auto some = parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
  ASSERT_TRUE(some);
  EXPECT_EQ(some->some_ns, 5'000U);
  EXPECT_FALSE(some->full_ns) << "the processor's before Linux 5.13";
  for (const char* text : {"", "some avg10=0.00\n", "some total=\n", "full avg10=0.00 total=5\n"}) {
    EXPECT_FALSE(parse_pressure(text)) << text;
  }
}

TEST(Bytes, ANumberOrNoLimit) {
  EXPECT_EQ(parse_bytes("67108864\n"), 67'108'864U);
  EXPECT_EQ(parse_bytes("0\n"), 0U);
  EXPECT_EQ(parse_bytes("max\n"), no_limit);
  EXPECT_FALSE(parse_bytes(""));
  EXPECT_FALSE(parse_bytes("maximum\n"));
}

TEST(MemoryEventsFile, HighAndKills) {
  const auto events =
      parse_memory_events("low 1\nhigh 42\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\nsock_throttled 7\n");
  ASSERT_TRUE(events);
  EXPECT_EQ(events->high, 42U);
  EXPECT_EQ(events->oom_kills, 5U);
  EXPECT_FALSE(parse_memory_events(""));
}

TEST(IoStat, SumsDevices) {
  const auto use = parse_io_stat(
      "8:0 rbytes=100 wbytes=200 rios=3 wios=4 dbytes=9 dios=9\n"
      "259:1 rbytes=1000 wbytes=2000 rios=30 wios=40 dbytes=0 dios=0\n7:0 \n",
      every_device);
  ASSERT_TRUE(use);
  EXPECT_EQ(use->read_bytes, 1'100U);
  EXPECT_EQ(use->written_bytes, 2'200U);
  EXPECT_EQ(use->reads, 33U);
  EXPECT_EQ(use->writes, 44U);
}

TEST(IoStat, LeavesOutWhatStandsOnOthers) {
  std::vector<std::string> asked;
  const auto use = parse_io_stat(
      "253:0 rbytes=100 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"
      "8:16 8:0 rbytes=100 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"
      "(unknown) rbytes=7 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n",
      [&](const BlockDevice& device) {
        asked.push_back(std::to_string(device.major) + ":" + std::to_string(device.minor));
        return device.major == 8;
      });
  ASSERT_TRUE(use);
  EXPECT_EQ(asked, (std::vector<std::string>{"253:0", "8:0"})) << "8:16 has no figures";
  EXPECT_EQ(use->read_bytes, 107U);
  EXPECT_EQ(use->reads, 2U);
}

TEST(NetDev, SumsAllButLoopback) {
  const auto use = parse_net_dev(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo "
      "colls "
      "carrier compressed\n"
      "    lo:   13172     118    0    0    0     0          0         0    13172     118    0    0    0     "
      "0   "
      "    0          0\n"
      "  eth0:1000       10    1    0    0     0          0         0        2000      20    0    0    0     "
      "0  "
      "     0          0\n"
      "br:0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
  ASSERT_TRUE(use);
  EXPECT_EQ(use->received_bytes, 1'001U);
  EXPECT_EQ(use->received_packets, 12U);
  EXPECT_EQ(use->sent_bytes, 2'009U);
  EXPECT_EQ(use->sent_packets, 30U);
  EXPECT_FALSE(parse_net_dev(""));
}

TEST(Meminfo, TotalAndAvailable) {
  const auto memory = parse_meminfo("MemTotal:        1024 kB\nMemFree:  1 kB\nMemAvailable:     256 kB\n");
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->total, 1U << 20);
  EXPECT_EQ(memory->available, 1U << 18);
  EXPECT_FALSE(parse_meminfo("MemTotal:        1024 kB\n"));
}

TEST(ResourceReader, WhatIsNotThereIsEmpty) {
  KernelFiles files;
  files.write("cgroup/web/cpu.stat", "usage_usec 7\nuser_usec 4\nsystem_usec 3\n");
  const CgroupTree tree = files.tree();
  const auto reading = files.reader().read(tree, tree.id_of("/web"));
  ASSERT_TRUE(reading);
  ASSERT_TRUE(reading->cpu);
  EXPECT_EQ(reading->cpu->usage_ns, 7'000U);
  EXPECT_FALSE(reading->cpu_pressure || reading->memory_pressure || reading->io_pressure);
  EXPECT_FALSE(reading->memory_current || reading->memory_peak || reading->memory_events);
  EXPECT_FALSE(reading->io || reading->network);
  EXPECT_FALSE(reading->limits.cpu_millionths || reading->limits.memory_max || reading->limits.memory_high);
}

TEST(ResourceReader, ReadsAllOfACgroup) {
  KernelFiles files;
  files.write("cgroup/web/cpu.stat", cpu_stat);
  files.write("cgroup/web/cpu.pressure", pressure);
  files.write("cgroup/web/memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=11\n");
  files.write("cgroup/web/io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=12\n");
  files.write("cgroup/web/memory.current", "4096\n");
  files.write("cgroup/web/memory.peak", "8192\n");
  files.write("cgroup/web/memory.events", "high 1\noom_kill 2\n");
  files.write("cgroup/web/io.stat", "");
  files.write("cgroup/web/memory.max", "max\n");
  const CgroupTree tree = files.tree();
  const auto reading = files.reader().read(tree, tree.id_of("/web"));
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->cpu_pressure->some_ns, 2'401'234'000U);
  EXPECT_EQ(reading->memory_pressure->some_ns, 11'000U);
  EXPECT_EQ(reading->io_pressure->some_ns, 12'000U);
  EXPECT_EQ(reading->memory_current, 4'096U);
  EXPECT_EQ(reading->memory_peak, 8'192U);
  EXPECT_EQ(reading->memory_events->oom_kills, 2U);
  ASSERT_TRUE(reading->io) << "no device was used yet: that is known";
  EXPECT_EQ(reading->io->read_bytes, 0U);
  EXPECT_EQ(reading->limits.memory_max, no_limit);
}

TEST(ResourceReader, TheSmallestLimitHolds) {
  KernelFiles files;
  files.write("cgroup/pods/cpu.stat", cpu_stat);
  files.write("cgroup/pods/cpu.max", "50000 100000\n");
  files.write("cgroup/pods/memory.max", "1000\n");
  files.write("cgroup/pods/a/cpu.stat", cpu_stat);
  files.write("cgroup/pods/a/memory.current", "1\n");
  files.write("cgroup/pods/a/cpu.max", "max 100000\n");
  files.write("cgroup/pods/a/memory.max", "2000\n");
  files.write("cgroup/pods/a/memory.high", "500\n");
  files.write("cgroup/pods/a/inner/cpu.stat", cpu_stat);
  files.write("cgroup/free/cpu.stat", cpu_stat);
  files.write("cgroup/free/memory.current", "1\n");
  files.write("cgroup/free/memory.max", "max\n");
  const CgroupTree tree = files.tree();
  ResourceReader reader = files.reader();
  for (const char* path : {"/pods/a", "/pods/a/inner"}) {
    const ResourceLimits limits = reader.read(tree, tree.id_of(path))->limits;
    EXPECT_EQ(limits.cpu_millionths, 500'000U) << path;
    EXPECT_EQ(limits.memory_max, 1'000U) << path;
    EXPECT_EQ(limits.memory_high, 500U) << path;
  }
  EXPECT_EQ(reader.read(tree, tree.id_of("/pods"))->limits.memory_high, std::nullopt);
  EXPECT_EQ(reader.read(tree, tree.id_of("/free"))->limits.memory_max, no_limit);
}

TEST(ResourceReader, LimitsAreReadAnewInTheNextRound) {
  KernelFiles files;
  files.write("cgroup/pods/memory.max", "1000\n");
  files.write("cgroup/pods/a/cpu.stat", cpu_stat);
  const CgroupTree tree = files.tree();
  ResourceReader reader = files.reader();
  EXPECT_EQ(reader.read(tree, tree.id_of("/pods/a"))->limits.memory_max, 1'000U);
  files.write("cgroup/pods/memory.max", "3000\n");
  reader.begin_round();
  EXPECT_EQ(reader.read(tree, tree.id_of("/pods/a"))->limits.memory_max, 3'000U);
}

TEST(ResourceReader, ADiskUnderAnotherDeviceIsCountedOnce) {
  KernelFiles files;
  files.write("cgroup/web/cpu.stat", cpu_stat);
  files.write("cgroup/web/io.stat",
              "253:0 rbytes=100 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"
              "8:0 rbytes=100 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"
              "7:3 rbytes=50 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"
              "259:0 rbytes=30 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n");
  files.write("devices/253:0/slaves/sda", "");
  files.mkdir("devices/8:0/slaves");
  files.mkdir("devices/7:3/slaves");
  const CgroupTree tree = files.tree();
  const auto reading = files.reader().read(tree, tree.id_of("/web"));
  ASSERT_TRUE(reading && reading->io);
  EXPECT_EQ(reading->io->read_bytes, 130U);
  EXPECT_EQ(reading->io->reads, 2U);
}

TEST(ResourceReader, ACgroupThatIsGoneIsNone) {
  KernelFiles files;
  files.write("cgroup/web/cpu.stat", cpu_stat);
  const CgroupTree tree = files.tree();
  files.remove("cgroup/web");
  EXPECT_FALSE(files.reader().read(tree, tree.id_of("/web")));
  EXPECT_FALSE(files.reader().read(tree, 12345));
}

TEST(ResourceReader, ACgroupOfV1IsNone) {
  KernelFiles files;
  files.write("cgroup/web/pids.current", "7\n");
  const CgroupTree tree = files.tree();
  EXPECT_FALSE(files.reader().read(tree, tree.id_of("/web")));
}

TEST(ResourceReader, TheMachine) {
  KernelFiles files;
  files.write("cgroup/cpu.stat",
              "usage_usec 99\nuser_usec 40\nsystem_usec 30\nnr_periods 0\nnr_throttled 0\n");
  files.write("proc/pressure/cpu", pressure);
  files.write("proc/meminfo", "MemTotal: 1024 kB\nMemFree: 1 kB\nMemAvailable: 256 kB\n");
  const ResourceReading reading = files.reader().read_machine(files.tree());
  ASSERT_TRUE(reading.cpu);
  EXPECT_EQ(reading.cpu->usage_ns, 70'000U) << "without what the hypervisor took";
  EXPECT_FALSE(reading.cpu->throttling);
  EXPECT_EQ(reading.cpu_pressure->some_ns, 2'401'234'000U);
  EXPECT_EQ(reading.memory_current, 768U << 10);
  EXPECT_EQ(reading.limits.memory_max, 1U << 20);
  EXPECT_FALSE(reading.io || reading.network || reading.memory_peak);
}

class ResourceReaderNetwork : public ::testing::Test {
 protected:
  static constexpr const char* counters = "Inter-|\n face |\n  eth0: 5 1 0 0 0 0 0 0 6 2 0 0 0 0 0 0\n";
  void add_process(const std::string& pid, const std::string& inum) {
    files_.write("proc/" + pid + "/net/dev", counters);
    files_.link("proc/" + pid + "/ns/net", "net:[" + inum + "]");
  }
  KernelFiles files_;
};

TEST_F(ResourceReaderNetwork, OfAProcessInTheNamespace) {
  files_.write("cgroup/web/cgroup.procs", "");
  files_.write("cgroup/web/inner/cgroup.procs", "70\n71\n72\n");
  add_process("71", "4026531840");
  add_process("72", "4026532301");
  const CgroupTree tree = files_.tree();
  ResourceReader reader = files_.reader();
  std::uint32_t pid = 0;
  const std::vector<std::uint64_t> cgroups = {tree.id_of("/web"), tree.id_of("/web/inner")};
  const auto use = reader.read_network(tree, cgroups, 4026532301, pid);
  ASSERT_TRUE(use);
  EXPECT_EQ(use->inum, 4026532301U);
  EXPECT_EQ(use->received_bytes, 5U);
  EXPECT_EQ(use->sent_bytes, 6U);
  EXPECT_EQ(pid, 72U) << "70 is gone, 71 is in another namespace";

  files_.remove("cgroup/web/inner/cgroup.procs");
  EXPECT_TRUE(reader.read_network(tree, cgroups, 4026532301, pid)) << "nobody is looked for";
  files_.remove("proc/72");
  EXPECT_FALSE(reader.read_network(tree, cgroups, 4026532301, pid));
  EXPECT_EQ(pid, 0U);
}

TEST_F(ResourceReaderNetwork, AFewProcessesAreAsked) {
  std::string procs;
  for (int pid = 100; pid < 150; ++pid) {
    procs += std::to_string(pid) + "\n";
    add_process(std::to_string(pid), pid == 149 ? "4026532301" : "4026531840");
  }
  files_.write("cgroup/web/cgroup.procs", procs);
  const CgroupTree tree = files_.tree();
  std::uint32_t pid = 0;
  EXPECT_FALSE(files_.reader().read_network(tree, {tree.id_of("/web")}, 4026532301, pid));
}

}  // namespace
}  // namespace isoscope::identity
