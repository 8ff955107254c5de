// SPDX-License-Identifier: Apache-2.0
// bpf/recheck.bpf.c: what was dropped is told although its task sleeps on.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cgroup.h"
#include "live.h"

namespace isoscope::live {
namespace {

using event::CgroupAttached;
using event::Mechanism;
using event::NamespacesChanged;
using event::NamespaceType;
using event::SeenAt;

class Recheck : public Live {
 protected:
  void SetUp() override {
    Live::SetUp();
    if (!IsSkipped() && !features().task_iterator) {
      GTEST_SKIP() << "NOT RUN, no BPF task iterator in the kernel's BTF";
    }
  }
  std::vector<Seen<CgroupAttached>> moves_of(std::uint32_t pid) {
    return seen<CgroupAttached>(
        [&](const event::Meta&, const CgroupAttached& move) { return move.moved_tgid == pid; });
  }
  // A ring of one page, full of cgroups that came and went: 72 bytes each with the ring's own header, less
  // than a change takes.
  void start_full() {
    isoscope_ns_set host{};
    const event::NamespaceSet ours = namespaces_of(static_cast<std::uint32_t>(::getpid()));
    std::copy(ours.inum.begin(), ours.inum.end(), std::begin(host.inum));
    start({.security_ring_bytes = 4096, .host_namespaces = host});
    const Cgroup outer;
    for (int i = 0; i < 100; ++i) {
      const Cgroup inner(outer.folder(), std::to_string(i));
    }
    ASSERT_GT(counter(ISOSCOPE_DROPPED_LIFECYCLE), 0U);
  }
  probe::RecheckPass pass() {
    const auto done = probe().recheck();
    EXPECT_TRUE(done);
    return done.value_or(probe::RecheckPass{});
  }
  void expect_told(std::uint32_t pid, NamespaceType type) {
    drain();
    const auto records = seen_of<NamespacesChanged>(pid);
    ASSERT_EQ(records.size(), 1U);
    const NamespacesChanged& change = records.front().what;
    EXPECT_EQ(change.seen_at, SeenAt::recheck);
    EXPECT_EQ(change.mechanism, features().legal_paths() ? Mechanism::unshare : Mechanism::unknown);
    EXPECT_NE(change.from[type], change.to[type]);
    EXPECT_EQ(change.to, namespaces_of(pid));
    EXPECT_EQ(change.home_cgroup_id, own_cgroup_id());
  }
};

TEST_F(Recheck, ASleeperIsToldOfOnce) {
  const std::uint64_t begin_ns = base::monotonic_ns();
  start_full();
  const Gate wake, end;
  const Child child([&] {
    const int failed = ::unshare(CLONE_NEWUTS);
    wake.wait();
    end.wait();
    return failed;
  });
  ASSERT_TRUE(eventually([&] { return counter(ISOSCOPE_DROPPED_SECURITY) > 0; }));
  ASSERT_TRUE(eventually([&] { return pass().found == 0 && pass().pending > 0; })) << "there is no room yet";
  drain();
  ASSERT_TRUE(seen_of<NamespacesChanged>(child.pid()).empty());
  const std::uint64_t drop_ns = probe().take_first_drop();
  EXPECT_LT(begin_ns, drop_ns);
  EXPECT_LT(drop_ns, base::monotonic_ns());

  const probe::RecheckPass found = pass();
  EXPECT_EQ(found.found, 1U);
  EXPECT_EQ(found.pending, 0U);
  EXPECT_GT(found.tasks, 1U);
  expect_told(child.pid(), NamespaceType::uts);
  EXPECT_EQ(pass().found, 0U) << "it was told already";
  EXPECT_EQ(probe().take_first_drop(), 0U);

  const auto before = switches_of(child.pid()).voluntary;
  wake.open();
  ASSERT_TRUE(eventually([&] { return switches_of(child.pid()).voluntary > before; }));
  EXPECT_EQ(pass().found, 0U);
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  probe().detach();
  expect_ledger_closed();
  EXPECT_EQ(seen_of<NamespacesChanged>(child.pid()).size(), 1U) << "nor does it tell itself";
  EXPECT_EQ(counter(ISOSCOPE_CROSSING_GONE), 0U);
}

TEST_F(Recheck, AFurtherChangeIsToldByItself) {
  start_full();
  const Gate wake, end;
  const Child child([&] {
    int failed = ::unshare(CLONE_NEWUTS);
    wake.wait();
    failed |= ::unshare(CLONE_NEWIPC);
    end.wait();
    return failed;
  });
  ASSERT_TRUE(eventually([&] { return counter(ISOSCOPE_DROPPED_SECURITY) > 0; }));
  drain();
  ASSERT_TRUE(eventually([&] { return pass().found == 1; }));
  wake.open();
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 2));
  const NamespacesChanged second = seen_of<NamespacesChanged>(child.pid()).back().what;
  EXPECT_NE(second.from[NamespaceType::ipc], second.to[NamespaceType::ipc]);
  EXPECT_EQ(second.mechanism, features().legal_paths() ? Mechanism::unshare : Mechanism::unknown);
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  drain();
  EXPECT_EQ(seen_of<NamespacesChanged>(child.pid()).size(), 2U);
}

