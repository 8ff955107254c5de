// SPDX-License-Identifier: Apache-2.0
// bpf/sched.bpf.c: context switches by cgroup, and the life of threads. Waits are in sched_wait_test.cc.
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "bpf_objects.h"
#include "cgroup.h"
#include "lib/task_record.h"
#include "live.h"

namespace isoscope::live {
namespace {

using event::CgroupAttached;
using event::ContextSwitch;
using event::Exec;
using event::NamespacesChanged;
using event::NamespaceType;

class Sched : public Live {
 protected:
  // What the record of a move says of the unit that the process belongs to; 0: there is none.
  std::uint64_t await_home_of_moved(std::uint32_t tgid) {
    const auto moved = [&] {
      drain();
      return seen<CgroupAttached>([&](const event::Meta&, const CgroupAttached& attached) {
        return attached.moved_tgid == tgid && attached.mechanism == event::Mechanism::cgroup_attach;
      });
    };
    return eventually([&] { return !moved().empty(); }) ? moved().front().what.home_cgroup_id : 0;
  }
};

constexpr int rounds = 500;

TEST_F(Sched, EverySwitchOfACgroupIsCounted) {
  start();
  const Cgroup cgroup;
  const PingPong pair(cgroup.fd(), rounds);
  ASSERT_TRUE(pair.await_end());
  expect_switches(cgroup.id(), [&] { return pair.switches(); });
  const SwitchCounts switches = pair.switches();
  EXPECT_GE(switches.voluntary + switches.involuntary, 2U * rounds);
}

TEST_F(Sched, StreamedSwitchesAreTheCountedOnes) {
  start({.stream_switches = true, .data_ring_bytes = 8U << 20});
  const Cgroup cgroup;
  const PingPong pair(cgroup.fd(), rounds);
  ASSERT_TRUE(pair.await_end());
  expect_switches(cgroup.id(), [&] { return pair.switches(); });
  const auto counted = counters_of(cgroup.id());
  ASSERT_TRUE(counted);
  ASSERT_EQ(counter(ISOSCOPE_DROPPED_SWITCH), 0U);

  drain();
  SwitchCounts streamed;
  std::uint64_t ran_ns = 0;
  std::uint64_t dead = 0;
  for (const auto& [meta, what] : seen<ContextSwitch>(
           [&](const event::Meta&m, const ContextSwitch&) { return m.cgroup_id == cgroup.id(); })) {
    ++(what.voluntary ? streamed.voluntary : streamed.involuntary);
    ran_ns += what.ran_ns;
    dead += what.prev_state == 0x80;  // TASK_DEAD
  }
  EXPECT_EQ(streamed, (SwitchCounts{counted->voluntary, counted->involuntary}));
  EXPECT_EQ(ran_ns, counted->on_cpu_ns);
  EXPECT_EQ(dead, 2U);
  // The two hand the processor to each other: each comes after the other at least once.
  EXPECT_FALSE(seen<ContextSwitch>([&](const event::Meta& m, const ContextSwitch& s) {
                 return m.cgroup_id == cgroup.id() && s.next_cgroup_id == cgroup.id();
               }).empty());
}

// Of who runs when the programs are attached, as this thread, the first thing seen is that it leaves the
// processor.
TEST_F(Sched, WhoIsFoundRunningHasNotRunBefore) {
  const std::uint64_t begin_ns = base::monotonic_ns();
  start({.stream_switches = true, .data_ring_bytes = 8U << 20});
  ASSERT_TRUE(await_records_of<ContextSwitch>(static_cast<std::uint32_t>(::gettid()), 1));
  const std::uint64_t lived_ns = base::monotonic_ns() - begin_ns;
  for (const auto& [meta, what] :
       seen<ContextSwitch>([](const event::Meta&, const ContextSwitch&) { return true; })) {
    ASSERT_LE(what.ran_ns, lived_ns) << meta.tid;
  }
}

TEST_F(Sched, TimeOnTheProcessorIsCounted) {
  constexpr std::uint64_t spin_ns = 50'000'000;
  start();
  std::uint64_t on_cpu_ns = 0;
  // The kernel leaves time of interrupts and of the hypervisor out of a thread's time, and its clock may be
  // slewed against ours by 0.05 %: what is counted is no less. Only when the machine is paused between the
  // two readings of a switch is it, and hardly every time.
  EXPECT_TRUE(eventually([&] {
    const Cgroup cgroup;
    const std::uint64_t begin_ns = base::monotonic_ns();
    const Child child({.cgroup = cgroup.fd()}, [] {
      timespec used{};
      do {
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
      } while (used.tv_sec == 0 && static_cast<std::uint64_t>(used.tv_nsec) < spin_ns);
      return 0;
    });
    EXPECT_EQ(child.await_end(), 0);
    expect_switches(cgroup.id(), [&] { return switches_of(child.pid()); });
    const std::uint64_t lived_ns = base::monotonic_ns() - begin_ns;
    on_cpu_ns = counters_of(cgroup.id())->on_cpu_ns;
    EXPECT_LE(on_cpu_ns, lived_ns);
    return HasFailure() || on_cpu_ns >= spin_ns - spin_ns / 1000;
  })) << on_cpu_ns;
}

TEST_F(Sched, ATaskThatMovesIsCountedWhereItIs) {
  start();
  const Cgroup before;
  const Cgroup after;
  const Gate moved;
  const Child child({.cgroup = before.fd()}, [&] {
    moved.wait();
    for (int i = 0; i < rounds; ++i) {
      ::usleep(1);
    }
    return 0;
  });
  ASSERT_TRUE(eventually([&] { return counters_of(before.id()).has_value(); }));
  after.take_in(child.pid());
  moved.open();
  ASSERT_EQ(child.await_end(), 0);
  SwitchCounts sum;
  EXPECT_TRUE(eventually([&] {
    const auto first = counters_of(before.id());
    const auto second = counters_of(after.id());
    if (!first || !second) {
      return false;
    }
    sum = {first->voluntary + second->voluntary, first->involuntary + second->involuntary};
    return sum == switches_of(child.pid());
  })) << "in both cgroups: "
      << sum << "; by the kernel: " << switches_of(child.pid());
  EXPECT_GT(counters_of(after.id())->voluntary, 0U);
}

// All slots but the ones that have owners, taken from the programs and given back with the object.
class NoFreeSlot {
 public:
  NoFreeSlot() : list_(own_map("free_accounts")) {
    std::uint32_t slot = 0;
    while (bpf_map_lookup_and_delete_elem(list_.get(), nullptr, &slot) == 0) {
      slots_.push_back(slot);
    }
  }
  NoFreeSlot(const NoFreeSlot&) = delete;
  NoFreeSlot& operator=(const NoFreeSlot&) = delete;
  ~NoFreeSlot() {
    for (const std::uint32_t slot : slots_) {
      bpf_map_update_elem(list_.get(), nullptr, &slot, BPF_ANY);
    }
  }

