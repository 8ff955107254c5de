// SPDX-License-Identifier: Apache-2.0
// bpf/isolation.bpf.c and the state checks of bpf/sched.bpf.c: changes of a task's namespaces.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

#include "base/clock.h"
#include "cgroup.h"
#include "live.h"

namespace isoscope::live {
namespace {

using event::Mechanism;
using event::NamespacesChanged;
using event::NamespaceSet;
using event::NamespaceType;
using event::SeenAt;

std::uint32_t self() {
  return static_cast<std::uint32_t>(::getpid());
}

// The file that this process runs, and its children until they execute another.
event::Exe own_exe() {
  struct stat info {};
  return ::stat("/proc/self/exe", &info) == 0
             ? event::Exe{info.st_ino, ::major(info.st_dev) << 20 | ::minor(info.st_dev)}
             : event::Exe{};
}

class Isolation : public Live {
 protected:
  // How a change by a system call is told here: at its commit and by name, or found by state a little later.
  static void expect_told_as(Mechanism call, const NamespacesChanged& change) {
    if (features().legal_paths()) {
      EXPECT_EQ(change.mechanism, call);
      EXPECT_EQ(change.seen_at, SeenAt::commit);
      return;
    }
    EXPECT_EQ(change.mechanism, Mechanism::unknown);
    EXPECT_TRUE(change.seen_at == SeenAt::context_switch || change.seen_at == SeenAt::exit);
  }
  static void expect_only_changed(const std::vector<NamespaceType>& types, const NamespacesChanged& change) {
    for (std::size_t i = 0; i < event::namespace_types; ++i) {
      const auto type = static_cast<NamespaceType>(i);
      const bool changed = std::find(types.begin(), types.end(), type) != types.end();
      EXPECT_EQ(change.from[type] != change.to[type], changed) << event::to_string(type);
    }
  }
};

// Of the calling process.
bool leader_is_dead() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  return line.find(") Z ") != std::string::npos;
}

struct Kind {
  NamespaceType type;
  int flag;
};

class IsolationByType : public Isolation, public ::testing::WithParamInterface<Kind> {};

TEST_P(IsolationByType, UnshareIsOneRecord) {
  start();
  const NamespaceSet ours = namespaces_of(self());
  const Gate go, done, end;
  const Child child([&] {
    ::prctl(PR_SET_NAME, "unsharer");
    go.wait();
    const int error = ::unshare(GetParam().flag) == 0 ? 0 : errno;
    done.open();
    end.wait();
    return error;
  });
  const std::uint64_t before_ns = base::monotonic_ns();
  go.open();
  ASSERT_TRUE(done.await());
  const NamespaceSet theirs = namespaces_of(child.pid());
  const std::uint64_t capabilities = effective_capabilities_of(child.pid());
  // A new pid namespace cannot be read before its first process is born: then only the record knows it.
  const bool readable = GetParam().type != NamespaceType::pid;
  if (readable && theirs == ours) {
    end.open();
    GTEST_SKIP() << "NOT RUN, no namespaces of type " << event::to_string(GetParam().type)
                 << " on this kernel: unshare says " << std::strerror(child.await_end());
  }
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 1));
  const std::uint64_t start_ticks = start_ticks_of(child.pid());
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  drain();

  const auto records = seen_of<NamespacesChanged>(child.pid());
  ASSERT_EQ(records.size(), 1U);
  const auto& [meta, change] = records.front();
  expect_told_as(Mechanism::unshare, change);
  expect_only_changed({GetParam().type}, change);
  EXPECT_EQ(change.from, ours);
  if (readable) {
    EXPECT_EQ(change.to, theirs);
  }
  EXPECT_EQ(meta.tgid, child.pid());
  EXPECT_EQ(meta.cgroup_id, own_cgroup_id());
  EXPECT_LT(before_ns, meta.ts_ns);
  EXPECT_LT(meta.ts_ns, base::monotonic_ns());
  EXPECT_EQ(change.home_cgroup_id, own_cgroup_id());
  EXPECT_EQ(change.start_boot_ns / (1'000'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK))),
            start_ticks);
  EXPECT_EQ(change.cap_effective, capabilities);
  EXPECT_EQ(change.parent_tgid, self());
  EXPECT_EQ(change.uid, ::getuid());
  EXPECT_EQ(change.comm, "unsharer");
  EXPECT_EQ(change.exe, own_exe());
}

