// SPDX-License-Identifier: Apache-2.0
// Units whose start was not seen: those that are there when the agent starts, and those whose records were
// lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "identity/unit_registry.h"
#include "identity_world.h"

namespace isoscope::identity {
namespace {

using event::NamespaceSet;
using event::NamespaceType;
using ::testing::ElementsAre;
using testing::host_namespaces;
using testing::id_a;
using testing::id_b;
using ::testing::IsEmpty;
using testing::said;
using testing::with;

const std::string name_a = id_a.substr(0, 12);
const std::string name_b = id_b.substr(0, 12);
const std::string uid = "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55";

class Adoption : public ::testing::Test {
 protected:
  ProcessInfo process(const std::string& path, std::uint64_t ticks, const NamespaceSet& namespaces) {
    return {.pid = next_pid_++, .start_ticks = ticks, .cgroup_path = path, .namespaces = namespaces};
  }
  // The cgroups of a host, known before anything is adopted.
  static CgroupTree tree(const std::vector<std::string>& paths) {
    CgroupTree result;
    std::uint64_t next = 100;
    for (const std::string& path : paths) {
      for (std::size_t begin = 1, parent = 1; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const std::uint64_t known = result.id_of(path.substr(0, end));
        if (known == 0) {
          result.add({.id = next, .parent_id = parent, .level = 1, .name = path.substr(begin, end - begin)});
        }
        parent = known != 0 ? known : next++;
        begin = end + 1;
      }
    }
    return result;
  }
  static UnitRegistry registry(const std::vector<std::string>& paths) {
    return UnitRegistry(
        tree(paths), host_namespaces(),
        {.vm =
             [](std::uint32_t pid) { return Vm{.id = "x", .name = "x", .uuid = "", .vmm = "", .pid = pid}; },
         .namespaces = [](std::uint32_t) { return host_namespaces(); },
         .has_member = [](const CgroupTree&, std::uint64_t, std::uint32_t) { return false; }});
  }
  static NamespaceSet inside(std::uint32_t first) {
    NamespaceSet set = host_namespaces();
    set = with(set, NamespaceType::mnt, first);
    set = with(set, NamespaceType::pid, first + 1);
    return with(set, NamespaceType::net, first + 2);
  }

