// SPDX-License-Identifier: Apache-2.0
#include "identity/unit_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "identity_world.h"

namespace isoscope::identity {
namespace {

using event::Mechanism;
using event::NamespaceSet;
using event::NamespaceType;
using ::testing::ElementsAre;
using testing::host_namespaces;
using testing::id_a;
using testing::id_b;
using ::testing::IsEmpty;
using testing::said;
using testing::Task;
using ::testing::UnorderedElementsAre;
using testing::with;
using testing::World;

const std::string name_a = id_a.substr(0, 12);
const std::string name_b = id_b.substr(0, 12);
const std::string uid = "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55";

TEST(UnitRegistry, ALifeFromTheCgroupToItsEnd) {
  World world;
  world.mkdirs("/docker");
  EXPECT_THAT(said(world.changes), IsEmpty());
  const auto cgroup = world.mkdirs("/docker/" + id_a);
  EXPECT_THAT(said(world.changes), ElementsAre("container " + name_a + " created"));
  EXPECT_EQ(world.changes[0].namespaces, NamespaceSet{});

  const Task runc = world.spawn("runc");
  Task init = world.fork(runc);
  world.attach(init, cgroup);
  EXPECT_THAT(said(world.changes), IsEmpty());
  world.unshare(init, {NamespaceType::mnt, NamespaceType::pid, NamespaceType::net});
  EXPECT_THAT(said(world.changes), IsEmpty());
  world.exec(init, "nginx");
  ASSERT_THAT(said(world.changes), ElementsAre("container " + name_a + " started"));
  EXPECT_EQ(world.changes[0].namespaces, init.namespaces);
  EXPECT_EQ(world.changes[0].ref.id, id_a);
  EXPECT_EQ(world.changes[0].cgroup_path, "/docker/" + id_a);
  EXPECT_EQ(world.changes[0].cgroup_id, cgroup);

  Task again = world.fork(runc);
  again.namespaces = init.namespaces;
  world.attach(again, cgroup);
  world.exec(again, "sh");
  EXPECT_THAT(said(world.changes), IsEmpty()) << "an exec into it is no second start";
  EXPECT_EQ(world.units.unit_of_cgroup(cgroup).namespaces, init.namespaces);

  world.rmdir(cgroup);
  EXPECT_THAT(said(world.changes), ElementsAre("container " + name_a + " stopped"));
  world.rmdir(cgroup);
  EXPECT_THAT(said(world.changes), IsEmpty());
}

TEST(UnitRegistry, ARuntimesOwnProgramDoesNotStartAContainer) {
  World world;
  const auto cgroup = world.mkdirs("/docker/" + id_a);
  Task helper = world.spawn("runc");
  world.attach(helper, cgroup);
  // Its parent has yet another mount namespace, so that the kernel reports it; it is in the host's.
  world.exec(helper, "runc-init", 4026532999);
  EXPECT_THAT(said(world.changes), IsEmpty());
  EXPECT_EQ(world.units.unit_of_cgroup(cgroup).state, UnitState::created);
}

TEST(UnitRegistry, WhatLiesInsideAContainerBelongsToIt) {
  World world;
  const Task init = world.run_container("/docker/" + id_a);
  for (const char* inside : {"init.scope", "system.slice", "my.service"}) {
    const auto id = world.mkdir(init.cgroup, inside);
    EXPECT_THAT(said(world.changes), IsEmpty()) << inside;
    EXPECT_EQ(world.units.unit_of_cgroup(id).ref.id, id_a) << inside;
  }
}

TEST(UnitRegistry, AContainerMayStartInACgroupBelowItsOwn) {
  World world;
  const auto scope = world.mkdirs("/machine.slice/libpod-" + id_a + ".scope");
  Task init = world.spawn("crun");
  world.attach(init, world.mkdir(scope, "container"));
  world.unshare(init, {NamespaceType::mnt, NamespaceType::pid});
  world.exec(init, "sh");
  EXPECT_THAT(said(world.changes), ElementsAre("container " + name_a + " started"));
  EXPECT_EQ(world.changes[0].cgroup_id, scope);
}

TEST(UnitRegistry, TheInnermostContainerWins) {
  World world;
  const Task outer = world.run_container("/docker/" + id_a);
  const Task inner = world.run_container("/docker/" + id_a + "/docker/" + id_b);
  EXPECT_EQ(world.units.unit_of_cgroup(outer.cgroup).ref.id, id_a);
  EXPECT_EQ(world.units.unit_of_cgroup(inner.cgroup).ref.id, id_b);
  EXPECT_TRUE(world.units.is_within(world.units.unit_of_cgroup(inner.cgroup),
                                    world.units.unit_of_cgroup(outer.cgroup)));
}

TEST(UnitRegistry, PodsStartWithTheirFirstContainer) {
  World world;
  const std::string pod = "/kubepods/pod" + uid;
  world.mkdirs(pod);
  EXPECT_THAT(said(world.changes), ElementsAre("pod " + uid + " created"));
  world.run_container(pod + "/" + id_a);
  EXPECT_THAT(said(world.changes),
              ElementsAre("container " + name_a + " started", "pod " + uid + " started"));
  world.run_container(pod + "/" + id_b);
  EXPECT_THAT(said(world.changes), ElementsAre("container " + name_b + " started"));
}

TEST(UnitRegistry, ServicesStartWithTheirCgroupAndStayServices) {
  World world;
  const auto cgroup = world.mkdirs("/system.slice/web.service");
  ASSERT_EQ(world.changes.size(), 1u);
  EXPECT_EQ(world.changes[0].namespaces, host_namespaces());
  EXPECT_THAT(said(world.changes), ElementsAre("service web.service started"));
  Task program = world.spawn("systemd");
  world.attach(program, cgroup);
  world.unshare(program, {NamespaceType::mnt, NamespaceType::pid});  // PrivateTmp=, PrivatePIDs=
  world.exec(program, "nginx");
  ASSERT_EQ(world.changes.size(), 1u);
  EXPECT_EQ(world.changes[0].namespaces, program.namespaces);
  EXPECT_THAT(said(world.changes), ElementsAre("service web.service updated"));
  world.exec(program, "nginx");
  EXPECT_THAT(said(world.changes), IsEmpty());
  const Unit& unit = world.units.unit_of_cgroup(cgroup);
  EXPECT_EQ(unit.ref.kind, UnitKind::service);
  EXPECT_EQ(unit.namespaces, program.namespaces);
  EXPECT_THAT(world.units.owners_of(NamespaceType::mnt, program.namespaces[NamespaceType::mnt]).holders,
              ElementsAre(&unit));
  world.rmdir(cgroup);
  EXPECT_THAT(said(world.changes), ElementsAre("service web.service stopped"));
}

// --- containers that no path tells ---

TEST(UnitRegistry, RuncAloneIsKnownByTheNamespacesItMakes) {
  World world;
  const Task init = world.run_container("/web");
  EXPECT_THAT(said(world.changes), ElementsAre("container web started"));
  EXPECT_EQ(world.changes[0].ref.id, "/web");
  EXPECT_EQ(world.changes[0].namespaces, init.namespaces);
}

TEST(UnitRegistry, AFullIdIsAnIdWhereverItStands) {
  World world;
  world.run_container("/default/" + id_a);
  ASSERT_EQ(world.changes.size(), 1u);
  EXPECT_EQ(world.changes[0].ref, (UnitRef{UnitKind::container, id_a, name_a}));
}

TEST(UnitRegistry, ASandboxInASessionLeavesItASession) {
  World world;
  const auto session = world.mkdirs("/user.slice/session-1.scope");
  world.members.insert({session, host_namespaces()[NamespaceType::mnt]});  // the shell, and bwrap
  Task bwrap = world.spawn("sshd");
  world.attach(bwrap, session);
  world.exec(bwrap, "bwrap");
  Task sandboxed = world.fork(bwrap);
  world.move(sandboxed, world.fresh(sandboxed.namespaces, {NamespaceType::mnt, NamespaceType::pid}),
             Mechanism::clone);
  world.exec(sandboxed, "app");
  EXPECT_THAT(said(world.changes), IsEmpty());
  EXPECT_EQ(world.units.unit_of_cgroup(session).ref.kind, UnitKind::cgroup);
}

TEST(UnitRegistry, ASandboxInsideAContainerIsNoOtherContainer) {
  World world;
  const Task init = world.run_container("/web");
  Task bwrap = world.fork(init);
  const auto sub = world.mkdir(init.cgroup, "sub");
  world.attach(bwrap, sub);
  world.members.insert({sub, init.namespaces[NamespaceType::mnt]});
  Task sandboxed = world.fork(bwrap);
  world.unshare(sandboxed, {NamespaceType::mnt, NamespaceType::pid});
  world.exec(sandboxed, "app", init.namespaces[NamespaceType::mnt]);
  EXPECT_THAT(said(world.changes), IsEmpty());
  EXPECT_EQ(world.units.unit_of_cgroup(sub).ref.name, "web");
}

TEST(UnitRegistry, OwnMountNamespaceAloneIsNoContainer) {
  World world;
  const auto cgroup = world.mkdirs("/snap");
  Task snap = world.spawn("snap-confine");
  world.attach(snap, cgroup);
  world.unshare(snap, {NamespaceType::mnt});
  world.exec(snap, "app");
  EXPECT_THAT(said(world.changes), IsEmpty());
  Task pid_only = world.spawn("unshare");
  world.attach(pid_only, cgroup);
  world.unshare(pid_only, {NamespaceType::pid});
  world.exec(pid_only, "app", 4026532999);
  EXPECT_THAT(said(world.changes), IsEmpty());
}

// systemd-run --scope nsenter --target PID_OF_A_CONTAINER --mount --pid
TEST(UnitRegistry, AProgramInAnothersNamespacesIsNoContainer) {
  World world;
  const Task a = world.run_container("/web");
  Task nsenter = world.spawn("nsenter");
  world.attach(nsenter, world.mkdirs("/system.slice/run-1.scope"));
  world.move(nsenter, a.namespaces, Mechanism::setns);
  world.exec(nsenter, "sh");
  EXPECT_THAT(said(world.changes), IsEmpty());
  EXPECT_EQ(world.units.unit_of_cgroup(nsenter.cgroup).ref.kind, UnitKind::cgroup);
}

TEST(UnitRegistry, AContainerInsideAServicesDelegatedCgroup) {
  World world;
  world.run_container("/system.slice/k3s.service/web");
  EXPECT_THAT(said(world.changes), ElementsAre("container web started"));
}

TEST(UnitRegistry, AContainerByNamespacesTakesInWhatLiesBelow) {
  World world;
  const auto inside = world.mkdirs("/web/system.slice/my.service");
  EXPECT_EQ(world.units.unit_of_cgroup(inside).ref.kind, UnitKind::service);
  const Task init = world.run_container("/web");
  EXPECT_EQ(world.units.unit_of_cgroup(inside).ref.id, "/web");
  const auto later = world.mkdir(init.cgroup, "other.service");
  EXPECT_EQ(world.units.unit_of_cgroup(later).ref.id, "/web");
}

TEST(UnitRegistry, AContainerIsKnownWithoutFentryToo) {
  World world;
  Task init = world.fork(world.spawn("runc"));
  world.attach(init, world.mkdirs("/web"));
  world.move(init, world.fresh(init.namespaces, {NamespaceType::mnt, NamespaceType::pid}),
             Mechanism::unknown);
  world.exec(init, "sh");
  EXPECT_THAT(said(world.changes), ElementsAre("container web started"));
}

// --- who answers for a task ---

TEST(UnitRegistry, TheRuntimeAnswersUntilTheStart) {
  World world;
  const auto cgroup = world.mkdirs("/docker/" + id_a);
  EXPECT_EQ(world.units.unit_of_task(cgroup, 5).ref.kind, UnitKind::host);
  const Task init = world.run_container("/docker/" + id_a);
  EXPECT_EQ(world.units.unit_of_task(cgroup, 5).ref.id, id_a);
  // Inside a container its runtime is that container, and so is whoever claims to be one.
  const auto nested = world.mkdirs("/docker/" + id_a + "/docker/" + id_b);
  EXPECT_EQ(world.units.unit_of_task(nested, 5).ref.id, id_a);
}

TEST(UnitRegistry, TheRuntimeOfASecondContainerIsNotThePod) {
  World world;
  const std::string pod = "/kubepods/pod" + uid;
  world.run_container(pod + "/" + id_a);
  const auto second = world.mkdirs(pod + "/" + id_b);
  EXPECT_EQ(world.units.unit_of_task(second, 5).ref.kind, UnitKind::host);
}

// --- namespaces ---

TEST(UnitRegistry, OwnersOfNamespaces) {
  World world;
  const Task a = world.run_container("/docker/" + id_a);
  const Unit& unit_a = world.units.unit_of_cgroup(a.cgroup);
  const auto host = world.units.owners_of(NamespaceType::net, host_namespaces()[NamespaceType::net]);
  EXPECT_TRUE(host.is_host);
  EXPECT_THAT(host.holders, IsEmpty());
  const auto of_a = world.units.owners_of(NamespaceType::net, a.namespaces[NamespaceType::net]);
  EXPECT_FALSE(of_a.is_host);
  EXPECT_THAT(of_a.holders, ElementsAre(&unit_a));
  const auto other_type = world.units.owners_of(NamespaceType::uts, a.namespaces[NamespaceType::net]);
  EXPECT_THAT(other_type.holders, IsEmpty()) << "types have inums of their own";
  const auto nobody = world.units.owners_of(NamespaceType::net, 4026539999);
  EXPECT_FALSE(nobody.is_host);
  EXPECT_EQ(nobody.maker, nullptr);
  EXPECT_FALSE(world.units.owners_of(NamespaceType::time, 0).is_host);
}

TEST(UnitRegistry, MembersOfAPodShareANamespace) {
  World world;
  const std::string pod = "/kubepods/pod" + uid;
  const Task a = world.run_container(pod + "/" + id_a);
  const std::uint32_t net = a.namespaces[NamespaceType::net];
  const Task b = world.run_container(pod + "/" + id_b, net);
  EXPECT_THAT(
      world.units.owners_of(NamespaceType::net, net).holders,
      UnorderedElementsAre(&world.units.unit_of_cgroup(a.cgroup), &world.units.unit_of_cgroup(b.cgroup)));
  world.rmdir(a.cgroup);
  EXPECT_THAT(world.units.owners_of(NamespaceType::net, net).holders,
              ElementsAre(&world.units.unit_of_cgroup(b.cgroup)));
}

TEST(UnitRegistry, WhatAUnitMakesLaterIsItsOwn) {
  World world;
  const Task init = world.run_container("/docker/" + id_a);
  Task child = world.fork(init);
  world.unshare(child, {NamespaceType::net});
  const auto owners = world.units.owners_of(NamespaceType::net, child.namespaces[NamespaceType::net]);
  EXPECT_EQ(owners.maker, &world.units.unit_of_cgroup(init.cgroup));
  EXPECT_THAT(owners.holders, IsEmpty());
}

TEST(UnitRegistry, HostSoftwareMakesForTheHost) {
  World world;
  const auto session = world.mkdirs("/user.slice/session-1.scope");
  Task ip = world.spawn("ip", session);
  world.unshare(ip, {NamespaceType::net});
  const std::uint32_t net = ip.namespaces[NamespaceType::net];
  EXPECT_EQ(world.units.owners_of(NamespaceType::net, net).maker, &world.units.host());
  world.rmdir(session);  // ip netns add: the namespace outlives the session
  EXPECT_EQ(world.units.owners_of(NamespaceType::net, net).maker, &world.units.host());
}

TEST(UnitRegistry, AStoppedUnitHasNoNamespaces) {
  World world;
  const Task init = world.run_container("/docker/" + id_a);
  Task child = world.fork(init);
  world.unshare(child, {NamespaceType::user});
  world.rmdir(init.cgroup);
  EXPECT_THAT(world.units.owners_of(NamespaceType::mnt, init.namespaces[NamespaceType::mnt]).holders,
              IsEmpty());
  EXPECT_EQ(world.units.owners_of(NamespaceType::user, child.namespaces[NamespaceType::user]).maker, nullptr);
}

TEST(UnitRegistry, ANewNamespaceTakesTheInumFromTheDead) {
  World world;
  const Task a =
      world.run_container("/docker/" + id_a);  // its last task has ended, its cgroup is still there
  const Task b = world.run_container("/docker/" + id_b);
  Task child = world.fork(b);
  const NamespaceType net = NamespaceType::net;
  world.move(child, with(child.namespaces, net, a.namespaces[net]), Mechanism::unshare);
  const auto owners = world.units.owners_of(net, a.namespaces[net]);
  EXPECT_THAT(owners.holders, IsEmpty());
  EXPECT_EQ(owners.maker, &world.units.unit_of_cgroup(b.cgroup));
}

TEST(UnitRegistry, JoiningTakesNothingFromAnyone) {
  World world;
  const Task a = world.run_container("/docker/" + id_a);
  const Task b = world.run_container("/docker/" + id_b);
  Task child = world.fork(b);
  const NamespaceType net = NamespaceType::net;
  for (const Mechanism mechanism : {Mechanism::setns, Mechanism::unknown, Mechanism::none}) {
    child.namespaces = b.namespaces;
    world.move(child, with(child.namespaces, net, a.namespaces[net]), mechanism);
    EXPECT_THAT(world.units.owners_of(net, a.namespaces[net]).holders,
                ElementsAre(&world.units.unit_of_cgroup(a.cgroup)));
  }
}

// --- machines ---

TEST(UnitRegistry, AVcpuMakesItsProcessAMachine) {
  World world;
  world.vms[77] = Vm{.id = "pid:77", .name = "web", .uuid = "", .vmm = "qemu", .pid = 77};
  const event::Meta meta{.ts_ns = 5, .cgroup_id = 1, .tgid = 77, .tid = 79, .cpu = 0};
  EXPECT_EQ(world.units.vm_of(77), nullptr);
  auto changes = world.feed(meta, event::VcpuSeen{.start_boot_ns = 9, .vcpu_id = 0, .isa = event::Isa::svm});
  ASSERT_THAT(said(changes), ElementsAre("vm web started"));
  EXPECT_EQ(changes[0].ref.id, "pid:77");
  EXPECT_THAT(world.feed(meta, event::VcpuSeen{.start_boot_ns = 9, .vcpu_id = 1, .isa = event::Isa::svm}),
              IsEmpty());
  EXPECT_EQ(world.vm_reads, 1);
  ASSERT_NE(world.units.vm_of(77), nullptr);
  EXPECT_EQ(world.units.vm_of(77)->vmm, "qemu");
  EXPECT_EQ(world.units.unit_of_task(1, 77).ref.name, "web");
  EXPECT_EQ(world.units.unit_of_task(1, 78).ref.kind, UnitKind::host);
  EXPECT_THAT(said(world.units.end_vm(77)), ElementsAre("vm web stopped"));
  EXPECT_THAT(world.units.end_vm(77), IsEmpty());
  // Its other threads may still run, under its name; what they do is no machine's any more.
  ASSERT_NE(world.units.vm_of(77), nullptr);
  EXPECT_EQ(world.units.ref_of_vm(77).name, "web");
  EXPECT_EQ(world.units.unit_of_task(1, 77).ref.kind, UnitKind::host);
  world.units.forget_process(77);
  EXPECT_EQ(world.units.vm_of(77), nullptr);
  EXPECT_EQ(world.units.ref_of_vm(77).name, "pid:77");
}

TEST(UnitRegistry, AProcessMayRunOneMachineAfterTheOther) {
  World world;
  world.vms[77] = Vm{.id = "pid:77", .name = "first", .uuid = "", .vmm = "qemu", .pid = 77};
  const event::Meta meta{.ts_ns = 5, .cgroup_id = 1, .tgid = 77, .tid = 79, .cpu = 0};
  const event::VcpuSeen seen{.start_boot_ns = 9, .vcpu_id = 0, .isa = event::Isa::svm};
  EXPECT_THAT(said(world.feed(meta, seen)), ElementsAre("vm first started"));
  EXPECT_THAT(said(world.units.end_vm(77)), ElementsAre("vm first stopped"));
  world.vms[77].name = "second";
  EXPECT_THAT(said(world.feed(meta, seen)), ElementsAre("vm second started"));
  EXPECT_EQ(world.units.unit_of_task(1, 77).ref.name, "second");
}

TEST(UnitRegistry, AMachineInsideAContainerAnswersAsThatContainer) {
  World world;
  const Task init = world.run_container("/docker/" + id_a);
  world.vms[77] = Vm{.id = "pid:77", .name = "kata", .uuid = "", .vmm = "qemu", .pid = 77};
  world.feed({.ts_ns = 5, .cgroup_id = init.cgroup, .tgid = 77, .tid = 77, .cpu = 0}, event::VcpuSeen{});
  EXPECT_EQ(world.units.unit_of_task(init.cgroup, 77).ref.id, id_a);
  EXPECT_EQ(world.units.vm_of(77)->name, "kata");
}

TEST(UnitRegistry, LibvirtsScopeAndTheCommandLineAreOneMachine) {
  World world;
  const auto scope = world.mkdirs("/machine.slice/machine-qemu\\x2d1\\x2dweb.scope");
  EXPECT_THAT(said(world.changes), ElementsAre("vm web created"));
  world.vms[77] = Vm{.id = uid, .name = "web", .uuid = uid, .vmm = "qemu", .pid = 77};
  const auto emulator = world.mkdir(scope, "emulator");
  const auto changes =
      world.feed({.ts_ns = 5, .cgroup_id = emulator, .tgid = 77, .tid = 77, .cpu = 0}, event::VcpuSeen{});
  ASSERT_THAT(said(changes), ElementsAre("vm web started"));
  EXPECT_EQ(changes[0].ref.id, uid);
  EXPECT_EQ(world.units.unit_of_cgroup(scope).ref.id, uid);
  EXPECT_EQ(world.units.unit_of_task(1, 77).ref.id, uid) << "its home may be libvirtd's cgroup";
  EXPECT_THAT(world.units.end_vm(77), IsEmpty());
  world.rmdir(scope);
  EXPECT_THAT(said(world.changes), ElementsAre("vm web stopped"));
}

TEST(UnitRegistry, AScopeNamesAMachineWhoseCommandLineDoesNot) {
  World world;
  const auto scope = world.mkdirs("/machine.slice/machine-qemu\\x2d1\\x2dweb.scope");
  world.vms[77] = Vm{.id = "pid:77", .name = "pid:77", .uuid = "", .vmm = "qemu", .pid = 77};
  world.feed({.ts_ns = 5, .cgroup_id = scope, .tgid = 77, .tid = 77, .cpu = 0}, event::VcpuSeen{});
  EXPECT_EQ(world.units.vm_of(77)->name, "web");
}

TEST(UnitRegistry, AScopeNamesAMachineThatHasAUuidAlone) {
  World world;
  const auto scope = world.mkdirs("/machine.slice/machine-qemu\\x2d1\\x2dweb.scope");
  world.vms[77] = Vm{.id = uid, .name = "pid:77", .uuid = uid, .vmm = "qemu", .pid = 77};
  const auto changes =
      world.feed({.ts_ns = 5, .cgroup_id = scope, .tgid = 77, .tid = 77, .cpu = 0}, event::VcpuSeen{});
  EXPECT_THAT(said(changes), ElementsAre("vm web started"));
  EXPECT_EQ(world.units.vm_of(77)->id, uid);
}

// The VM of a process whose first vCPU makes its first exit in this cgroup.
Vm vm_in(World& world, std::uint64_t cgroup, const std::string& cgroup_of_vmm = "") {
  world.vms[77] = Vm{
      .id = "pid:77", .name = "pid:77", .uuid = "", .vmm = "qemu", .pid = 77, .cgroup_path = cgroup_of_vmm};
  world.feed({.ts_ns = 5, .cgroup_id = cgroup, .tgid = 77, .tid = 78, .cpu = 0}, event::VcpuSeen{});
  return *world.units.vm_of(77);
}

TEST(UnitRegistryVm, HasTheCgroupOfItsVmmAndNotOfAVcpu) {
  World world;
  const std::string path = "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope";
  const auto emulator = world.mkdirs(path + "/libvirt/emulator"),
             vcpu = world.mkdirs(path + "/libvirt/vcpu0");
  const Vm vm = vm_in(world, vcpu, path + "/libvirt/emulator");
  EXPECT_EQ(vm.cgroup_id, emulator);
  EXPECT_EQ(vm.cgroup_path, path + "/libvirt/emulator");
  EXPECT_EQ(vm.scope, (VmScope{VmScopeKind::libvirt, path, "web"}));
}

TEST(UnitRegistryVm, WhoseVmmIsNotReadableIsWhereItsVcpuIs) {
  World world;
  const auto service = world.mkdirs("/system.slice/vm@web.service");
  const Vm vm = vm_in(world, service, "/a/cgroup/that/nobody/knows");
  EXPECT_EQ(vm.cgroup_id, service);
  EXPECT_EQ(vm.scope, (VmScope{VmScopeKind::service, "/system.slice/vm@web.service", "vm@web.service"}));
  EXPECT_EQ(vm.name, "pid:77") << "a service may run several VMs";
}

TEST(UnitRegistryVm, OfAPodBelongsToIt) {
  World world;
  const Task init = world.run_container("/kubepods/burstable/pod" + uid + "/" + id_a);
  const Vm vm = vm_in(world, init.cgroup);
  EXPECT_EQ(vm.scope, (VmScope{VmScopeKind::pod, uid, uid}));
  EXPECT_EQ(world.units.ref_of_cgroup(init.cgroup).id, id_a) << "the container pays";
}

TEST(UnitRegistryVm, InAContainerThatOnlyItsNamespacesTell) {
  World world;
  const Task init = world.run_container("/web");
  EXPECT_EQ(vm_in(world, init.cgroup).scope, (VmScope{VmScopeKind::container, "/web", "web"}));
}

TEST(UnitRegistryVm, InAPlainCgroupIsNobodys) {
  World world;
  const auto plain = world.mkdirs("/vms");
  EXPECT_EQ(vm_in(world, plain).scope, std::nullopt);
}

TEST(UnitRegistryVm, FollowsItsVmmIntoAnotherCgroup) {
  World world;
  const std::string path = "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope";
  const auto daemon = world.mkdirs("/system.slice/libvirtd.service"), scope = world.mkdirs(path);
  EXPECT_EQ(vm_in(world, daemon).scope->kind, VmScopeKind::service);
  Task vcpu = world.spawn("CPU 0/KVM", daemon);
  vcpu.pid = 78;
  world.attach(vcpu, scope);
  EXPECT_EQ(world.units.vm_of(77)->cgroup_id, daemon) << "somebody else";
  Task vmm = world.spawn("qemu", daemon);
  vmm.pid = 77;
  world.attach(vmm, scope);
  EXPECT_EQ(world.units.vm_of(77)->cgroup_id, scope);
  EXPECT_EQ(world.units.vm_of(77)->scope, (VmScope{VmScopeKind::libvirt, path, "web"}));
  EXPECT_EQ(world.units.vm_of(77)->name, "web");
}

// --- memory ---

TEST(UnitRegistry, KeepsNothingOfWhatIsGone) {
  World world;
  world.mkdirs("/docker");
  const std::size_t units = world.units.size(), cgroups = world.units.cgroups().size();
  for (int i = 0; i < 50; i++) {
    const Task init = world.run_container("/docker/" + id_a);
    Task child = world.fork(init);
    world.unshare(child, {NamespaceType::user, NamespaceType::net});
    EXPECT_EQ(world.units.unit_of_task(init.cgroup, 1).ref.id, id_a);
    world.rmdir(init.cgroup);
    EXPECT_EQ(world.units.ref_of_cgroup(init.cgroup).id, id_a) << "records of its last tasks come later";
    for (int windows = 0; windows < 3; windows++) {
      world.units.expire();
    }
    EXPECT_EQ(world.units.ref_of_cgroup(init.cgroup).id, "cgroup:" + std::to_string(init.cgroup));
  }
  EXPECT_EQ(world.units.size(), units);
  EXPECT_EQ(world.units.cgroups().size(), cgroups);
}

TEST(UnitRegistry, AUnitThatUnsharesForEverIsBounded) {
  World world;
  Task child = world.run_container("/docker/" + id_a);
  Task host = world.spawn("ip");
  for (int i = 0; i < 20'000; i++) {
    world.unshare(child, {NamespaceType::net});
    world.unshare(host, {NamespaceType::net});
  }
  EXPECT_LE(world.units.known_namespaces(),
            NamespaceIndex::made_by_unit_limit + NamespaceIndex::made_by_host_limit + 8);
  EXPECT_NE(world.units.owners_of(NamespaceType::net, child.namespaces[NamespaceType::net]).maker, nullptr);
}

TEST(UnitRegistry, LiveAgainUnderTheSameName) {
  World world;
  const Task first = world.run_container("/web");
  world.rmdir(first.cgroup);
  const Task second = world.run_container("/web");
  EXPECT_THAT(said(world.changes), ElementsAre("container web started"));
  EXPECT_NE(first.cgroup, second.cgroup);
  EXPECT_EQ(world.units.unit_of_cgroup(second.cgroup).namespaces, second.namespaces);
  for (int i = 0; i < 3; i++) {
    world.units.expire();
  }
  EXPECT_EQ(world.units.unit_of_cgroup(second.cgroup).ref.name, "web");
}

TEST(UnitRegistry, Words) {
  EXPECT_STREQ(to_string(UnitKind::vm), "vm");
  EXPECT_STREQ(to_string(UnitState::found), "found");
}

// --- unknown cgroups ---

TEST(UnitRegistryScan, AnUnknownCgroupIsLookedForOnce) {
  std::string name = ::testing::TempDir() + "/registry-XXXXXX";
  const std::filesystem::path root = ::mkdtemp(name.data());
  UnitRegistry units(CgroupTree({root.string(), ""}), host_namespaces(), UnitRegistry::proc_reader());
  units.adopt({}, 0);
  std::filesystem::create_directories(root / "docker" / id_a);  // its record was lost
  constexpr std::uint64_t second = 1'000'000'000;
  EXPECT_THAT(said(units.learn(999'999'999'999, 10 * second)),
              ElementsAre("container " + name_a + " created"));
  const auto id = units.cgroups().id_of("/docker/" + id_a);
  EXPECT_EQ(units.ref_of_cgroup(id).id, id_a);
  std::filesystem::remove_all(root / "docker");
  EXPECT_THAT(units.learn(999'999'999'999, 20 * second), IsEmpty()) << "it was not there a while ago";
  // A record that names unknown cgroups asks for them too.
  const event::Record record{
      .meta = {.ts_ns = 30 * second, .cgroup_id = 1, .tgid = 1, .tid = 1, .cpu = 0},
      .payload = event::CgroupAttached{
          .to_cgroup_id = 999'999'999'998, .home_cgroup_id = 0, .moved_tgid = 1, .moved_tid = 1, .comm = ""}};
  EXPECT_THAT(said(units.prepare(record)), ElementsAre("container " + name_a + " stopped"));
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace isoscope::identity