TEST_P(IsolationByType, CloneIsOneRecordSeenAtFork) {
  start();
  const NamespaceSet ours = namespaces_of(self());
  const Gate end;
  std::optional<Child> child;
  try {
    child.emplace(Child::How{.flags = static_cast<std::uint64_t>(GetParam().flag)}, [&] {
      end.wait();
      return 0;
    });
  } catch (const std::system_error& error) {
    GTEST_SKIP() << "NOT RUN, no namespaces of type " << event::to_string(GetParam().type)
                 << " on this kernel: " << error.what();
  }
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child->pid(), 1));
  const NamespaceSet theirs = namespaces_of(child->pid());
  end.open();
  ASSERT_EQ(child->await_end(), 0);
  drain();
  const auto records = seen_of<NamespacesChanged>(child->pid());
  ASSERT_EQ(records.size(), 1U);
  const NamespacesChanged& change = records.front().what;
  EXPECT_EQ(change.mechanism, Mechanism::clone);
  EXPECT_EQ(change.seen_at, SeenAt::fork);
  expect_only_changed({GetParam().type}, change);
  EXPECT_EQ(change.from, ours);
  EXPECT_EQ(change.to, theirs);
  EXPECT_EQ(change.parent_tgid, self());
}

INSTANTIATE_TEST_SUITE_P(
    Types, IsolationByType,
    ::testing::Values(Kind{NamespaceType::mnt, CLONE_NEWNS}, Kind{NamespaceType::uts, CLONE_NEWUTS},
                      Kind{NamespaceType::ipc, CLONE_NEWIPC}, Kind{NamespaceType::net, CLONE_NEWNET},
                      Kind{NamespaceType::pid, CLONE_NEWPID}, Kind{NamespaceType::cgroup, CLONE_NEWCGROUP},
                      Kind{NamespaceType::time, CLONE_NEWTIME}),
    [](const auto& kind) { return std::string(event::to_string(kind.param.type)); });

TEST_F(Isolation, SeveralTypesAtOnceAreOneRecord) {
  start();
  const Gate end;
  const Child child([&] {
    const int failed = ::unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS);
    end.wait();
    return failed;
  });
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 1));
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  drain();
  const auto records = seen_of<NamespacesChanged>(child.pid());
  ASSERT_EQ(records.size(), 1U);
  expect_only_changed({NamespaceType::mnt, NamespaceType::uts, NamespaceType::ipc}, records.front().what);
}

TEST_F(Isolation, ANewUserNamespaceIsInTheRecord) {
  start();
  const Gate done, end;
  const Child child([&] {
    const int error = ::unshare(CLONE_NEWUSER | CLONE_NEWUTS) == 0 ? 0 : errno;
    done.open();
    end.wait();
    return error;
  });
  ASSERT_TRUE(done.await());
  const NamespaceSet theirs = namespaces_of(child.pid());
  if (theirs == namespaces_of(self())) {
    end.open();
    GTEST_SKIP() << "NOT RUN, no user namespaces here: unshare says " << std::strerror(child.await_end());
  }
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 1));
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  drain();
  const auto records = seen_of<NamespacesChanged>(child.pid());
  ASSERT_EQ(records.size(), 1U);
  expect_only_changed({NamespaceType::uts, NamespaceType::user}, records.front().what);
  EXPECT_EQ(records.front().what.to, theirs);
}

TEST_F(Isolation, ANewUserNamespaceAloneIsTold) {
  start();
  const NamespaceSet ours = namespaces_of(self());
  const Gate end;
  std::optional<Child> child;
  try {
    child.emplace(Child::How{.flags = CLONE_NEWUSER}, [&] {
      end.wait();
      return 0;
    });
  } catch (const std::system_error& error) {
    GTEST_SKIP() << "NOT RUN, no user namespaces here: " << error.what();
  }
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child->pid(), 1));
  const NamespacesChanged change = seen_of<NamespacesChanged>(child->pid()).front().what;
  EXPECT_EQ(change.mechanism, Mechanism::clone);
  expect_only_changed({NamespaceType::user}, change);
  EXPECT_EQ(change.from, ours);
  EXPECT_EQ(change.to, namespaces_of(child->pid()));
  end.open();
  ASSERT_EQ(child->await_end(), 0);
}

