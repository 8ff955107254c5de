// SPDX-License-Identifier: Apache-2.0
// Whose the thing is that a task reached for, and what the built-in policy says of it.
#include "policy/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "identity_world.h"
#include "policy/engine.h"
#include "policy/facts.h"

namespace isoscope::policy {
namespace {

using event::AccessKind;
using event::NamespaceType;
using identity::testing::host_namespaces;
using identity::testing::id_a;
using identity::testing::id_b;
using identity::testing::Task;
using identity::testing::World;

constexpr AccessKind to_tasks[] = {AccessKind::ptrace, AccessKind::signal, AccessKind::unix_connect};
constexpr AccessKind to_files[] = {AccessKind::file_received, AccessKind::foreign_cwd,
                                   AccessKind::foreign_root};
constexpr AccessKind to_the_kernel[] = {AccessKind::release_agent, AccessKind::core_pattern,
                                        AccessKind::usermode_helper, AccessKind::module_load,
                                        AccessKind::bpf};

class Accesses : public ::testing::Test {
 protected:
  std::optional<Access> reach(const Task& task, event::Access access) {
    access.home_cgroup_id = task.home;
    access.comm = task.comm;
    return resolve_access({.ts_ns = 7, .cgroup_id = task.cgroup, .tgid = task.pid, .tid = task.pid, .cpu = 0},
                          access, world_.units);
  }
  std::optional<Access> reach(const Task& task, AccessKind kind, const Task& target) {
    return reach(task, {.kind = kind,
                        .target_cgroup_id = target.home,
                        .target_in_cgroup_id = target.cgroup,
                        .target_tgid = target.pid});
  }
  std::optional<Access> reach_file(const Task& task, AccessKind kind, std::uint32_t mnt) {
    return reach(task, {.kind = kind, .detail = mnt});
  }

