// SPDX-License-Identifier: Apache-2.0
#include "agent/census.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "identity_world.h"

namespace isoscope::agent {
namespace {

using event::NamespaceType;
using identity::ProcessInfo;
using identity::UnitKind;
using identity::testing::host_namespaces;
using identity::testing::id_a;
using identity::testing::id_b;
using identity::testing::with;
using identity::testing::World;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* pod_uid = "0f8a6b1e-0000-4000-8000-000000000001";
const std::string pod = std::string("/kubepods/pod") + pod_uid;

class CensusTest : public ::testing::Test {
 protected:
  // A process in this cgroup, in the host's namespaces or in new ones.
  std::uint32_t run(const std::string& cgroup, bool contained = true) {
    world_.mkdirs(cgroup);
    ProcessInfo process{.pid = next_pid_++, .start_ticks = 10, .cgroup_path = cgroup, .namespaces = {}};
    process.namespaces = contained ? world_.fresh(host_namespaces(), {NamespaceType::mnt, NamespaceType::pid})
                                   : host_namespaces();
    processes_.push_back(process);
    return process.pid;
  }
  void run_vm(const std::string& cgroup, const std::string& name) {
    const std::uint32_t pid = run(cgroup, false);
    world_.vms[pid] = {"uuid-of-" + name, name, "uuid-of-" + name, "qemu", pid, 0, cgroup};
    vmms_.push_back(pid);
  }

  Census take(bool host_software = false) {
    world_.units.adopt(processes_, 1000);
    adopt_vms(world_.units, processes_, vmms_);
    return take_census(world_.units, processes_, vmms_, host_software);
  }
  // `container aaaaaaaaaaaa 2`: kind, name and how many processes.
  static std::vector<std::string> said(const Census& census) {
    std::vector<std::string> lines;
    for (const policy::MatrixUnit& unit : census.input.units) {
      lines.push_back(std::string(to_string(unit.ref.kind)) + " " + unit.ref.name + " " +
                      std::to_string(unit.processes.size()));
    }
    return lines;
  }

  World world_;
  std::vector<ProcessInfo> processes_;
  std::vector<std::uint32_t> vmms_;
  std::uint32_t next_pid_ = 100;
};

TEST_F(CensusTest, ContainersAreUnitsAndHostSoftwareIsNot) {
  run("/system.slice/ssh.service", false);
  run("/system.slice/docker-" + id_a + ".scope");
  run("/system.slice/docker-" + id_a + ".scope");
  run("/lab", false);
  const Census census = take();
  EXPECT_THAT(said(census), ElementsAre("container aaaaaaaaaaaa 2"));
  EXPECT_EQ(census.input.others.size(), 2U);
  EXPECT_EQ(census.input.host, host_namespaces());
}

TEST_F(CensusTest, WithHostSoftwareTheyAreUnits) {
  run("/system.slice/ssh.service", false);
  run("/", false);
  run("/lab", false);
  const Census census = take(true);
  EXPECT_THAT(said(census), ElementsAre("service ssh.service 1", "host host 1", "cgroup /lab 1"));
  EXPECT_THAT(census.input.others, IsEmpty());
}

TEST_F(CensusTest, ContainersKnowTheirPod) {
  run(pod + "/" + id_a);
  run(pod + "/" + id_b);
  const Census census = take();
  ASSERT_EQ(census.input.units.size(), 2U) << "the pod itself has no process";
  EXPECT_EQ(census.input.units[0].pod_uid, pod_uid);
  EXPECT_EQ(census.input.units[1].pod_uid, pod_uid);
  EXPECT_FALSE(census.input.units[0].parent);
  EXPECT_EQ(census.idle_units, 0U);
}

TEST_F(CensusTest, AContainerInAContainerKnowsItsParent) {
  run("/docker/" + id_a);
  run("/docker/" + id_a + "/docker/" + id_b);
  const Census census = take();
  ASSERT_EQ(census.input.units.size(), 2U);
  EXPECT_EQ(census.input.units[1].parent, 0U);
}

TEST_F(CensusTest, WhatAPodsContainerRunsIsOfThePod) {
  run(pod + "/" + id_a);
  run(pod + "/" + id_a + "/build/7");
  const Census census = take();
  EXPECT_THAT(said(census), ElementsAre("container aaaaaaaaaaaa 1", "container 7 1"));
  EXPECT_EQ(census.input.units[1].pod_uid, pod_uid);
}

TEST_F(CensusTest, WhatHasNoProcessIsCounted) {
  world_.mkdirs("/docker/" + id_a);
  run("/docker/" + id_b);
  const Census census = take();
  EXPECT_EQ(census.input.units.size(), 1U);
  EXPECT_EQ(census.idle_units, 1U);
}

TEST_F(CensusTest, AVmWithoutACgroupOfItsOwnIsAUnit) {
  run("/lab", false);
  run_vm("/lab", "web");
  run_vm("/lab", "db");
  const Census census = take();
  EXPECT_THAT(said(census), ElementsAre("vm web 1", "vm db 1"));
  EXPECT_EQ(census.input.units[0].cgroup_path, "/lab");
  EXPECT_EQ(census.input.units[0].main_pid, vmms_[0]);
  ASSERT_TRUE(census.vms[0]);
  EXPECT_EQ(census.vms[0]->name, "web");
  EXPECT_EQ(census.input.others.size(), 1U);
}

TEST_F(CensusTest, AVmWithACgroupOfItsOwnHasItsHelpers) {
  const std::string scope = R"(/machine.slice/machine-qemu\x2d1\x2dweb.scope)";
  run(scope + "/libvirt/virtiofsd", false);
  run_vm(scope + "/libvirt/emulator", "web");
  const Census census = take();
  EXPECT_THAT(said(census), ElementsAre("vm web 2"));
  EXPECT_EQ(census.input.units[0].main_pid, vmms_[0]);
  EXPECT_EQ(census.input.units[0].cgroup_path, scope);
  EXPECT_TRUE(census.vms[0]);
}

TEST_F(CensusTest, AVmInAPodIsBesideTheContainerThatRunsIt) {
  run(pod + "/" + id_a);
  run_vm(pod + "/" + id_a, "web");
  const Census census = take();
  EXPECT_THAT(said(census), ElementsAre("container aaaaaaaaaaaa 1", "vm web 1"));
  EXPECT_EQ(census.input.units[1].parent, 0U);
  EXPECT_EQ(census.input.units[1].pod_uid, pod_uid);
  EXPECT_FALSE(census.vms[0]);
}

TEST(Settled, WhatChangedOrEndedIsLeftOut) {
  const auto process = [](std::uint32_t pid) {
    return ProcessInfo{.pid = pid, .start_ticks = 10, .cgroup_path = "/a", .namespaces = host_namespaces()};
  };
  const std::vector<ProcessInfo> before = {process(1), process(2), process(3), process(4), process(5)};
  std::vector<ProcessInfo> after = {process(5), process(4), process(3), process(2), process(9)};
  after[0].start_ticks = 11;
  after[1].cgroup_path = "/b";
  after[2].namespaces = with(host_namespaces(), NamespaceType::mnt, 4711);
  const auto same = settled(before, after);
  ASSERT_EQ(same.size(), 1U);
  EXPECT_EQ(same[0].pid, 2U);
}

}  // namespace
}  // namespace isoscope::agent
