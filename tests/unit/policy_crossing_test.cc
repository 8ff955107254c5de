// SPDX-License-Identifier: Apache-2.0
// What becomes of sequences of records: registry and policy together, as the agent runs them.
#include "policy/crossing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "identity_world.h"
#include "policy/engine.h"

namespace isoscope::policy {
namespace {

using event::Mechanism;
using event::NamespaceSet;
using event::NamespaceType;
using identity::UnitKind;
using identity::UnitRef;
using identity::testing::host_namespaces;
using identity::testing::id_a;
using identity::testing::id_b;
using identity::testing::Task;
using identity::testing::with;
using identity::testing::World;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr NamespaceType every_type[] = {NamespaceType::mnt,  NamespaceType::uts, NamespaceType::ipc,
                                        NamespaceType::net,  NamespaceType::pid, NamespaceType::cgroup,
                                        NamespaceType::time, NamespaceType::user};

// A world in which every change is judged before it is observed.
class Watched : public World {
 public:
  Crossing cross(Task& task, const NamespaceSet& to, Mechanism mechanism) {
    const auto crossing = resolve(change(task, to, mechanism), units);
    move(task, to, mechanism);
    if (!crossing) {
      ADD_FAILURE() << "no crossing";
      return {};
    }
    return *crossing;
  }
  Crossing enter(Task& task, NamespaceType type, const NamespaceSet& of,
                 Mechanism mechanism = Mechanism::setns) {
    return cross(task, with(task.namespaces, type, of[type]), mechanism);
  }
  Crossing unshare_one(Task& task, NamespaceType type, Mechanism mechanism = Mechanism::unshare) {
    return cross(task, fresh(task.namespaces, {type}), mechanism);
  }
};

const UnitRef host_ref{};
const UnitRef ref_a{UnitKind::container, id_a, id_a.substr(0, 12)};
const UnitRef ref_b{UnitKind::container, id_b, id_b.substr(0, 12)};
const std::string docker_a = "/docker/" + id_a, docker_b = "/docker/" + id_b;
const std::string pod = "/kubepods/pod0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55";

// --- silence ---

// Every record of World::run_container, judged on its way.
class Judged : public Watched {
 public:
  std::vector<Direction> directions;
  std::vector<Violation> violations;