// It makes a new nsproxy every time, with the same namespaces in it.
TEST_F(Isolation, SetnsIntoTheSameNamespaceIsNoRecord) {
  constexpr int times = 20;
  start();
  const Gate changed, go, end;
  const Shared<std::uint64_t> slept;
  const Child child([&] {
    const int uts = ::open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    int failed = 0;
    for (int i = 0; i < times; ++i) {
      failed |= ::setns(uts, CLONE_NEWUTS);
      *slept = switches_of(self()).voluntary;
      changed.open();
      go.wait();
    }
    failed |= ::unshare(CLONE_NEWUTS);
    end.wait();
    return failed;
  });
  for (int i = 0; i < times; ++i) {
    ASSERT_TRUE(changed.await());
    // It has slept since, and was looked at.
    ASSERT_TRUE(eventually([&] { return switches_of(child.pid()).voluntary > *slept; }));
    go.open();
  }
  // Records come in order: this one is last.
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 1));
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  drain();
  const auto records = seen_of<NamespacesChanged>(child.pid());
  ASSERT_EQ(records.size(), 1U);
  expect_only_changed({NamespaceType::uts}, records.front().what);
}

TEST_F(Isolation, OutAndInAgainAreTwoRecords) {
  start();
  const NamespaceSet ours = namespaces_of(self());
  const Gate out, in, end;
  const Child child([&] {
    const int uts = ::open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    out.wait();
    int failed = ::unshare(CLONE_NEWUTS);
    in.wait();
    failed |= ::setns(uts, CLONE_NEWUTS);
    end.wait();
    return failed;
  });
  out.open();
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 1));
  const NamespaceSet theirs = namespaces_of(child.pid());
  in.open();
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 2));
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  drain();
  const auto records = seen_of<NamespacesChanged>(child.pid());
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].what.from, ours);
  EXPECT_EQ(records[0].what.to, theirs);
  EXPECT_EQ(records[1].what.from, theirs);
  EXPECT_EQ(records[1].what.to, ours);
  expect_told_as(Mechanism::unshare, records[0].what);
  expect_told_as(Mechanism::setns, records[1].what);
}

TEST_F(Isolation, ATaskFromBeforeIsFollowedToo) {
  const NamespaceSet ours = namespaces_of(self());
  const Gate go, end;
  const Child child([&] {
    go.wait();
    const int failed = ::unshare(CLONE_NEWUTS);
    end.wait();
    return failed;
  });
  start();
  go.open();
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 1));
  const NamespacesChanged change = seen_of<NamespacesChanged>(child.pid()).front().what;
  EXPECT_EQ(change.from, ours);
  EXPECT_EQ(change.to, namespaces_of(child.pid()));
  EXPECT_EQ(change.home_cgroup_id, own_cgroup_id());
  end.open();
  ASSERT_EQ(child.await_end(), 0);
}

// A task that goes on at once after the change is found at the next of these places, unless a switch came
// between.
class Hasty : public Isolation {
 protected:
  void expect_found_at(SeenAt place, const std::function<int()>& body) {
    start();
    const SeenAt wanted = features().legal_paths() ? SeenAt::commit : place;
    EXPECT_TRUE(eventually([&] {
      const Child child([&] {
        run_on(first_cpu());  // or an exec would be moved to another processor, and leave this one
        return body();
      });
      EXPECT_EQ(child.await_end(), 0);
      EXPECT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 1));
      const auto records = seen_of<NamespacesChanged>(child.pid());
      EXPECT_EQ(records.size(), 1U);
      return HasFailure() || records.front().what.seen_at == wanted;
    })) << "never seen at "
        << event::to_string(wanted);
  }
};

TEST_F(Hasty, AChangeJustBeforeTheEndIsSeenAtExit) {
  expect_found_at(SeenAt::exit, [] { return ::unshare(CLONE_NEWUTS); });
}

TEST_F(Hasty, AChangeJustBeforeAnExecIsSeenAtExec) {
  expect_found_at(SeenAt::exec, [] {
    if (::unshare(CLONE_NEWUTS) == 0) {
      ::execl("/bin/true", "true", nullptr);
    }
    return 126;
  });
}