 private:
  base::UniqueFd list_;
  std::vector<std::uint32_t> slots_;
};

TEST_F(Sched, ACgroupWithoutASlotIsCountedInOther) {
  start();
  const NoFreeSlot taken;
  const isoscope_sched_cell before = probe().read_sched().cells.front();
  ASSERT_EQ(before.account, 0U);
  const Cgroup cgroup;
  const PingPong pair(cgroup.fd(), rounds);
  ASSERT_TRUE(pair.await_end());
  EXPECT_GT(counter(ISOSCOPE_ACCOUNT_FULL), 0U);
  EXPECT_FALSE(counters_of(cgroup.id()));
  // Other cgroups of this machine may have come as well.
  EXPECT_TRUE(eventually([&] {
    const isoscope_sched_cell other = probe().read_sched().cells.front();
    const SwitchCounts expected = pair.switches();
    return other.voluntary - before.voluntary >= expected.voluntary &&
           other.involuntary - before.involuntary >= expected.involuntary;
  }));
}

TEST_F(Sched, AReleasedSlotIsGivenToTheNextCgroupAndCountsFromZero) {
  start();
  bool given = false;
  // With one slot left a cgroup of somebody else may be quicker, though hardly every time.
  for (int attempt = 0; attempt < 20 && !given; ++attempt) {
    Cgroup old;
    {
      const PingPong pair(old.fd(), rounds);
      ASSERT_TRUE(pair.await_end());
      expect_switches(old.id(), [&] { return pair.switches(); });
    }
    old.remove();
    const NoFreeSlot taken;
    probe().release_account(old.id());
    EXPECT_FALSE(counters_of(old.id()));
    const Cgroup next;
    const PingPong pair(next.fd(), rounds / 10);
    ASSERT_TRUE(pair.await_end());
    given = counters_of(next.id()).has_value();
    if (given) {
      expect_switches(next.id(), [&] { return pair.switches(); });
    }
    probe().release_account(next.id());
  }
  EXPECT_TRUE(given);
}

// The record of a thread id in the task table or beside it.
std::optional<task_record> task_record_of(std::uint32_t tid) {
  task_record record{};
  const base::UniqueFd tasks = own_map("tasks");
  constexpr std::uint32_t slots = 32768;
  const std::uint32_t slot = tid % slots;
  if (bpf_map_lookup_elem(tasks.get(), &slot, &record) == 0 && record.tid == tid) {
    return record;
  }
  if (bpf_map_lookup_elem(own_map("tasks_overflow").get(), &tid, &record) == 0) {
    return record;
  }
  return std::nullopt;
}

TEST_F(Sched, ARecordLivesAsLongAsItsThread) {
  start();
  const Gate end;
  const Child child([&] {
    end.wait();
    return 0;
  });
  const auto record = task_record_of(child.pid());
  ASSERT_TRUE(record);
  EXPECT_EQ(record->home_cgroup_id, own_cgroup_id());
  EXPECT_THAT(record->namespaces.inum, testing::ElementsAreArray(namespaces_of(child.pid()).inum));
  end.open();
  ASSERT_EQ(child.await_end(), 0);
  EXPECT_TRUE(eventually([&] { return !task_record_of(child.pid()); }));
}

// Two live threads whose ids want one slot. The first is made up; the second must not suffer.
TEST_F(Sched, AThreadWhoseSlotIsTakenIsFollowedAllTheSame) {
  constexpr std::uint32_t slots = 32768;
  start();
  const base::UniqueFd tasks = own_map("tasks");
  const Cgroup cgroup;
  const std::uint64_t collisions = counter(ISOSCOPE_TASK_COLLISION);
  std::optional<Child> child;
  const Gate go;
  std::uint32_t slot = 0;
  std::uint32_t another = 0;  // of the same slot, and above any id that the kernel gives
  // Some free id; another process may take it first.
  for (pid_t pid = slots - 1; pid > 300 && !child; --pid) {
    slot = static_cast<std::uint32_t>(pid);
    another = slot + slots * 1000;
    task_record record{};
    if (::kill(pid, 0) == 0 || bpf_map_lookup_elem(tasks.get(), &slot, &record) != 0 || record.tid != 0) {
      continue;
    }
    record.tid = another;
    ASSERT_EQ(bpf_map_update_elem(tasks.get(), &slot, &record, BPF_ANY), 0);
    try {
      child.emplace(Child::How{.cgroup = cgroup.fd(), .pid = pid}, [&] {
        go.wait();
        return ::unshare(CLONE_NEWUTS);
      });
    } catch (const std::system_error& error) {
      record.tid = 0;
      ASSERT_EQ(bpf_map_update_elem(tasks.get(), &slot, &record, BPF_ANY), 0);
      if (error.code().value() != EEXIST) {
        GTEST_SKIP() << "NOT RUN, clone3 cannot choose a thread id: " << error.what();
      }
    }
  }
  ASSERT_TRUE(child);
  EXPECT_GT(counter(ISOSCOPE_TASK_COLLISION), collisions);
  go.open();
  ASSERT_EQ(child->await_end(), 0);
  expect_switches(cgroup.id(), [&] { return switches_of(child->pid()); });
  EXPECT_TRUE(await_records_of<NamespacesChanged>(child->pid(), 1));
  EXPECT_TRUE(eventually([&] { return !task_record_of(child->pid()); }));
  task_record record{};
  ASSERT_EQ(bpf_map_lookup_elem(tasks.get(), &slot, &record), 0);
  EXPECT_EQ(record.tid, another) << "the other thread's record was taken from it";
}

// Runs until its standard input ends.
int execute_cat(Gate& input) {
  input.close_writing_end();
  ::dup2(input.reading_end(), 0);
  ::execl("/bin/cat", "cat", nullptr);
  return 126;
}

TEST_F(Sched, AProgramInAMountNamespaceOfItsOwnIsTold) {
  start();
  const event::NamespaceSet ours = namespaces_of(static_cast<std::uint32_t>(::getpid()));
  const Cgroup cgroup;
  const Cgroup elsewhere;
  Gate input;
  const Child child({.flags = CLONE_NEWNS, .cgroup = cgroup.fd()}, [&] { return execute_cat(input); });
  ASSERT_TRUE(await_records_of<Exec>(child.pid(), 1));
  const auto records = seen_of<Exec>(child.pid());
  ASSERT_EQ(records.size(), 1U);
  const auto& [meta, exec] = records.front();
  EXPECT_EQ(meta.tgid, child.pid());
  EXPECT_EQ(meta.cgroup_id, cgroup.id());
  EXPECT_EQ(exec.namespaces, namespaces_of(child.pid()));
  EXPECT_NE(exec.namespaces[NamespaceType::mnt], ours[NamespaceType::mnt]);
  EXPECT_EQ(exec.start_boot_ns / (1'000'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK))),
            start_ticks_of(child.pid()));
  EXPECT_EQ(exec.parent_tgid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(exec.comm, "cat");

  // From then on it belongs to the cgroup it is in.
  elsewhere.take_in(child.pid());
  EXPECT_EQ(await_home_of_moved(child.pid()), cgroup.id());
}

std::string comm_of(std::uint32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

TEST_F(Sched, AProgramInTheMountNamespaceOfItsParentIsNotTold) {
  start();
  const Cgroup cgroup;
  const Cgroup elsewhere;
  Gate input;
  const Child child({.flags = CLONE_NEWUTS, .cgroup = cgroup.fd()}, [&] { return execute_cat(input); });
  ASSERT_TRUE(eventually([&] { return comm_of(child.pid()) == "cat"; }));
  // It stays what its parent is, wherever it is moved.
  elsewhere.take_in(child.pid());
  EXPECT_EQ(await_home_of_moved(child.pid()), own_cgroup_id());
  EXPECT_TRUE(seen_of<Exec>(child.pid()).empty());
}

// It takes over its leader's id, and stays what it is.
TEST_F(Sched, AThreadThatExecutesAProgramKeepsItsUnit) {
  start();
  const Cgroup cgroup;
  const Cgroup elsewhere;
  Gate input;
  const Child child({.cgroup = cgroup.fd()}, [&] {
    std::thread([&] { execute_cat(input); }).join();
    return 1;
  });
  ASSERT_TRUE(eventually([&] { return comm_of(child.pid()) == "cat"; }));
  elsewhere.take_in(child.pid());
  EXPECT_EQ(await_home_of_moved(child.pid()), own_cgroup_id());
}

}  // namespace
}  // namespace isoscope::live