  void judge_next(const event::Record& record) {
    if (const auto crossing = resolve(record, units)) {
      directions.push_back(crossing->direction);
      for (auto& violation : judge(*crossing)) {
        violations.push_back(violation);
      }
    }
  }
  void judged_move(Task& task, const NamespaceSet& to, Mechanism mechanism) {
    judge_next(change(task, to, mechanism));
    move(task, to, mechanism);
  }
  void judged_attach(Task& task, std::uint64_t cgroup) {
    judge_next(attach_record(task, cgroup));
    attach(task, cgroup);
  }
};

TEST(Crossing, StartingAContainerIsTheHostsBusiness) {
  for (const bool known_by_path : {true, false}) {
    Judged world;
    const Task runc = world.spawn("runc");
    Task stage = world.fork(runc);
    const auto cgroup = world.mkdirs(known_by_path ? docker_a : "/web");
    world.judged_attach(stage, cgroup);
    world.judged_move(stage, world.fresh(stage.namespaces, {NamespaceType::user}), Mechanism::unshare);
    world.judged_move(
        stage, world.fresh(stage.namespaces, {NamespaceType::mnt, NamespaceType::pid, NamespaceType::net}),
        Mechanism::unshare);
    Task init = world.fork(stage);
    world.judged_move(init, world.fresh(init.namespaces, {NamespaceType::cgroup}), Mechanism::unshare);
    world.exec(init, "sh");
    EXPECT_THAT(world.directions, ElementsAre(Direction::host, Direction::host, Direction::host));
    EXPECT_THAT(world.violations, IsEmpty());
    EXPECT_EQ(world.changes.size(), 1u) << "started";
  }
}

// runc from 1.2 on makes its first stage right in the container's cgroup; an agent that starts then takes
// that for its home.
TEST(Crossing, ARuntimeBornInTheContainersCgroupIsStillTheRuntime) {
  Judged world;
  const auto cgroup = world.mkdirs(docker_a);
  Task stage = world.spawn("runc", cgroup);
  world.judged_move(stage, world.fresh(stage.namespaces, {NamespaceType::mnt, NamespaceType::net}),
                    Mechanism::unshare);
  world.judged_move(stage, host_namespaces(), Mechanism::setns);
  EXPECT_THAT(world.directions, ElementsAre(Direction::host, Direction::host));
}

TEST(Crossing, ExecIntoAContainerEntersIt) {
  Watched world;
  const Task init = world.run_container(docker_a);
  Task stage = world.fork(world.spawn("runc"));
  world.attach(stage, init.cgroup);
  const Crossing entered = world.cross(stage, init.namespaces, Mechanism::setns);
  EXPECT_EQ(entered.direction, Direction::enter);
  EXPECT_EQ(entered.from, host_ref);
  EXPECT_EQ(entered.to, ref_a);
  EXPECT_THAT(judge(entered), IsEmpty());
  world.exec(stage, "sh");
  EXPECT_THAT(world.changes, IsEmpty());
  // From now on it is a task of the container.
  EXPECT_EQ(world.enter(stage, NamespaceType::mnt, host_namespaces()).direction, Direction::escape);
}

TEST(Crossing, TheHostMayComeAndGo) {
  Watched world;
  const Task init = world.run_container(docker_a);
  Task cni = world.spawn("bridge");
  EXPECT_EQ(world.enter(cni, NamespaceType::net, init.namespaces).direction, Direction::enter);
  const Crossing back = world.enter(cni, NamespaceType::net, host_namespaces());
  EXPECT_EQ(back.direction, Direction::host);
  EXPECT_EQ(back.to, host_ref);
  const Crossing fresh = world.unshare_one(cni, NamespaceType::net);
  EXPECT_EQ(fresh.direction, Direction::host);
  EXPECT_TRUE(fresh.moves[0].to_is_new);
}

TEST(Crossing, ServicesAreHostSoftware) {
  Watched world;
  const auto cgroup = world.mkdirs("/system.slice/web.service");
  Task systemd = world.spawn("systemd");
  world.attach(systemd, cgroup);
  EXPECT_EQ(world.unshare_one(systemd, NamespaceType::mnt).direction, Direction::host);
  world.exec(systemd, "web");
  const Crossing back = world.enter(systemd, NamespaceType::mnt, host_namespaces());
  EXPECT_EQ(back.direction, Direction::host);
  EXPECT_EQ(back.from.name, "web.service");
  EXPECT_EQ(world.enter(systemd, NamespaceType::mnt, world.units.unit_of_cgroup(cgroup).namespaces).direction,
            Direction::own);
  Task admin = world.spawn("nsenter");
  EXPECT_EQ(world.enter(admin, NamespaceType::mnt, world.units.unit_of_cgroup(cgroup).namespaces).direction,
            Direction::enter);
}

TEST(Crossing, ASandboxInASessionIsTheHosts) {
  Watched world;
  const auto session = world.mkdirs("/user.slice/session-1.scope");
  world.members.insert({session, host_namespaces()[NamespaceType::mnt]});
  Task bwrap = world.spawn("bwrap", session);
  Task child = world.fork(bwrap);
  EXPECT_EQ(world.unshare_one(child, NamespaceType::mnt, Mechanism::clone).direction, Direction::host);
  world.exec(child, "app");
  EXPECT_EQ(world.enter(child, NamespaceType::mnt, host_namespaces()).direction, Direction::host);
}

TEST(Crossing, NestingAndComingBack) {
  Watched world;
  const Task init = world.run_container(docker_a);
  Task child = world.fork(init);
  for (const NamespaceType type : every_type) {
    const Crossing nested = world.unshare_one(child, type);
    EXPECT_EQ(nested.direction, Direction::nest) << to_string(type);
    EXPECT_TRUE(nested.moves[0].to_is_new);
    EXPECT_EQ(nested.to, ref_a);
    EXPECT_THAT(judge(nested), IsEmpty());
  }
  const NamespaceSet sandbox = child.namespaces;
  const Crossing back = world.cross(child, init.namespaces, Mechanism::setns);
  for (const NamespaceMove& move : back.moves) {
    if (move.type != NamespaceType::time && move.type != NamespaceType::user) {  // those it had from the host
      EXPECT_EQ(move.direction, Direction::own) << to_string(move.type);
      EXPECT_EQ(move.to_owner, ref_a);
    }
  }
  const Crossing again = world.cross(child, sandbox, Mechanism::setns);
  EXPECT_EQ(again.direction, Direction::own);
}

TEST(Crossing, WhatAContainerHadFromTheHostIsItsOwn) {
  Watched world;
  Task stage = world.fork(world.spawn("runc"));
  world.attach(stage, world.mkdirs(docker_a));
  world.unshare(stage, {NamespaceType::mnt, NamespaceType::pid});  // docker run --network host
  world.exec(stage, "sh");
  Task child = world.fork(stage);
  EXPECT_EQ(world.unshare_one(child, NamespaceType::net).direction, Direction::nest);
  EXPECT_EQ(world.enter(child, NamespaceType::net, host_namespaces()).direction, Direction::own);
  EXPECT_EQ(world.enter(child, NamespaceType::mnt, host_namespaces()).direction, Direction::escape);
}

TEST(Crossing, WhatAPodSharesIsOwn) {
  Watched world;
  const Task a = world.run_container(pod + "/" + id_a);
  const Task b = world.run_container(pod + "/" + id_b, a.namespaces[NamespaceType::net]);
  for (const Task& member : {a, b}) {
    Task child = world.fork(member);
    world.unshare_one(child, NamespaceType::net);
    const Crossing back = world.enter(child, NamespaceType::net, a.namespaces);
    EXPECT_EQ(back.direction, Direction::own);
    EXPECT_THAT(judge(back), IsEmpty());
  }
  Task child = world.fork(b);
  EXPECT_EQ(world.enter(child, NamespaceType::mnt, a.namespaces).direction, Direction::lateral);
}

TEST(Crossing, WhatAUnitMadeIsItsOwnThoughAnotherStartedInIt) {
  Watched world;
  const Task a = world.run_container(docker_a);
  Task maker = world.fork(a);
  world.unshare_one(maker, NamespaceType::net);
  world.run_container(docker_b, maker.namespaces[NamespaceType::net]);
  Task child = world.fork(a);
  const Crossing crossing = world.enter(child, NamespaceType::net, maker.namespaces);
  EXPECT_EQ(crossing.direction, Direction::own);
  EXPECT_EQ(crossing.to, ref_a);
}

// docker in docker: the outer container runs and enters its inner ones; the way out is a crossing like any
// other.
TEST(Crossing, AContainerOwnsWhatItNests) {
  Watched world;
  const Task outer = world.run_container(docker_a);
  const auto cgroup = world.mkdirs(docker_a + docker_b);
  Task inner = world.fork(outer);
  EXPECT_EQ(resolve(world.attach_record(inner, cgroup), world.units), std::nullopt);
  world.attach(inner, cgroup);
  EXPECT_EQ(world.unshare_one(inner, NamespaceType::mnt).direction, Direction::nest);
  EXPECT_EQ(world.unshare_one(inner, NamespaceType::pid).direction, Direction::nest);
  world.exec(inner, "sh", outer.namespaces[NamespaceType::mnt]);
  ASSERT_EQ(world.changes.size(), 1u);
  EXPECT_EQ(world.changes[0].ref, ref_b);
  Task exec = world.fork(outer);
  EXPECT_EQ(world.enter(exec, NamespaceType::mnt, inner.namespaces).direction, Direction::own);
  Task sandbox = world.fork(inner);
  world.unshare_one(sandbox, NamespaceType::ipc);
  const Crossing deeper = world.enter(exec, NamespaceType::ipc, sandbox.namespaces);
  EXPECT_EQ(deeper.direction, Direction::own);
  EXPECT_EQ(deeper.to, ref_b);
  Task out = world.fork(inner);
  const Crossing to_outer = world.enter(out, NamespaceType::mnt, outer.namespaces);
  EXPECT_EQ(to_outer.direction, Direction::lateral);
  EXPECT_EQ(to_outer.from, ref_b);
  EXPECT_EQ(to_outer.to, ref_a);
}

// --- alarm ---

TEST(Crossing, EachTypeAloneIsAnEscape) {
  for (const NamespaceType type : every_type) {
    Watched world;
    const Task runc = world.spawn("runc");
    Task init = world.fork(runc);
    world.attach(init, world.mkdirs(docker_a));
    world.unshare(init, {every_type, every_type + std::size(every_type)});
    world.exec(init, "sh");
    Task nsenter = world.fork(init);
    nsenter.comm = "nsenter";
    const Crossing crossing = world.enter(nsenter, type, host_namespaces());
    EXPECT_EQ(crossing.direction, Direction::escape) << to_string(type);
    EXPECT_EQ(crossing.from, ref_a);
    EXPECT_EQ(crossing.to, host_ref);
    ASSERT_EQ(crossing.moves.size(), 1u);
    EXPECT_EQ(crossing.moves[0].type, type);
    EXPECT_EQ(crossing.moves[0].to_owner, host_ref);
    EXPECT_FALSE(crossing.moves[0].to_is_new);
    const auto violations = judge(crossing);
    ASSERT_EQ(violations.size(), 1u);
    EXPECT_EQ(violations[0].rule, "escape-to-host");
    EXPECT_EQ(violations[0].message,
              std::string("nsenter left container aaaaaaaaaaaa for host (") + to_string(type) + ") by setns");
  }
}

TEST(Crossing, AnEscapeIsOneHoweverItWasDone) {
  for (const Mechanism mechanism :
       {Mechanism::setns, Mechanism::unknown, Mechanism::none, Mechanism::clone, Mechanism::unshare}) {
    Watched world;
    Task child = world.fork(world.run_container("/web"));
    EXPECT_EQ(world.enter(child, NamespaceType::mnt, host_namespaces(), mechanism).direction,
              Direction::escape)
        << to_string(mechanism);
  }
}

TEST(Crossing, ToAnotherContainerIsLateral) {
  for (const Mechanism mechanism : {Mechanism::setns, Mechanism::unknown, Mechanism::none}) {
    Watched world;
    const Task a = world.run_container(docker_a);
    const Task b = world.run_container(docker_b);
    Task child = world.fork(a);
    const Crossing crossing = world.enter(child, NamespaceType::net, b.namespaces, mechanism);
    EXPECT_EQ(crossing.direction, Direction::lateral) << to_string(mechanism);
    EXPECT_EQ(crossing.to, ref_b);
    ASSERT_EQ(judge(crossing).size(), 1u);
    EXPECT_EQ(judge(crossing)[0].rule, "lateral-move");
  }
}

TEST(Crossing, ToASandboxInsideAnotherContainerIsLateral) {
  Watched world;
  const Task a = world.run_container(docker_a);
  Task sandbox = world.fork(world.run_container(docker_b));
  world.unshare_one(sandbox, NamespaceType::user);
  Task child = world.fork(a);
  const Crossing crossing = world.enter(child, NamespaceType::user, sandbox.namespaces);
  EXPECT_EQ(crossing.direction, Direction::lateral);
  EXPECT_EQ(crossing.to, ref_b);
}

TEST(Crossing, ToWhatHostSoftwareMadeIsAnEscape) {
  Watched world;
  Task ip = world.spawn("ip");
  world.unshare_one(ip, NamespaceType::net);
  Task child = world.fork(world.run_container(docker_a));
  const Crossing crossing = world.enter(child, NamespaceType::net, ip.namespaces);
  EXPECT_EQ(crossing.direction, Direction::escape);
  EXPECT_EQ(crossing.to, host_ref);
}

TEST(Crossing, TheWorstOfTheTypesDecides) {
  Watched world;
  const Task a = world.run_container(docker_a);
  const Task b = world.run_container(docker_b);
  Task child = world.fork(a);
  NamespaceSet to = world.fresh(child.namespaces, {NamespaceType::uts});
  to = with(to, NamespaceType::ipc, b.namespaces[NamespaceType::ipc]);
  const Crossing lateral = world.cross(child, to, Mechanism::setns);
  EXPECT_EQ(lateral.direction, Direction::lateral);
  EXPECT_EQ(lateral.to, ref_b);
  to = with(with(a.namespaces, NamespaceType::ipc, b.namespaces[NamespaceType::ipc]), NamespaceType::net,
            host_namespaces()[NamespaceType::net]);
  const Crossing escape = world.cross(child, to, Mechanism::setns);
  ASSERT_EQ(escape.moves.size(), 2u);  // uts back, net out; ipc did not change
  EXPECT_EQ(escape.moves[0].direction, Direction::own);
  EXPECT_EQ(escape.moves[1].direction, Direction::escape);
  EXPECT_EQ(escape.direction, Direction::escape);
  EXPECT_EQ(escape.to, host_ref);
}

TEST(Crossing, RankingIsFixed) {
  const Direction order[] = {Direction::escape, Direction::lateral, Direction::leave_cgroup, Direction::nest,
                             Direction::own,    Direction::enter,   Direction::host};
  for (std::size_t i = 0; i < std::size(order); i++) {
    EXPECT_EQ(rank(order[i]), static_cast<int>(i));
  }
}

TEST(Crossing, AProcessOfTheContainerInASubCgroupIsTheContainers) {
  Watched world;
  const Task init = world.run_container("/web");
  Task child = world.fork(init);
  world.attach(child, world.mkdir(init.cgroup, "sub.service"));
  world.exec(child, "evil", init.namespaces[NamespaceType::mnt]);
  const Crossing crossing = world.enter(child, NamespaceType::mnt, host_namespaces());
  EXPECT_EQ(crossing.direction, Direction::escape);
  EXPECT_EQ(crossing.from.id, "/web");
}

// A container that makes cgroups with the names of a runtime's is not that runtime.
TEST(Crossing, ForgedCgroupsInsideDoNotHelp) {
  Watched world;
  const Task init = world.run_container(docker_a);
  Task child = world.fork(init);
  const auto forged = world.mkdirs(docker_a + "/machine.slice/machine-qemu\\x2d1\\x2dx.scope");
  world.attach(child, forged);
  world.exec(child, "evil", init.namespaces[NamespaceType::mnt]);
  EXPECT_EQ(judge(world.enter(child, NamespaceType::mnt, host_namespaces())).size(), 1u);
  Task second = world.fork(init);
  world.attach(second, world.mkdirs(docker_a + docker_b));  // a container that never starts
  world.exec(second, "evil", init.namespaces[NamespaceType::mnt]);
  EXPECT_EQ(judge(world.enter(second, NamespaceType::net, host_namespaces())).size(), 1u);
}

// --- inums come back ---

TEST(Crossing, ANewNamespaceWithADeadOnesInumIsNew) {
  Watched world;
  const Task a = world.run_container(docker_a);
  const Task b = world.run_container(docker_b);
  Task ip = world.spawn("ip");
  world.unshare_one(ip, NamespaceType::uts);
  Task child = world.fork(b);  // a's tasks have ended and ip's too, their inums are free
  for (const auto& [type, inum] : {std::pair{NamespaceType::net, a.namespaces[NamespaceType::net]},
                                   std::pair{NamespaceType::uts, ip.namespaces[NamespaceType::uts]}}) {
    const Crossing crossing = world.cross(child, with(child.namespaces, type, inum), Mechanism::unshare);
    EXPECT_EQ(crossing.direction, Direction::nest) << to_string(type);
  }
}

TEST(Crossing, WithoutFentryAMakersClaimIsNotBelieved) {
  Watched world;
  Task ip = world.spawn("ip");
  world.unshare_one(ip, NamespaceType::net, Mechanism::unknown);
  Task child = world.fork(world.run_container(docker_a));
  EXPECT_EQ(world.enter(child, NamespaceType::net, ip.namespaces, Mechanism::unknown).direction,
            Direction::nest);
  Task sandbox = world.fork(world.run_container(docker_b));
  world.unshare_one(sandbox, NamespaceType::uts, Mechanism::unknown);
  EXPECT_EQ(world.enter(child, NamespaceType::uts, sandbox.namespaces, Mechanism::unknown).direction,
            Direction::nest);
}

TEST(Crossing, AfterTheStopInumsBelongToNobody) {
  Watched world;
  const Task a = world.run_container(docker_a);
  world.rmdir(a.cgroup);
  Task child = world.fork(world.run_container(docker_b));
  EXPECT_EQ(world.enter(child, NamespaceType::net, a.namespaces, Mechanism::unknown).direction,
            Direction::nest);
  Task host = world.spawn("ip");
  EXPECT_EQ(world
                .cross(host, with(host.namespaces, NamespaceType::uts, a.namespaces[NamespaceType::uts]),
                       Mechanism::unknown)
                .direction,
            Direction::host);
}

TEST(Crossing, TheSameNameAgainIsAnotherContainer) {
  Watched world;
  const Task first = world.run_container("/web");
  world.rmdir(first.cgroup);
  const Task second = world.run_container("/web");
  Task child = world.fork(second);
  world.unshare_one(child, NamespaceType::net);
  EXPECT_EQ(world.enter(child, NamespaceType::net, second.namespaces).direction, Direction::own);
  EXPECT_EQ(world.enter(child, NamespaceType::net, host_namespaces()).direction, Direction::escape);
}

TEST(Crossing, RecordsThatComeAfterTheStopAreStillTheContainers) {
  Watched world;
  const Task init = world.run_container(docker_a);
  Task child = world.fork(init);
  world.unshare_one(child, NamespaceType::net);
  world.rmdir(init.cgroup);
  EXPECT_EQ(world.enter(child, NamespaceType::net, init.namespaces).direction, Direction::own);
  EXPECT_EQ(world.enter(child, NamespaceType::net, host_namespaces()).direction, Direction::escape);
}

// --- cgroups ---

TEST(Crossing, OutOfTheContainersCgroup) {
  Watched world;
  Task init = world.run_container(docker_a);
  const auto away = world.mkdirs("/user.slice/session-1.scope");
  const auto crossing = resolve(world.attach_record(init, away), world.units);
  ASSERT_TRUE(crossing);
  EXPECT_EQ(crossing->direction, Direction::leave_cgroup);
  EXPECT_EQ(judge(*crossing).size(), 1u);
  EXPECT_EQ(crossing->from, ref_a);
  EXPECT_EQ(crossing->to.id, "/user.slice/session-1.scope");
  EXPECT_EQ(crossing->to_cgroup, "/user.slice/session-1.scope");
  EXPECT_EQ(crossing->process.pid, init.pid);
  EXPECT_EQ(crossing->mechanism, Mechanism::cgroup_attach);
  EXPECT_THAT(crossing->moves, IsEmpty());
  const auto root = resolve(world.attach_record(init, 1), world.units);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->to, host_ref);
  EXPECT_EQ(resolve(world.attach_record(init, world.mkdir(init.cgroup, "sub")), world.units), std::nullopt);
}

// By clone3 with CLONE_INTO_CGROUP. The child has its parent's home, wherever it is born.
TEST(Crossing, BornOutsideOfTheContainersCgroup) {
  Watched world;
  const Task init = world.run_container(docker_a);
  const auto born = [&](const Task& child, std::uint64_t cgroup) {
    event::Record record = world.attach_record(child, cgroup);
    std::get<event::CgroupAttached>(record.payload).mechanism = Mechanism::clone_into_cgroup;
    return resolve(record, world.units);
  };
  const auto crossing = born(world.fork(init), world.mkdirs("/user.slice/session-1.scope"));
  ASSERT_TRUE(crossing);
  EXPECT_EQ(crossing->direction, Direction::leave_cgroup);
  EXPECT_EQ(crossing->mechanism, Mechanism::clone_into_cgroup);
  EXPECT_EQ(judge(*crossing).size(), 1u);
  EXPECT_EQ(born(world.fork(init), world.mkdir(init.cgroup, "sub")), std::nullopt);
  EXPECT_EQ(born(world.spawn("runc"), init.cgroup), std::nullopt);
}

TEST(Crossing, MovesOfHostSoftwareAreNothing) {
  Watched world;
  const Task init = world.run_container(docker_a);
  EXPECT_EQ(resolve(world.attach_record(world.spawn("runc"), init.cgroup), world.units), std::nullopt);
  const auto service = world.mkdirs("/system.slice/web.service");
  EXPECT_EQ(resolve(world.attach_record(world.spawn("x", service), 1), world.units), std::nullopt);
  Task unknown = world.spawn("x");
  unknown.home = 0;
  EXPECT_EQ(resolve(world.attach_record(unknown, 1), world.units), std::nullopt);
}

// --- the rest ---

TEST(Crossing, CarriesWhatTheRecordSays) {
  Watched world;
  Task child = world.fork(world.run_container(docker_a));
  event::Record record = world.change(child, host_namespaces(), Mechanism::none);
  auto& change = std::get<event::NamespacesChanged>(record.payload);
  change.uid = 7;
  change.cap_effective = 8;
  change.seen_at = event::SeenAt::context_switch;
  change.comm = "ev\xffil";
  record.meta.tid = child.pid + 1;
  const auto crossing = resolve(record, world.units);
  ASSERT_TRUE(crossing);
  EXPECT_EQ(crossing->ts_mono_ns, 5u);
  EXPECT_EQ(crossing->process.pid, child.pid);
  EXPECT_EQ(crossing->process.tid, child.pid + 1);
  EXPECT_EQ(crossing->process.parent_pid, child.parent);
  EXPECT_EQ(crossing->process.uid, 7u);
  EXPECT_EQ(crossing->process.cap_effective, 8u);
  EXPECT_EQ(crossing->process.start_boot_ns, child.pid * 1000ull);
  EXPECT_EQ(crossing->process.comm, "ev\xffil");
  EXPECT_EQ(crossing->seen_at, event::SeenAt::context_switch);
  EXPECT_EQ(crossing->mechanism, Mechanism::none);
}

TEST(Crossing, NothingChangedNothingCrossed) {
  Watched world;
  const Task init = world.run_container(docker_a);
  EXPECT_EQ(resolve(world.change(init, init.namespaces, Mechanism::setns), world.units), std::nullopt);
  NamespaceSet gone;  // an exiting task has none
  EXPECT_EQ(resolve(world.change(init, gone, Mechanism::setns), world.units), std::nullopt);
  EXPECT_EQ(resolve({.meta = {}, .payload = event::VmExit{}}, world.units), std::nullopt);
}

TEST(Crossing, AVirtualMachineHasABoundaryToo) {
  Watched world;
  const auto scope = world.mkdirs("/machine.slice/machine-qemu\\x2d1\\x2dweb.scope");
  Task qemu = world.spawn("libvirtd");
  world.attach(qemu, scope);
  EXPECT_EQ(world.unshare_one(qemu, NamespaceType::mnt).direction, Direction::host);
  world.exec(qemu, "qemu");
  const Crossing crossing = world.enter(qemu, NamespaceType::mnt, host_namespaces());
  EXPECT_EQ(crossing.direction, Direction::escape);
  EXPECT_EQ(crossing.from.kind, UnitKind::vm);
  EXPECT_THAT(judge(crossing), IsEmpty()) << "the default policy is about containers";
}

}  // namespace
}  // namespace isoscope::policy