// Where it was in between is not known any more; where it is now, its state tells.
TEST_F(Recheck, AMoveBetweenCgroupsIsToldOfOnce) {
  start_full();
  const Gate end;
  const Child child([&] {
    end.wait();
    return 0;
  });
  const Cgroup first;
  const Cgroup second;
  first.take_in(child.pid());
  EXPECT_EQ(counter(ISOSCOPE_MOVE_GONE), 0U);
  second.take_in(child.pid());
  EXPECT_EQ(counter(ISOSCOPE_MOVE_GONE), 1U);
  EXPECT_NE(probe().take_first_drop(), 0U);
  ASSERT_TRUE(eventually([&] { return pass().pending > 0; })) << "there is no room yet";
  drain();
  ASSERT_TRUE(moves_of(child.pid()).empty());

  EXPECT_EQ(pass().found, 1U);
  EXPECT_EQ(pass().found, 0U) << "it was told already";
  drain();
  const auto moves = moves_of(child.pid());
  ASSERT_EQ(moves.size(), 1U);
  EXPECT_EQ(moves.front().what.to_cgroup_id, second.id());
  EXPECT_EQ(moves.front().what.home_cgroup_id, own_cgroup_id());
  EXPECT_EQ(moves.front().what.mechanism, Mechanism::cgroup_attach);
  end.open();
  ASSERT_EQ(child.await_end(), 0);
}

TEST_F(Recheck, WhoWasMovedAndEndsUntoldIsCounted) {
  start_full();
  const Cgroup elsewhere;
  const Child child({.cgroup = elsewhere.fd()}, [] { return 0; });
  ASSERT_EQ(child.await_end(), 0);
  EXPECT_TRUE(eventually([&] { return counter(ISOSCOPE_MOVE_GONE) == 1; }));
}

// It leaves the nsproxy as it is, so that no switch finds it.
TEST_F(Recheck, ANewUserNamespaceAloneIsFound) {
  start_full();
  const Gate done, end;
  const Child child([&] {
    const int failed = ::unshare(CLONE_NEWUSER);
    done.open();
    end.wait();
    return failed;
  });
  ASSERT_TRUE(done.await());
  if (namespaces_of(child.pid()) == namespaces_of(static_cast<std::uint32_t>(::getpid()))) {
    GTEST_SKIP() << "NOT RUN, no user namespaces here";
  }
  drain();
  ASSERT_TRUE(eventually([&] {
    drain();
    return pass().found == 1 || !seen_of<NamespacesChanged>(child.pid()).empty();
  }));
  drain();
  EXPECT_EQ(seen_of<NamespacesChanged>(child.pid()).size(), 1U);
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  drain();
  EXPECT_EQ(seen_of<NamespacesChanged>(child.pid()).size(), 1U);
}

// Not on its way there, when it may still find a change by itself.
bool sleeps_in_its_system_call(std::uint32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/syscall");
  long number = -1;
  file >> number;
  return number == SYS_clock_nanosleep || number == SYS_nanosleep;
}

// A runtime goes into a container's namespaces and executes its program there. What the program does next is
// told by itself: together with what the runtime did, a way back to the host's would be no difference.
TEST_F(Recheck, WhatARuntimeCouldNotTellIsNotItsPrograms) {
  start_full();
  const Child child([] {
    if (::unshare(CLONE_NEWNS) == 0) {
      ::execlp("unshare", "unshare", "--uts", "sleep", "1000", nullptr);
    }
    return 126;
  });
  const auto ours = namespaces_of(static_cast<std::uint32_t>(::getpid()));
  ASSERT_TRUE(eventually([&] { return sleeps_in_its_system_call(child.pid()); }));
  ASSERT_NE(namespaces_of(child.pid())[NamespaceType::uts], ours[NamespaceType::uts]);
  ASSERT_TRUE(eventually([&] { return pass().pending == 1; }));
  drain();
  ASSERT_TRUE(eventually([&] { return pass().found == 1; }));
  drain();
  const auto records = seen_of<NamespacesChanged>(child.pid());
  ASSERT_EQ(records.size(), 1U);
  const NamespacesChanged& change = records.front().what;
  EXPECT_EQ(change.from[NamespaceType::mnt], change.to[NamespaceType::mnt]);
  EXPECT_NE(change.from[NamespaceType::mnt], ours[NamespaceType::mnt]);
  EXPECT_NE(change.from[NamespaceType::uts], change.to[NamespaceType::uts]);
  EXPECT_EQ(counter(ISOSCOPE_CROSSING_GONE), 1U);
}

TEST_F(Recheck, WhoEndsUntoldIsCounted) {
  start_full();
  const Child child([] { return ::unshare(CLONE_NEWUTS); });
  ASSERT_EQ(child.await_end(), 0);
  EXPECT_TRUE(eventually([&] { return counter(ISOSCOPE_CROSSING_GONE) == 1; }));
}

TEST_F(Recheck, WhereNothingWasDroppedNothingIsFound) {
  start();
  const Gate done, end;
  const Child child([&] {
    const int failed = ::unshare(CLONE_NEWUTS);
    done.open();
    end.wait();
    return failed;
  });
  ASSERT_TRUE(done.await());
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 1));
  const probe::RecheckPass quiet = pass();
  EXPECT_GT(quiet.tasks, 1U);
  EXPECT_EQ(quiet.found, 0U);
  EXPECT_EQ(quiet.pending, 0U);
  EXPECT_EQ(probe().take_first_drop(), 0U);
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  probe().detach();
  EXPECT_FALSE(probe().recheck());
}

}  // namespace
}  // namespace isoscope::live