  std::uint32_t next_pid_ = 10;
};

TEST_F(Adoption, FindsContainersServicesAndPods) {
  const std::string pod = "/kubepods/pod" + uid, docker = "/docker/" + id_b;
  auto units =
      registry({"/system.slice/web.service", pod + "/" + id_a, docker, "/user.slice/session-1.scope"});
  const auto changes = units.adopt(
      {process("/", 1, host_namespaces()), process("/user.slice/session-1.scope", 2, host_namespaces()),
       process("/system.slice/web.service", 3, host_namespaces()), process(pod + "/" + id_a, 4, inside(100))},
      0);
  EXPECT_THAT(said(changes), ElementsAre("container " + name_b + " created", "container " + name_a + " found",
                                         "pod " + uid + " found", "service web.service found"));
  EXPECT_EQ(changes[1].namespaces, inside(100));
}

TEST_F(Adoption, TheBaselineIsThatOfTheOldestProcessInside) {
  const std::string docker = "/docker/" + id_a;
  auto units = registry({docker + "/sub"});
  const auto changes = units.adopt({process(docker, 9, inside(300)), process(docker + "/sub", 5, inside(100)),
                                    process(docker, 1, host_namespaces()), process(docker, 7, inside(200))},
                                   0);
  ASSERT_THAT(said(changes), ElementsAre("container " + name_a + " found"));
  EXPECT_EQ(changes[0].namespaces, inside(100));
  const auto sandbox = units.owners_of(NamespaceType::mnt, 300);
  EXPECT_EQ(sandbox.maker, &units.unit_of_cgroup(units.cgroups().id_of(docker)));
}

TEST_F(Adoption, AContainerWhoseProgramHasNotStarted) {
  const std::string docker = "/docker/" + id_a;
  auto units = registry({docker});
  const auto changes = units.adopt({process(docker, 9, host_namespaces())}, 0);
  EXPECT_THAT(said(changes), ElementsAre("container " + name_a + " created"));
}

TEST_F(Adoption, ContainersByNamespacesOnlyIfAllProcessesAreInside) {
  auto units = registry({"/web", "/user.slice/session-1.scope", "/empty"});
  const auto changes = units.adopt({process("/web", 3, inside(100)), process("/web", 4, inside(100)),
                                    process("/user.slice/session-1.scope", 3, host_namespaces()),
                                    process("/user.slice/session-1.scope", 4, inside(200))},
                                   0);
  EXPECT_THAT(said(changes), ElementsAre("container web found"));
  EXPECT_EQ(units.owners_of(NamespaceType::mnt, 200).maker, &units.host());
}

TEST_F(Adoption, AFoundContainerIsNotStartedAgain) {
  const std::string docker = "/docker/" + id_a;
  auto units = registry({docker});
  units.adopt({process(docker, 3, inside(100))}, 0);
  const auto id = units.cgroups().id_of(docker);
  const event::Record again{
      .meta = {.ts_ns = 1, .cgroup_id = id, .tgid = 5, .tid = 5, .cpu = 0},
      .payload = event::Exec{.namespaces = inside(100), .start_boot_ns = 1, .parent_tgid = 1, .comm = ""}};
  EXPECT_THAT(units.observe(again), IsEmpty());
  const event::Record made{
      .meta = {},
      .payload =
          event::CgroupMade{.id = id, .parent_id = units.cgroups().parent_of(id), .level = 2, .name = id_a}};
  EXPECT_THAT(units.observe(made), IsEmpty()) << "its record came after the scan";
  EXPECT_EQ(units.unit_of_cgroup(id).state, UnitState::found);
}

TEST_F(Adoption, MachinesOlderThanTheAgentAreFound) {
  auto units = registry({});
  units.adopt({}, 1000);
  const auto see = [&](std::uint32_t pid, std::uint64_t start) {
    return said(units.observe(
        {.meta = {.ts_ns = 1, .cgroup_id = 1, .tgid = pid, .tid = pid, .cpu = 0},
         .payload = event::VcpuSeen{.start_boot_ns = start, .vcpu_id = 0, .isa = event::Isa::vmx}}));
  };
  EXPECT_THAT(see(5, 999), ElementsAre("vm x found"));
  EXPECT_THAT(see(6, 1001), ElementsAre("vm x started"));
}

// --- lost records ---

event::Record made(const UnitRegistry& units, std::uint64_t id, const std::string& parent,
                   const std::string& name) {
  return {.meta = {},
          .payload = event::CgroupMade{
              .id = id, .parent_id = units.cgroups().id_of(parent), .level = 2, .name = name}};
}

TEST_F(Adoption, AStartThatWasLostIsFoundAWindowLater) {
  const std::string pod = "/kubepods/pod" + uid;
  auto units = registry({"/docker", pod});
  units.adopt({}, 0);
  units.observe(made(units, 7000, "/docker", id_a));
  units.observe(made(units, 7001, pod, id_b));
  EXPECT_FALSE(units.suspects_losses());
  EXPECT_THAT(units.suspect_losses(), IsEmpty());
  EXPECT_TRUE(units.suspects_losses());
  const auto changes =
      units.recover({process("/docker/" + id_a, 5, inside(100)), process(pod + "/" + id_b, 6, inside(200))});
  EXPECT_THAT(said(changes), ElementsAre("container " + name_a + " found", "container " + name_b + " found",
                                         "pod " + uid + " found"));
  EXPECT_EQ(changes[0].namespaces, inside(100));
  EXPECT_EQ(units.owners_of(NamespaceType::mnt, 100).holders.size(), 1u);
  EXPECT_EQ(units.unit_of_task(7000, 5).ref.id, id_a) << "no longer in the hands of its runtime";
  EXPECT_FALSE(units.suspects_losses());
  EXPECT_THAT(units.recover({process("/docker/" + id_a, 5, inside(300))}), IsEmpty())
      << "there is no suspicion";
}

TEST_F(Adoption, WhatIsInTheHandsOfItsRuntimeStaysThere) {
  auto units = registry({"/docker"});
  units.adopt({}, 0);
  units.observe(made(units, 7000, "/docker", id_a));
  units.suspect_losses();
  // One that was made after the loss: its records are all there, and its runtime may be at work.
  units.observe(made(units, 7001, "/docker", id_b));
  EXPECT_THAT(units.recover({process("/docker/" + id_a, 5, host_namespaces()),
                             process("/docker/" + id_b, 6, inside(100))}),
              IsEmpty());
  EXPECT_EQ(units.unit_of_cgroup(7000).state, UnitState::created);
  EXPECT_EQ(units.unit_of_cgroup(7001).state, UnitState::created);
}

TEST_F(Adoption, ABoundaryIsNotTakenAnew) {
  const std::string docker = "/docker/" + id_a, service = "/system.slice/web.service";
  auto units = registry({docker, service});
  units.adopt({process(docker, 3, inside(100)), process(service, 4, host_namespaces())}, 0);
  units.suspect_losses();
  EXPECT_THAT(units.recover({process(docker, 3, inside(200)), process(service, 4, inside(300))}), IsEmpty());
  EXPECT_EQ(units.unit_of_cgroup(units.cgroups().id_of(docker)).namespaces, inside(100));
}

TEST_F(Adoption, AContainerByNamespacesWhoseStartWasLost) {
  auto units = registry({"/web", "/shell"});
  units.adopt({}, 0);
  units.suspect_losses();
  EXPECT_THAT(said(units.recover({process("/web", 3, inside(100)), process("/shell", 4, inside(200)),
                                  process("/shell", 5, host_namespaces())})),
              ElementsAre("container web found"));
}

}  // namespace
}  // namespace isoscope::identity
