// SPDX-License-Identifier: Apache-2.0
#include "policy/matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "matrix_world.h"

namespace isoscope::policy {
namespace {

using event::NamespaceType;
using identity::UnitKind;
using testing::cells;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MatrixWorld;
using testing::said;
using ::testing::UnorderedElementsAre;

// What container runtimes give by default: all of its own but user and time.
constexpr const char* usual = "private private private private private private host host";
constexpr const char* usual_finding = "low host-user";

TEST(Matrix, NobodyIsIsolatedFromNobody) {
  const Matrix matrix = make_matrix(MatrixWorld().input);
  EXPECT_TRUE(matrix.rows.empty());
  EXPECT_TRUE(matrix.findings.empty());
  EXPECT_EQ(matrix.total_pairs, 0U);
}

TEST(Matrix, TwoContainersHaveAllOfTheirOwn) {
  MatrixWorld world;
  world.container("web");
  world.container("db");
  const Matrix matrix = make_matrix(world.input);
  EXPECT_EQ(cells(matrix, "web"), usual);
  EXPECT_EQ(cells(matrix, "db"), usual);
  EXPECT_TRUE(matrix.groups.empty());
  EXPECT_TRUE(matrix.pairs.empty());
  EXPECT_EQ(matrix.total_pairs, 1U);
  EXPECT_EQ(matrix.related_pairs, 0U);
  EXPECT_EQ(matrix.counts[0].separate, 1U);
  EXPECT_EQ(matrix.counts[static_cast<std::size_t>(NamespaceType::user)].host, 1U);
  EXPECT_THAT(said(matrix), UnorderedElementsAre("low host-user web (user)", "low host-user db (user)"));
}

TEST(Matrix, EachNamespaceOfTheHostIsAFindingOfItsSeverity) {
  const std::map<NamespaceType, std::string> expected = {
      {NamespaceType::mnt, "critical host-mnt web (mnt)"},
      {NamespaceType::pid, "high host-pid web (pid)"},
      {NamespaceType::net, "high host-net web (net)"},
      {NamespaceType::ipc, "medium host-ipc web (ipc)"},
      {NamespaceType::uts, "low host-uts web (uts)"},
      {NamespaceType::cgroup, "low host-cgroup web (cgroup)"},
      {NamespaceType::user, "low host-user web (user)"}};
  for (const auto& [type, finding] : expected) {
    MatrixWorld world;
    world.set(world.container("web"), type, MatrixWorld::host_inum(type));
    EXPECT_THAT(said(make_matrix(world.input)), ::testing::Contains(finding));
  }
  MatrixWorld world;
  world.set(world.container("web"), NamespaceType::user, 99);
  world.set(0, NamespaceType::time, MatrixWorld::host_inum(NamespaceType::time));
  EXPECT_THAT(said(make_matrix(world.input)), IsEmpty()) << "the host's time is where everybody is";
}

TEST(Matrix, ContainersThatShareWithoutAPod) {
  MatrixWorld world;
  const std::size_t web = world.container("web");
  const std::size_t proxy = world.container("proxy");
  world.container("db");
  world.share(web, proxy, NamespaceType::net);
  world.share(web, proxy, NamespaceType::uts);
  const Matrix matrix = make_matrix(world.input);
  EXPECT_EQ(cells(matrix, "proxy"), "private shared:A private shared:A private private host host");
  EXPECT_EQ(cells(matrix, "db"), usual);
  ASSERT_EQ(matrix.groups.size(), 1U);
  EXPECT_THAT(matrix.groups[0].types, ElementsAre(NamespaceType::uts, NamespaceType::net));
  EXPECT_THAT(matrix.groups[0].units, ElementsAre(web, proxy));
  EXPECT_FALSE(matrix.groups[0].expected);
  ASSERT_EQ(matrix.pairs.size(), 1U);
  EXPECT_EQ(matrix.pairs[0].a, web);
  EXPECT_EQ(matrix.pairs[0].b, proxy);
  EXPECT_EQ(matrix.pairs[0].kinship, Kinship::none);
  EXPECT_EQ(matrix.pairs[0].relations[0], Relation::separate);
  EXPECT_EQ(matrix.pairs[0].relations[static_cast<std::size_t>(NamespaceType::net)], Relation::shared);
  EXPECT_EQ(matrix.pairs[0].relations[static_cast<std::size_t>(NamespaceType::user)], Relation::host);
  EXPECT_EQ(matrix.counts[static_cast<std::size_t>(NamespaceType::net)].shared, 1U);
  EXPECT_EQ(matrix.counts[static_cast<std::size_t>(NamespaceType::net)].separate, 2U);
  EXPECT_THAT(said(matrix), ::testing::Contains("medium shared-namespace web proxy (uts net)"));
}

TEST(Matrix, HowBadItIsToShareGoesByTheType) {
  const std::map<NamespaceType, std::string> expected = {
      {NamespaceType::mnt, "high"},   {NamespaceType::pid, "high"}, {NamespaceType::net, "medium"},
      {NamespaceType::ipc, "medium"}, {NamespaceType::uts, "low"},  {NamespaceType::cgroup, "low"},
      {NamespaceType::user, "low"}};
  for (const auto& [type, severity] : expected) {
    MatrixWorld world;
    const std::size_t web = world.container("web");
    world.set(web, type, 77);
    world.share(web, world.container("db"), type);
    EXPECT_THAT(said(make_matrix(world.input)),
                ::testing::Contains(severity + " shared-namespace web db (" + event::to_string(type) + ")"));
  }
}

TEST(Matrix, APodSharesAsPodsDo) {
  MatrixWorld world;
  const std::size_t web = world.container("web", "pod-1");
  const std::size_t sidecar = world.container("sidecar", "pod-1");
  for (const NamespaceType type : {NamespaceType::net, NamespaceType::ipc, NamespaceType::uts}) {
    world.share(web, sidecar, type);
  }
  const Matrix matrix = make_matrix(world.input);
  ASSERT_EQ(matrix.groups.size(), 1U);
  EXPECT_TRUE(matrix.groups[0].expected);
  EXPECT_EQ(matrix.groups[0].kinship, Kinship::pod);
  ASSERT_EQ(matrix.pairs.size(), 1U);
  EXPECT_EQ(matrix.pairs[0].kinship, Kinship::pod);
  EXPECT_THAT(said(matrix), UnorderedElementsAre("low host-user web (user)", "low host-user sidecar (user)"));
}

TEST(Matrix, APodWithOneProcessListIsNoted) {
  MatrixWorld world;
  const std::size_t web = world.container("web", "pod-1");
  world.share(web, world.container("sidecar", "pod-1"), NamespaceType::pid);
  EXPECT_THAT(said(make_matrix(world.input)), ::testing::Contains("low pod-pid web sidecar (pid)"));
}

TEST(Matrix, APodsFileSystemsAreNotShared) {
  MatrixWorld world;
  const std::size_t web = world.container("web", "pod-1");
  world.share(web, world.container("sidecar", "pod-1"), NamespaceType::mnt);
  const Matrix matrix = make_matrix(world.input);
  EXPECT_FALSE(matrix.groups[0].expected);
  EXPECT_THAT(said(matrix), ::testing::Contains("high shared-namespace web sidecar (mnt)"));
}

TEST(Matrix, TwoPodsShareNothing) {
  MatrixWorld world;
  const std::size_t one = world.container("one", "pod-1");
  const std::size_t mate = world.container("mate", "pod-1");
  const std::size_t other = world.container("other", "pod-2");
  world.share(one, mate, NamespaceType::net);
  world.share(one, other, NamespaceType::net);
  const Matrix matrix = make_matrix(world.input);
  ASSERT_EQ(matrix.groups.size(), 1U);
  EXPECT_FALSE(matrix.groups[0].expected);
  EXPECT_THAT(said(matrix), ::testing::Contains("medium shared-namespace one mate other (net)"));
}

TEST(Matrix, WhatRunsInsideSharesWithWhatIsAround) {
  MatrixWorld world;
  const std::size_t outer = world.container("outer");
  const std::size_t inner = world.nested("inner", outer);
  const std::size_t second = world.nested("second", outer);
  world.share(outer, inner, NamespaceType::net);
  world.share(outer, second, NamespaceType::net);
  const Matrix matrix = make_matrix(world.input);
  ASSERT_EQ(matrix.groups.size(), 1U);
  EXPECT_TRUE(matrix.groups[0].expected);
  EXPECT_EQ(matrix.groups[0].kinship, Kinship::nested);
  EXPECT_THAT(said(matrix), ::testing::Each(::testing::HasSubstr(usual_finding)));
  // Side by side they share what is their parent's; their cgroups are apart.
  ASSERT_EQ(matrix.pairs.size(), 3U);
  EXPECT_EQ(matrix.pairs[0].cgroup, CgroupOverlap::nested);
  EXPECT_EQ(matrix.pairs[2].a, inner);
  EXPECT_EQ(matrix.pairs[2].b, second);
  EXPECT_EQ(matrix.pairs[2].cgroup, CgroupOverlap::apart);

  // What the parent does not have is not from the parent.
  world.set(outer, NamespaceType::net, 555);
  EXPECT_THAT(said(make_matrix(world.input)),
              ::testing::Contains("medium shared-namespace inner second (net)"));
}

TEST(Matrix, ANestedPairIsListedThoughItSharesNothing) {
  MatrixWorld world;
  const std::size_t outer = world.container("outer");
  world.nested("inner", outer);
  const Matrix matrix = make_matrix(world.input);
  ASSERT_EQ(matrix.pairs.size(), 1U);
  EXPECT_EQ(matrix.pairs[0].kinship, Kinship::nested);
  EXPECT_EQ(matrix.pairs[0].cgroup, CgroupOverlap::nested);
  EXPECT_EQ(matrix.related_pairs, 1U);
}

TEST(Matrix, AVmIsJudgedByItsVmm) {
  MatrixWorld world;
  world.vm("guest", "/machine.slice/guest.scope");
  const Matrix matrix = make_matrix(world.input);
  EXPECT_EQ(cells(matrix, "guest"), "host host host host host host host host");
  EXPECT_THAT(said(matrix), ElementsAre("low vmm-in-host guest (mnt pid net ipc)"));
}

TEST(Matrix, TwoVmsInOneCgroup) {
  MatrixWorld world;
  world.vm("one", "/lab");
  world.vm("two", "/lab");
  const Matrix matrix = make_matrix(world.input);
  ASSERT_EQ(matrix.pairs.size(), 1U);
  EXPECT_EQ(matrix.pairs[0].cgroup, CgroupOverlap::same);
  EXPECT_THAT(said(matrix), ::testing::Contains("low shared-cgroup one two ()"));
}

TEST(Matrix, InTheRootCgroupNobodyOverlaps) {
  MatrixWorld world;
  world.vm("one", "/");
  world.vm("two", "/");
  world.container("web");
  const Matrix matrix = make_matrix(world.input);
  EXPECT_TRUE(matrix.pairs.empty());
}

TEST(Matrix, AVmmInAContainerIsNestedInIt) {
  MatrixWorld world;
  const std::size_t launcher = world.container("launcher");
  const std::size_t guest = world.vm("guest", world.input.units[launcher].cgroup_path);
  world.input.units[guest].parent = launcher;
  world.share(launcher, guest, NamespaceType::mnt);
  world.share(launcher, guest, NamespaceType::pid);
  const Matrix matrix = make_matrix(world.input);
  ASSERT_EQ(matrix.pairs.size(), 1U);
  EXPECT_EQ(matrix.pairs[0].cgroup, CgroupOverlap::nested);
  EXPECT_TRUE(matrix.groups[0].expected);
  EXPECT_THAT(said(matrix), ::testing::Each(::testing::StartsWith("low")));
}

TEST(Matrix, ASandboxAroundAVmIsNoContainer) {
  MatrixWorld world;
  const std::size_t sandbox = world.add(UnitKind::container, "kata", "/kata_overhead/kata");
  const std::size_t guest = world.vm("guest", "/kata_overhead/kata");
  EXPECT_THAT(said(make_matrix(world.input)), ::testing::Contains("critical host-mnt kata (mnt)"));
  world.input.units[guest].parent = sandbox;
  EXPECT_THAT(said(make_matrix(world.input)), ElementsAre("low vmm-in-host kata (mnt pid net ipc)",
                                                          "low vmm-in-host guest (mnt pid net ipc)"));
  // KubeVirt's launcher is a container, whatever runs in it.
  world.set(sandbox, NamespaceType::mnt, 4711);
  EXPECT_THAT(said(make_matrix(world.input)), ::testing::Contains("high host-net kata (net)"));
}

TEST(Matrix, TheMainProcessIsTheOldestInsideOrTheOneThatWasNamed) {
  MatrixWorld world;
  const std::size_t web = world.container("web");
  auto& processes = world.input.units[web].processes;
  identity::ProcessInfo helper = processes[0];
  helper.pid = 5;
  helper.start_ticks = 1;
  helper.namespaces = world.input.host;
  identity::ProcessInfo younger = processes[0];
  younger.pid = 6;
  younger.start_ticks = 9000;
  identity::ProcessInfo zombie;
  zombie.pid = 7;
  processes.insert(processes.begin(), {zombie, helper, younger});
  Matrix matrix = make_matrix(world.input);
  EXPECT_EQ(matrix.rows[web].pid, processes[3].pid);
  EXPECT_EQ(matrix.rows[web].processes, 4U);
  EXPECT_THAT(said(matrix), ::testing::Contains("low runtime-process web () pid 5"));
  world.input.units[web].main_pid = 6;
  EXPECT_EQ(make_matrix(world.input).rows[web].pid, 6U);
}

TEST(Matrix, AUnitWithoutNamespacesIsUnknown) {
  MatrixWorld world;
  world.container("web");
  world.input.units[world.container("gone")].processes.clear();
  const Matrix matrix = make_matrix(world.input);
  EXPECT_EQ(cells(matrix, "gone"), "unknown unknown unknown unknown unknown unknown unknown unknown");
  EXPECT_EQ(matrix.counts[0].unknown, 1U);
  EXPECT_EQ(matrix.counts[0].separate, 0U);
  EXPECT_THAT(said(matrix), ElementsAre("low host-user web (user)"));
}

// --- processes that are not where their unit is ---

TEST(MatrixMembers, InTheHostsNamespaces) {
  MatrixWorld world;
  const std::size_t web = world.container("web");
  world.member(web, {{NamespaceType::net, MatrixWorld::host_inum(NamespaceType::net)}});
  EXPECT_THAT(said(make_matrix(world.input)), ::testing::Contains("high member-in-host web (net) pid 1001"));
  world.member(web, {{NamespaceType::mnt, MatrixWorld::host_inum(NamespaceType::mnt)}});
  EXPECT_THAT(said(make_matrix(world.input)),
              ::testing::Contains("critical member-in-host web (mnt net) pid 1001 1002"))
      << "one finding for all of them";
}

TEST(MatrixMembers, InAnotherUnitsNamespaces) {
  MatrixWorld world;
  const std::size_t web = world.container("web");
  const std::size_t db = world.container("db");
  world.member(web, {{NamespaceType::ipc, world.inum(db, NamespaceType::ipc)}});
  EXPECT_THAT(said(make_matrix(world.input)),
              ::testing::Contains("high member-in-unit web db (ipc) pid 1002"));
  world.member(web, {{NamespaceType::pid, world.inum(db, NamespaceType::pid)}});
  EXPECT_THAT(said(make_matrix(world.input)),
              ::testing::Contains("critical member-in-unit web db (ipc pid) pid 1002 1003"));
}

TEST(MatrixMembers, InAUnitInsideIsItsOwn) {
  MatrixWorld world;
  const std::size_t outer = world.container("outer");
  const std::size_t inner = world.nested("inner", outer);
  world.member(outer, {{NamespaceType::net, world.inum(inner, NamespaceType::net)}});
  EXPECT_THAT(said(make_matrix(world.input)), ::testing::Each(::testing::HasSubstr(usual_finding)));
  world.member(inner, {{NamespaceType::net, world.inum(outer, NamespaceType::net)}});
  EXPECT_THAT(said(make_matrix(world.input)),
              ::testing::Contains("high member-in-unit inner outer (net) pid 1003"))
      << "the other way round it is none";
}

TEST(MatrixMembers, NamespacesOfItsOwnAreASandbox) {
  MatrixWorld world;
  const std::size_t web = world.container("web");
  world.member(web, {{NamespaceType::user, 4711}, {NamespaceType::mnt, 4712}});
  EXPECT_THAT(said(make_matrix(world.input)), ::testing::Contains("low own-sandbox web (mnt user) pid 1001"));
}

TEST(MatrixMembers, HelpersOfAVmAreNoFinding) {
  MatrixWorld world;
  const std::size_t guest = world.vm("guest", "/machine.slice/guest.scope");
  world.set(guest, NamespaceType::mnt, 4711);
  world.member(guest, {{NamespaceType::mnt, MatrixWorld::host_inum(NamespaceType::mnt)}});
  EXPECT_THAT(said(make_matrix(world.input)), ElementsAre("low vmm-in-host guest (pid net ipc)"));
}

TEST(MatrixMembers, OfOneUnitInTheCgroupOfAnother) {
  MatrixWorld world;
  const std::size_t web = world.container("web");
  const std::size_t db = world.container("db");
  identity::ProcessInfo moved = world.input.units[web].processes[0];
  moved.pid = 31;
  moved.start_ticks = 9000;
  moved.cgroup_path = world.input.units[db].cgroup_path;
  world.input.units[db].processes.push_back(moved);
  EXPECT_THAT(said(make_matrix(world.input)),
              ::testing::Contains("high outside-cgroup web db (mnt uts ipc net pid cgroup) pid 31"));
}

TEST(MatrixMembers, OfAUnitInACgroupOfTheHost) {
  MatrixWorld world;
  const std::size_t web = world.container("web");
  identity::ProcessInfo moved = world.input.units[web].processes[0];
  moved.pid = 31;
  moved.cgroup_path = "/system.slice/ssh.service";
  world.input.others = {moved};
  EXPECT_THAT(said(make_matrix(world.input)),
              ::testing::Contains("medium outside-cgroup web (mnt uts ipc net pid cgroup) pid 31"));
  // In the cgroup of the unit itself, as what shares a service's cgroup with a VMM.
  world.input.others[0].cgroup_path = world.input.units[web].cgroup_path;
  EXPECT_THAT(said(make_matrix(world.input)), ElementsAre("low host-user web (user)"));
  // In file systems that two units have it could be of either.
  world.input.others[0].cgroup_path = "/system.slice/ssh.service";
  world.share(web, world.container("db"), NamespaceType::mnt);
  EXPECT_THAT(said(make_matrix(world.input)),
              ::testing::Not(::testing::Contains(::testing::HasSubstr("outside"))));
  world.input.units.pop_back();
  // In a network namespace alone, as a proxy of the host's is.
  world.input.others[0].namespaces = world.input.host;
  world.input.others[0].namespaces.inum[static_cast<std::size_t>(NamespaceType::net)] =
      world.inum(web, NamespaceType::net);
  EXPECT_THAT(said(make_matrix(world.input)), ElementsAre("low host-user web (user)"));
}

TEST(MatrixMembers, HostSoftwareHasNoBoundary) {
  MatrixWorld world;
  const std::size_t ssh = world.add(UnitKind::service, "ssh.service", "/system.slice/ssh.service");
  world.member(ssh, {{NamespaceType::mnt, 4711}});
  EXPECT_THAT(said(make_matrix(world.input)), IsEmpty());
}

TEST(Matrix, TheHostIsInItsOwnNamespaces) {
  MatrixWorld world;
  const std::size_t host = world.add(UnitKind::host, "host", "/");
  const std::size_t ssh = world.add(UnitKind::service, "ssh.service", "/system.slice/ssh.service");
  world.member(ssh, {{NamespaceType::mnt, 4711}});
  world.input.units[host].processes[0].namespaces.inum[0] = 4712;  // kdevtmpfs has one of its own
  const Matrix matrix = make_matrix(world.input);
  EXPECT_EQ(cells(matrix, "host"), "host host host host host host host host");
  EXPECT_EQ(cells(matrix, "ssh.service"), "host host host host host host host host");
}

TEST(Matrix, TheWorstComesFirst) {
  MatrixWorld world;
  for (const NamespaceType type : {NamespaceType::uts, NamespaceType::mnt, NamespaceType::ipc}) {
    world.set(world.container(event::to_string(type)), type, MatrixWorld::host_inum(type));
  }
  const Matrix matrix = make_matrix(world.input);
  EXPECT_TRUE(std::is_sorted(matrix.findings.begin(), matrix.findings.end(),
                             [](const auto& a, const auto& b) { return a.severity > b.severity; }));
  EXPECT_EQ(matrix.findings.front().rule, "host-mnt");
}

// --- many units ---

TEST(MatrixScale, AThousandUnitsOfPairsOfPods) {
  MatrixWorld world;
  for (int i = 0; i < 500; i++) {
    const std::string pod = "pod-" + std::to_string(i);
    const std::size_t one = world.container(pod + "-a", pod);
    world.share(one, world.container(pod + "-b", pod), NamespaceType::net);
  }
  const Matrix matrix = make_matrix(world.input);
  EXPECT_EQ(matrix.total_pairs, 499'500U);
  EXPECT_EQ(matrix.related_pairs, 500U);
  EXPECT_EQ(matrix.pairs.size(), 500U);
  EXPECT_EQ(matrix.groups.size(), 500U);
  EXPECT_EQ(matrix.groups[26].name, "AA");
  EXPECT_EQ(matrix.counts[static_cast<std::size_t>(NamespaceType::net)].separate, 499'000U);
  EXPECT_EQ(matrix.counts[static_cast<std::size_t>(NamespaceType::user)].host, 499'500U);
  EXPECT_EQ(matrix.findings.size(), 1000U) << "host-user, once per unit";
}

TEST(MatrixScale, AThousandUnitsThatShareOneNamespace) {
  MatrixWorld world;
  const std::size_t first = world.container("first");
  world.set(first, NamespaceType::user, 4711);
  for (int i = 1; i < 1000; i++) {
    const std::size_t unit = world.container("unit-" + std::to_string(i));
    world.share(first, unit, NamespaceType::user);
  }
  const Matrix matrix = make_matrix(world.input);
  EXPECT_EQ(matrix.related_pairs, 499'500U);
  EXPECT_EQ(matrix.pairs.size(), Matrix::most_pairs);
  ASSERT_EQ(matrix.groups.size(), 1U);
  EXPECT_EQ(matrix.groups[0].units.size(), 1000U);
  ASSERT_EQ(matrix.findings.size(), 1U) << "one for all of them";
  EXPECT_EQ(matrix.findings[0].units.size(), 1000U);
}

TEST(MatrixScale, AThousandVmsInOneCgroup) {
  MatrixWorld world;
  for (int i = 0; i < 1000; i++) {
    world.vm("vm-" + std::to_string(i), "/lab");
  }
  const Matrix matrix = make_matrix(world.input);
  EXPECT_EQ(matrix.related_pairs, 499'500U);
  EXPECT_EQ(matrix.pairs.size(), Matrix::most_pairs);
  EXPECT_EQ(matrix.findings.size(), 1001U);
}

TEST(MatrixScale, ThePidsOfAFindingAreLimited) {
  MatrixWorld world;
  const std::size_t web = world.container("web");
  for (int i = 0; i < 50; i++) {
    world.member(web, {{NamespaceType::net, MatrixWorld::host_inum(NamespaceType::net)}});
  }
  const Matrix matrix = make_matrix(world.input);
  EXPECT_EQ(matrix.findings[0].processes, 50U);
  EXPECT_EQ(matrix.findings[0].pids.size(), Matrix::most_pids);
}

}  // namespace
}  // namespace isoscope::policy
