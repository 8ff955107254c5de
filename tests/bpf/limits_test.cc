// SPDX-License-Identifier: Apache-2.0
// bpf/lib/limits.bpf.h: what no legal path changes. A breach itself is made by writing into the task record
// what the task would have had before: nothing but a debugger writes into the kernel's own memory, and that
// is for the lab.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bpf_objects.h"
#include "cgroup.h"
#include "lib/task_record.h"
#include "live.h"

namespace isoscope::live {
namespace {

using event::Breach;
using event::CapabilitySet;
using event::Invariant;

int drop_permitted() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> none{};
  return static_cast<int>(::syscall(SYS_capset, &header, none.data()));
}

int filter_nothing() {
  sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{1, allow};
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

class Limits : public Live {
 protected:
  void start(const probe::Options& options = {}) { start_among_hosts(options); }
  std::vector<Seen<Breach>> breaches() {
    drain();
    return seen<Breach>([](const event::Meta&, const Breach&) { return true; });
  }
  void expect_no_breach() {
    for (const auto& one : breaches()) {
      ADD_FAILURE() << event::to_string(one.what.invariant) << " at " << event::to_string(one.what.seen_at)
                    << " of " << one.what.comm << ": " << one.what.before << " -> " << one.what.now;
    }
  }
  // In a mount namespace of its own, as a container's are.
  void expect_legal(const std::function<int()>& body) {
    start();
    const Child child({.flags = CLONE_NEWNS}, body);
    ASSERT_EQ(child.await_end(), 0);
    expect_no_breach();
    EXPECT_GT(counter(ISOSCOPE_CREDS_CHECKS), 0U);
    EXPECT_EQ(counter(ISOSCOPE_INITIAL_CHECKS), counter(ISOSCOPE_CREDS_CHECKS));
  }
};

TEST_F(Limits, NestedUserNamespaces) {
  expect_legal([] {
    ::execl("/bin/sh", "sh", "-c", "unshare -r unshare -r true && unshare -rpf --mount unshare -r sh -c true",
            nullptr);
    return 126;
  });
}

TEST_F(Limits, GivingUpPrivileges) {
  expect_legal([] {
    int failed = ::prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT);
    ::usleep(1000);  // a switch: what there is now is known, and permitted lies outside of bounding
    failed |= ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) | filter_nothing();
    ::usleep(1000);
    failed |= ::setresuid(65534, 65534, 65534);
    const Child grandchild([] {
      ::usleep(1000);
      return 0;
    });
    return failed | grandchild.await_end();
  });
}

// It has what the bounding set lets it have, which is more than before.
TEST_F(Limits, AnExecGivesCapabilities) {
  expect_legal([] {
    if (drop_permitted() != 0) {
      return 125;
    }
    ::usleep(1000);
    ::execl("/bin/sh", "sh", "-c", "sleep 0.01", nullptr);
    return 126;
  });
}

// The thread has all that its leader gave up, and comes to the leader's id, and record, by its exec.
TEST_F(Limits, AnExecByAThread) {
  expect_legal([] {
    for (int i = 0; i < 20; ++i) {
      const Child child([] {
        const Gate go;
        std::thread([&] {
          go.wait();
          ::execl("/bin/sh", "sh", "-c", "sleep 0.001", nullptr);
          ::_exit(126);
        }).detach();
        const int failed = ::prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT) | drop_permitted() |
                           ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) | filter_nothing();
        ::usleep(1000);
        go.open();
        ::pause();
        return failed;
      });
      if (child.await_end() != 0) {
        return 1;
      }
    }
    return 0;
  });
}

TEST_F(Limits, TheHostIsNotLookedAt) {
  start();
  const Child child([] {
    const int failed = ::prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT) | drop_permitted();
    ::usleep(1000);
    return failed;
  });
  ASSERT_EQ(child.await_end(), 0);
  EXPECT_TRUE(breaches().empty());
}