// With its leader dead it goes on under another id at once: no other thread has to be waited for, so that no
// switch tells.
TEST_F(Isolation, AChangeJustBeforeAThreadsExecIsSeen) {
  start();
  for (int i = 0; i < 10; ++i) {
    const Child child([] {
      std::thread([] {
        while (!leader_is_dead()) {
        }
        run_on(first_cpu());
        if (::unshare(CLONE_NEWUTS) == 0) {
          ::execl("/bin/true", "true", nullptr);
        }
        ::_exit(126);
      }).detach();
      ::syscall(SYS_exit, 0);
      return 1;
    });
    ASSERT_EQ(child.await_end(), 0);
    drain();
    EXPECT_EQ(seen<NamespacesChanged>([&](const event::Meta& meta, const NamespacesChanged&) {
                return meta.tgid == child.pid();
              }).size(),
              1U);
  }
}

TEST_F(Isolation, AThreadIsTheSubjectOfItsOwnChange) {
  start();
  const Gate end;
  const Child child([&] {
    int failed = 0;
    std::thread second([&] {
      failed = ::unshare(CLONE_NEWUTS);
      end.wait();
    });
    second.join();
    return failed;
  });
  const auto of_process = [&] {
    drain();
    return seen<NamespacesChanged>(
        [&](const event::Meta& meta, const NamespacesChanged&) { return meta.tgid == child.pid(); });
  };
  ASSERT_TRUE(eventually([&] { return !of_process().empty(); }));
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  ASSERT_EQ(of_process().size(), 1U);
  EXPECT_NE(of_process().front().meta.tid, child.pid());
}

TEST_F(Isolation, ChildrenInheritWithoutARecord) {
  start();
  const Gate end;
  const Child child([&] {
    int failed = ::unshare(CLONE_NEWUTS);
    end.wait();  // a switch: the change is told before there are children
    const Child grandchild([] { return 0; });
    failed |= grandchild.await_end();
    return failed;
  });
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 1));
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  drain();
  EXPECT_TRUE(seen<NamespacesChanged>([&](const event::Meta&, const NamespacesChanged& change) {
                return change.parent_tgid == child.pid();
              }).empty());
}

// Cloned straight into a cgroup passes no attach event.
TEST_F(Isolation, ATaskBornInAnotherCgroupIsStillItsParentsUnit) {
  start();
  const Cgroup cgroup;
  const Child child({.flags = CLONE_NEWUTS, .cgroup = cgroup.fd()}, [] { return 0; });
  ASSERT_EQ(child.await_end(), 0);
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 1));
  const auto records = seen_of<NamespacesChanged>(child.pid());
  EXPECT_EQ(records.front().meta.cgroup_id, cgroup.id());
  EXPECT_EQ(records.front().what.home_cgroup_id, own_cgroup_id());
}

TEST_F(Isolation, AChangeWakesTheReader) {
  start();
  drain();
  const Child child({.flags = CLONE_NEWUTS}, [] { return 0; });
  pollfd ring{probe().ring_fd(probe::Ring::security), POLLIN, 0};
  EXPECT_EQ(::poll(&ring, 1, std::chrono::milliseconds(patience).count()), 1);
}

// The difference is found again at the next switch once there is room.
TEST_F(Isolation, AReportThatFindsNoRoomIsADelay) {
  start({.security_ring_bytes = 4096});
  const Gate go, again, end;
  const Child child([&] {
    go.wait();
    const int failed = ::unshare(CLONE_NEWUTS);
    again.wait();
    end.wait();
    return failed;
  });
  const Cgroup outer;
  // 72 bytes each with the ring's own header, less than a change takes.
  for (int i = 0; i < 100; ++i) {
    Cgroup(outer.folder(), std::to_string(i));
  }
  ASSERT_GT(counter(ISOSCOPE_DROPPED_LIFECYCLE), 0U);
  const std::uint64_t dropped = counter(ISOSCOPE_DROPPED_SECURITY);
  go.open();
  ASSERT_TRUE(eventually([&] { return counter(ISOSCOPE_DROPPED_SECURITY) > dropped; }));
  drain();
  again.open();
  ASSERT_TRUE(await_records_of<NamespacesChanged>(child.pid(), 1));
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  probe().detach();
  expect_ledger_closed();
  const auto records = seen_of<NamespacesChanged>(child.pid());
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records.front().what.mechanism,
            features().legal_paths() ? Mechanism::unshare : Mechanism::unknown);
}

}  // namespace
}  // namespace isoscope::live