  World world_;
  Task one_ = world_.run_container("/docker/" + id_a);
  Task other_ = world_.run_container("/docker/" + id_b);
  Task sshd_ = world_.spawn("sshd", world_.mkdirs("/system.slice/ssh.service"));
};

TEST_F(Accesses, OfTasks) {
  for (const AccessKind kind : to_tasks) {
    SCOPED_TRACE(event::to_string(kind));
    const auto lateral = reach(one_, kind, other_);
    ASSERT_TRUE(lateral);
    EXPECT_EQ(lateral->direction, Direction::lateral);
    EXPECT_EQ(lateral->from.id, id_a);
    EXPECT_EQ(lateral->to.id, id_b);
    EXPECT_EQ(lateral->target_pid, other_.pid);
    const auto escape = reach(one_, kind, sshd_);
    ASSERT_TRUE(escape);
    EXPECT_EQ(escape->direction, Direction::escape);
    EXPECT_EQ(escape->to.name, "ssh.service");
    EXPECT_FALSE(reach(one_, kind, world_.fork(one_)));
    EXPECT_FALSE(reach(sshd_, kind, one_)) << "the host may";
  }
}

// What `docker exec` brings is the runtime's until it runs the program, and already visible in there.
TEST_F(Accesses, OfWhatARuntimePutsIntoTheContainer) {
  Task stage = world_.spawn("runc");
  world_.attach(stage, one_.cgroup);
  EXPECT_FALSE(reach(one_, AccessKind::ptrace, stage));
  EXPECT_TRUE(reach(other_, AccessKind::ptrace, stage));
}

TEST_F(Accesses, OfSocketsThatNobodyIsKnownFor) {
  const auto access = reach(one_, {.kind = AccessKind::unix_connect, .path = "/run/docker.sock"});
  ASSERT_TRUE(access);
  EXPECT_EQ(access->direction, Direction::escape);
  EXPECT_EQ(access->path, "/run/docker.sock");
}

TEST_F(Accesses, OfFilesByTheirMountNamespace) {
  const auto own = world_.units.unit_of_cgroup(one_.cgroup).namespaces[NamespaceType::mnt];
  const auto others = world_.units.unit_of_cgroup(other_.cgroup).namespaces[NamespaceType::mnt];
  Task unsharing = world_.spawn("unshare");
  world_.unshare(unsharing, {NamespaceType::mnt});
  for (const AccessKind kind : to_files) {
    SCOPED_TRACE(event::to_string(kind));
    const auto escape = reach_file(one_, kind, host_namespaces()[NamespaceType::mnt]);
    ASSERT_TRUE(escape);
    EXPECT_EQ(escape->direction, Direction::escape);
    const auto made_by_host = reach_file(one_, kind, unsharing.namespaces[NamespaceType::mnt]);
    ASSERT_TRUE(made_by_host);
    EXPECT_EQ(made_by_host->direction, Direction::escape);
    const auto lateral = reach_file(one_, kind, others);
    ASSERT_TRUE(lateral);
    EXPECT_EQ(lateral->direction, Direction::lateral);
    EXPECT_EQ(lateral->to.id, id_b);
    EXPECT_FALSE(reach_file(one_, kind, own));
    EXPECT_FALSE(reach_file(one_, kind, 12345)) << "nobody's that is known";
  }
}

TEST_F(Accesses, WhatWasWrittenEndsWithItsLine) {
  EXPECT_EQ(reach(one_, {.kind = AccessKind::release_agent, .path = "/tmp/evil\n"})->path, "/tmp/evil");
}

TEST_F(Accesses, OfTheKernelAreEscapes) {
  for (const AccessKind kind : to_the_kernel) {
    SCOPED_TRACE(event::to_string(kind));
    const auto escape = reach(one_, {.kind = kind});
    ASSERT_TRUE(escape);
    EXPECT_EQ(escape->direction, Direction::escape);
    EXPECT_EQ(escape->to.kind, identity::UnitKind::host);
    EXPECT_FALSE(reach(sshd_, {.kind = kind}));
  }
}

TEST_F(Accesses, RefusedCrossings) {
  constexpr std::uint32_t newuts = 0x04000000, newnet = 0x40000000;
  const auto enter = [&](std::uint32_t inum) {
    return reach(one_, {.kind = AccessKind::setns, .detail = newuts, .error = 1, .target_inum = inum});
  };
  const auto escape = enter(host_namespaces()[NamespaceType::uts]);
  ASSERT_TRUE(escape);
  EXPECT_EQ(escape->direction, Direction::escape);
  const auto lateral = enter(world_.units.unit_of_cgroup(other_.cgroup).namespaces[NamespaceType::uts]);
  ASSERT_TRUE(lateral);
  EXPECT_EQ(lateral->direction, Direction::lateral);
  EXPECT_EQ(lateral->to.id, id_b);
  EXPECT_FALSE(enter(world_.units.unit_of_cgroup(one_.cgroup).namespaces[NamespaceType::uts]));
  EXPECT_EQ(enter(0)->to.kind, identity::UnitKind::host) << "behind a pidfd";

  const auto made = reach(one_, {.kind = AccessKind::unshare, .detail = newuts | newnet, .error = 1});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->direction, Direction::nest);
  const Facts facts = facts_of(*made);
  EXPECT_EQ(facts.event, EventKind::attempt);
  EXPECT_EQ(facts.mechanism, "unshare");
  EXPECT_EQ(facts.namespaces, (std::vector{NamespaceType::uts, NamespaceType::net}));
  EXPECT_EQ(facts.resources, (std::vector<std::string>{"namespace/uts", "namespace/net"}));
  EXPECT_FALSE(facts.to);
  EXPECT_TRUE(judge(*made).empty()) << "it was refused";
  EXPECT_FALSE(reach(sshd_, {.kind = AccessKind::clone, .detail = newuts, .error = 1}));
}

// Rule and effect, or `-`.
std::string ruling_of(const Access& access) {
  const auto said = judge(access);
  return said.empty() ? "-" : said.front().rule + " " + to_string(said.front().effect);
}

TEST_F(Accesses, AsTheBuiltInPolicySeesThem) {
  constexpr std::uint32_t attach = 0x12, read = 0x11;  // PTRACE_MODE_ATTACH, _READ, with _REALCREDS
  const auto ruling = [&](event::Access access) {
    access.target_cgroup_id = other_.home;
    access.target_tgid = other_.pid;
    const auto resolved = reach(one_, access);
    return resolved ? ruling_of(*resolved) : "none";
  };
  EXPECT_EQ(ruling({.kind = AccessKind::ptrace, .detail = attach}), "ptrace-across deny");
  EXPECT_EQ(ruling({.kind = AccessKind::ptrace, .detail = read}), "proc-across deny");
  EXPECT_EQ(ruling({.kind = AccessKind::ptrace, .detail = attach, .error = 1}), "-") << "it was refused";
  EXPECT_EQ(ruling({.kind = AccessKind::signal, .detail = 9}), "signal-across deny");
  EXPECT_EQ(ruling({.kind = AccessKind::release_agent}), "kernel-helper deny");
  EXPECT_EQ(ruling({.kind = AccessKind::core_pattern}), "kernel-helper deny");
  EXPECT_EQ(ruling({.kind = AccessKind::usermode_helper}), "-") << "a core dump runs one, too";
  EXPECT_EQ(ruling({.kind = AccessKind::module_load}), "kernel-module deny");
  EXPECT_EQ(ruling({.kind = AccessKind::bpf, .detail = 5}), "-");
  EXPECT_EQ(ruling({.kind = AccessKind::foreign_cwd, .detail = host_namespaces()[NamespaceType::mnt]}),
            "foreign-folder deny");
  EXPECT_EQ(ruling({.kind = AccessKind::unix_connect, .path = "/run/docker.sock"}), "-")
      << "another container's";
  const auto socket = [&](const char* path) {
    return ruling_of(*reach(one_, {.kind = AccessKind::unix_connect, .path = path}));
  };
  EXPECT_EQ(socket("/var/run/docker.sock"), "runtime-socket audit");
  EXPECT_EQ(socket("/run/containerd/containerd.sock"), "runtime-socket audit");
  EXPECT_EQ(socket("/run/mysqld/mysqld.sock"), "-");
}

}  // namespace
}  // namespace isoscope::policy