// No namespaces are the host's: whatever runs here meanwhile is looked at as if it were contained.
TEST_F(Limits, NothingThatRunsHereBreaksAny) {
  Live::start();
  const Child child([] {
    ::execl("/bin/sh", "sh", "-c",
            "for i in $(seq 50); do unshare -r sh -c 'true | true'; setpriv --no-new-privs --bounding-set "
            "-all true; "
            "setpriv --reuid 65534 --clear-groups sh -c 'true; true'; done",
            nullptr);
    return 126;
  });
  ASSERT_EQ(child.await_end(), 0);
  expect_no_breach();
  // How many of them a look falls upon depends on how busy the machine is, where commit_creds has no hook.
  EXPECT_GT(counter(ISOSCOPE_CREDS_CHANGES), 0U);
}

// A contained child that sleeps while its record is written to, and then goes on.
class Broken : public Limits {
 protected:
  void break_record(const std::function<void(task_record&)>& write) {
    write_record(write);
    go_.open();
    ASSERT_TRUE(slept_.await());
  }
  void write_record(const std::function<void(task_record&)>& write) {
    child_.emplace(Child::How{.flags = CLONE_NEWNS}, [&] {
      ::usleep(1000);
      const Gate* const gates[] = {&go_, &again_};
      for (const Gate* gate : gates) {
        slept_.open();
        gate->wait();
        ::usleep(1000);
      }
      return 0;
    });
    ASSERT_TRUE(slept_.await());
    const base::UniqueFd map = own_map("tasks");
    const std::uint32_t slot = child_->pid() & 32767;
    task_record record{};
    // It is about to sleep: until then its switch writes the record.
    ASSERT_TRUE(eventually([&] {
      return ::bpf_map_lookup_elem(map.get(), &slot, &record) == 0 && record.tid == child_->pid() &&
             record.limits.watched != 0 && record.switched_in_ns == 0;
    }));
    write(record);
    ASSERT_EQ(::bpf_map_update_elem(map.get(), &slot, &record, BPF_ANY), 0);
    before_ = record;
  }
  void finish() {
    again_.open();
    ASSERT_EQ(child_->await_end(), 0);
  }
  void expect_breach(Invariant invariant, CapabilitySet set = CapabilitySet::none) {
    finish();
    const auto found = breaches();
    ASSERT_EQ(found.size(), 1U) << "once, however often it is looked at";
    EXPECT_EQ(found[0].what.invariant, invariant);
    EXPECT_EQ(found[0].what.set, set);
    EXPECT_EQ(found[0].meta.tid, child_->pid());
    EXPECT_EQ(found[0].what.parent_tgid, static_cast<std::uint32_t>(::getpid()));
  }

  Gate go_, again_, slept_;
  std::optional<Child> child_;
  task_record before_{};
};

TEST_F(Broken, PidNamespace) {
  start();
  break_record([](task_record& record) {
    record.limits.pid_inum ^= 1;
    record.limits.real_cred = 0;
  });
  expect_breach(Invariant::pid_namespace);
  EXPECT_EQ(breaches()[0].what.before, before_.limits.pid_inum);
  EXPECT_EQ(breaches()[0].what.now, before_.limits.pid_inum ^ 1);
}

TEST_F(Broken, UserNamespace) {
  start();
  break_record([](task_record& record) {
    record.limits.user_ns = 8;
    record.limits.real_cred = 0;
    record.namespaces.inum[ISOSCOPE_NS_USER] ^= 1;
  });
  expect_breach(Invariant::user_namespace);
}

TEST_F(Broken, BoundingSet) {
  start();
  break_record([](task_record& record) {
    record.limits.bounding &= ~(1ULL << CAP_SYS_BOOT);
    record.limits.real_cred = 0;
  });
  expect_breach(Invariant::capabilities, CapabilitySet::bounding);
  EXPECT_EQ(breaches()[0].what.before, before_.limits.bounding);
  EXPECT_NE(breaches()[0].what.now & 1ULL << CAP_SYS_BOOT, 0U);
}

TEST_F(Broken, PermittedSet) {
  start();
  break_record([](task_record& record) {
    record.limits.permitted = 0;
    record.limits.real_cred = 0;
  });
  expect_breach(Invariant::capabilities, CapabilitySet::permitted);
}

