// SPDX-License-Identifier: Apache-2.0
#include "agent/resource_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cgroup_files.h"

namespace isoscope::agent {
namespace {

using identity::UnitRegistry;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint32_t host_net = 4026531840;

// A host made of files, with a service, and a container in a pod.
class ResourceWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    files_.write("cgroup/cpu.stat", "usage_usec 0\nuser_usec 0\nsystem_usec 0\n");
    use("/system.slice/ssh.service", 100);
    use("/lab", 100);
    use("/lab/deep", 100);
  }

  void use(const std::string& cgroup, int usage_us) {
    files_.write("cgroup" + cgroup + "/cpu.stat", "usage_usec " + std::to_string(usage_us) + "\n");
  }
  // Everything that is there so far is there when the agent starts.
  void start(const config::Filters& filters = {}, std::size_t capacity = 10) {
    filter_.emplace(filters);
    event::NamespaceSet host;
    host.inum[static_cast<std::size_t>(event::NamespaceType::net)] = host_net;
    registry_.emplace(
        files_.tree(), host,
        UnitRegistry::Reader{
            [](std::uint32_t) { return identity::Vm{}; }, [](std::uint32_t) { return event::NamespaceSet{}; },
            [](const identity::CgroupTree&, std::uint64_t, std::uint32_t) { return false; }});
    registry_->adopt({}, second);
    watch_.emplace(config::BottleneckThresholds{},
                   ResourceWatch::World{files_.reader(), [this] { return now_; }, capacity});
    watch_->start(*registry_, *filter_);
  }
  std::uint64_t id_of(const std::string& path) const { return registry_->cgroups().id_of(path); }
  // A cgroup that is made while the agent runs.
  void make(const std::string& path, int usage_us) {
    use(path, usage_us);
    registry_->learn(1'000'000'000, now_);
    ASSERT_NE(id_of(path), 0U) << path;
  }
  std::vector<aggregate::ResourcesRow> close(const std::vector<std::string>& ran) {
    std::uint64_t on_cpu_ns = 0;
    for (const std::string& path : ran) {
      watch_->ran(id_of(path), on_cpu_ns += 10);
    }
    now_ += second;
    return watch_->close(*registry_, *filter_, now_ - second);
  }
  static std::vector<std::string> ids(const std::vector<aggregate::ResourcesRow>& rows) {
    std::vector<std::string> out;
    for (const auto& row : rows) {
      out.push_back(row.unit.id + " " + (row.cpu ? std::to_string(row.cpu->usage_ns / 1000) : "-"));
    }
    return out;
  }

  identity::testing::KernelFiles files_;
  std::optional<Filter> filter_;
  std::optional<UnitRegistry> registry_;
  std::optional<ResourceWatch> watch_;
  std::uint64_t now_ = 5 * second;
};

TEST_F(ResourceWatchTest, UnitsThatRanAndTheHost) {
  start();
  use("/lab", 130);
  use("/system.slice/ssh.service", 999);
  const auto rows = close({"/lab"});
  EXPECT_THAT(ids(rows), UnorderedElementsAre("/ 0", "/lab 30"));
  for (const auto& row : rows) {
    EXPECT_EQ(row.cgroup_id, id_of(row.cgroup_path));
    EXPECT_EQ(row.span_ns, second);
  }
  EXPECT_THAT(ids(close({})), ElementsAre());
}

TEST_F(ResourceWatchTest, WhoRanAgainIsMeasuredFromItsLastReading) {
  start();
  close({"/lab"});
  close({});
  use("/lab", 150);
  const auto rows = close({"/lab"});
  ASSERT_THAT(ids(rows), UnorderedElementsAre("/ 0", "/lab 50"));
  EXPECT_EQ(rows[1].span_ns, 2 * second);
}

TEST_F(ResourceWatchTest, TheUnitsAroundARunningTask) {
  const std::string pod = "/kubepods.slice/kubepods-pod7e2f5a52_6e0d_4a55_9b1e_2f6d3c8a9e01.slice";
  const std::string container = pod + "/cri-containerd-" + std::string(64, 'a') + ".scope";
  use(pod, 50);
  use(container, 40);
  use(container + "/inner", 20);
  start();
  use(pod, 60);
  use(container, 49);
  EXPECT_THAT(ids(close({container + "/inner"})),
              UnorderedElementsAre("/ 0", testing::HasSubstr("7e2f5a52"), std::string(64, 'a') + " 9"))
      << "neither the slice, in which no task is, nor the cgroup inside the container";
}

TEST_F(ResourceWatchTest, ACgroupMadeLaterBeginsWithNothing) {
  start();
  make("/fresh", 70);
  EXPECT_THAT(ids(close({"/fresh"})), UnorderedElementsAre("/ 0", "/fresh 70"));
}

TEST_F(ResourceWatchTest, OneThatWasLeftOutAtTheStartHasNoFirstRow) {
  start({}, 1);
  EXPECT_EQ(watch_->remembered(), 1U);
  watch_.emplace(config::BottleneckThresholds{},
                 ResourceWatch::World{files_.reader(), [this] { return now_; }, 2});
  watch_->start(*registry_, *filter_);
  EXPECT_THAT(ids(close({"/system.slice/ssh.service"})), ElementsAre("/ 0"));
  use("/system.slice/ssh.service", 101);
  EXPECT_THAT(ids(close({"/system.slice/ssh.service"})),
              UnorderedElementsAre("/ 0", testing::HasSubstr("ssh")));
}

TEST_F(ResourceWatchTest, BeyondTheCapacityThoseThatRanLeastAreLeftOut) {
  start({}, 2);
  close({"/lab", "/system.slice/ssh.service"});
  EXPECT_EQ(watch_->left_out(), 1U);
  make("/fresh", 70);
  EXPECT_THAT(ids(close({"/fresh", "/lab"})), UnorderedElementsAre("/ 0", "/lab 0"));
  EXPECT_EQ(watch_->left_out(), 1U);
  const auto rows = close({"/fresh"});
  ASSERT_THAT(ids(rows), UnorderedElementsAre("/ 0", "/fresh 70"));
  EXPECT_EQ(std::max(rows[0].span_ns, rows[1].span_ns), 2 * second) << "since it was first seen";
  EXPECT_EQ(watch_->left_out(), 0U);
}

TEST_F(ResourceWatchTest, WhatIsFilteredOutIsNotRead) {
  start({.cgroup = {"/lab"}});
  EXPECT_EQ(watch_->remembered(), 2U) << "/lab and /lab/deep";
  EXPECT_THAT(ids(close({"/lab", "/system.slice/ssh.service"})), ElementsAre("/lab 0"));
  EXPECT_EQ(watch_->remembered(), 2U);
}

TEST_F(ResourceWatchTest, NothingStaysOfACgroupThatIsGone) {
  start();
  const std::size_t before = watch_->remembered();
  const std::uint64_t id = id_of("/lab/deep");
  files_.remove("cgroup/lab/deep");
  registry_->observe({{}, event::CgroupRemoved{id}});
  watch_->ran(id, 1);
  now_ += second;
  EXPECT_THAT(ids(watch_->close(*registry_, *filter_, now_ - second)), ElementsAre("/ 0"))
      << "its files are gone, though it ran";
  EXPECT_EQ(watch_->remembered(), before) << "its records may still come";
  for (int i = 0; i < 4; ++i) {
    registry_->expire();
  }
  close({});
  EXPECT_EQ(watch_->remembered(), before - 1);
}

TEST_F(ResourceWatchTest, TheNetworkOfAUnitWithItsOwn) {
  const std::string container = "/isolab/" + std::string(64, 'b');
  use(container, 0);
  start();
  const auto give_network = [&](std::uint32_t inum) {
    event::Exec exec{.namespaces = {}, .start_boot_ns = 1, .parent_tgid = 1, .comm = "sh"};
    exec.namespaces.inum = {4026532201, 0, 0, inum, 4026532204, 0, 0, 0};
    registry_->observe({{.ts_ns = 5, .cgroup_id = id_of(container), .tgid = 70, .tid = 70, .cpu = 0}, exec});
  };
  give_network(4026532301);
  files_.write("cgroup" + container + "/cgroup.procs", "70\n");
  files_.link("proc/70/ns/net", "net:[4026532301]");
  const auto counters = [&](int bytes) {
    files_.write("proc/70/net/dev",
                 "Inter-|\n face |\n  eth0: " + std::to_string(bytes) + " 1 0 0 0 0 0 0 6 2 0 0 0 0 0 0\n");
  };
  counters(1000);
  close({container});
  counters(1500);
  const auto rows = close({container});
  ASSERT_EQ(rows.size(), 2U);
  const auto& row = rows[0].unit.kind == identity::UnitKind::host ? rows[1] : rows[0];
  ASSERT_TRUE(row.network);
  EXPECT_EQ(row.network->received_bytes, 500U);
  EXPECT_EQ(row.network->sent_bytes, 0U);
  const auto& host = &row == &rows[0] ? rows[1] : rows[0];
  EXPECT_FALSE(host.network);
}

}  // namespace
}  // namespace isoscope::agent