TEST_F(Broken, PermittedSetByAnExec) {
  start();
  break_record([](task_record& record) {
    record.limits.permitted = 0;
    --record.limits.exec_id;
    record.limits.real_cred = 0;
  });
  finish();
  EXPECT_TRUE(breaches().empty());
}

TEST_F(Broken, NoNewPrivs) {
  start();
  break_record([](task_record& record) { record.limits.locks |= 1; });
  expect_breach(Invariant::no_new_privs);
}

TEST_F(Broken, Seccomp) {
  start();
  break_record([](task_record& record) {
    record.limits.locks = static_cast<std::uint8_t>(record.limits.locks + (SECCOMP_MODE_FILTER << 1));
  });
  expect_breach(Invariant::seccomp);
}

TEST_F(Broken, SeveralAreToldOnceEach) {
  start();
  break_record([](task_record& record) {
    record.limits.locks |= 1;
    record.limits.pid_inum ^= 1;
    record.limits.bounding = 0;
    record.limits.real_cred = 0;
  });
  finish();
  std::vector<Invariant> told;
  for (const auto& one : breaches()) {
    told.push_back(one.what.invariant);
  }
  EXPECT_EQ(told, (std::vector{Invariant::pid_namespace, Invariant::capabilities, Invariant::no_new_privs}));
}

// What is enforced for its home cgroup decides, and nothing else.
TEST_F(Broken, IsKilledWhereThatIsEnforced) {
  start();
  isoscope_enforcement enforcement{};
  enforcement.invariants = 1U << ISOSCOPE_INVARIANT_NO_NEW_PRIVS;
  probe().set_enforcement(own_cgroup_id(), enforcement);
  probe().enforce(true);
  write_record([](task_record& record) { record.limits.locks |= 1; });
  go_.open();
  EXPECT_EQ(child_->await_end(), 128 + SIGKILL);
  ASSERT_EQ(breaches().size(), 1U);
  EXPECT_EQ(breaches()[0].what.answer, event::Answer::killed);
  EXPECT_EQ(counter(ISOSCOPE_KILLS), 1U);
}

TEST_F(Broken, IsLeftAliveWhereAnotherIsEnforced) {
  start();
  isoscope_enforcement enforcement{};
  enforcement.invariants = ~(1ULL << ISOSCOPE_INVARIANT_NO_NEW_PRIVS);
  probe().set_enforcement(own_cgroup_id(), enforcement);
  probe().enforce(true);
  break_record([](task_record& record) { record.limits.locks |= 1; });
  expect_breach(Invariant::no_new_privs);
  EXPECT_EQ(breaches()[0].what.answer, event::Answer::none);
}

// Until there is room in the ring again; the record takes nothing over before.
TEST_F(Broken, WhatFoundNoRoomIsToldLater) {
  probe::Options options;
  options.security_ring_bytes = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
  start(options);
  std::uint64_t dropped = 0;
  break_record([&](task_record& record) {
    record.limits.locks |= 1;
    record.limits.bounding = 0;
    record.limits.real_cred = 0;
    ASSERT_TRUE(eventually([&] {
      const Child changes([] {
        for (int i = 0; i < 20; ++i) {
          ::unshare(CLONE_NEWUTS);
          ::usleep(100);
        }
        return 0;
      });
      dropped = counter(ISOSCOPE_DROPPED_SECURITY);
      return changes.await_end() == 0 && dropped > 0;
    }));
  });
  EXPECT_GT(counter(ISOSCOPE_DROPPED_SECURITY), dropped) << "no room, and counted";
  EXPECT_TRUE(seen<Breach>([](const event::Meta&, const Breach&) { return true; }).empty());
  drain();  // makes room
  finish();
  std::vector<Invariant> told;
  for (const auto& one : breaches()) {
    told.push_back(one.what.invariant);
  }
  EXPECT_EQ(told, (std::vector{Invariant::capabilities, Invariant::no_new_privs}));
}

}  // namespace
}  // namespace isoscope::live
