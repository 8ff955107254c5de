// SPDX-License-Identifier: Apache-2.0
// bpf/sched.bpf.c and lib/account.bpf.h: waits for a CPU, who took it, and who is charged for them.
#include <gmock/gmock.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <numeric>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cgroup.h"
#include "live.h"

namespace isoscope::live {
namespace {

class SchedWait : public Live {
 protected:
  void start() {
    Live::start();
    probe().begin_window(1);
  }
  // The counters of a cgroup whose threads have all left their CPUs for good: as many times as the kernel says.
  isoscope_sched_cell await_end_of(std::uint64_t cgroup_id, const std::function<SwitchCounts()>& by_kernel) {
    expect_switches(cgroup_id, by_kernel);
    return counters_of(cgroup_id).value_or(isoscope_sched_cell{});
  }
};

std::uint64_t waits_of(const isoscope_sched_cell& cell) {
  return std::accumulate(std::begin(cell.wait_buckets), std::end(cell.wait_buckets), std::uint64_t{0});
}

std::uint64_t wakeups_of(const isoscope_sched_cell& cell) {
  return waits_of(cell) - cell.resumed;
}

// In the whole life of a thread every sleep ends in a wake-up but the last, which is its end, and its birth
// counts as one; and it comes to a CPU as often as it leaves one, each time after a wait.
void expect_whole_lives(const isoscope_sched_cell& cell) {
  EXPECT_EQ(wakeups_of(cell), cell.voluntary);
  EXPECT_EQ(waits_of(cell), cell.voluntary + cell.involuntary);
  EXPECT_LE(cell.preempted_ns, cell.waits_ns);
}

void spin_until(std::uint64_t mono_ns) {
  while (base::monotonic_ns() < mono_ns) {
  }
}

TEST_F(SchedWait, EveryTimeOnACpuBeginsWithAWait) {
  start();
  const Cgroup cgroup;
  const PingPong pair(cgroup.fd(), 500);
  ASSERT_TRUE(pair.await_end());
  const isoscope_sched_cell cell = await_end_of(cgroup.id(), [&] { return pair.switches(); });
  expect_whole_lives(cell);
  EXPECT_GE(cell.threads, 2U);
  EXPECT_GT(cell.waits_ns, 0U);
  EXPECT_EQ(counter(ISOSCOPE_PREEMPTION_FULL), 0U);
}

// One that never sleeps wakes up another, which sleeps all the time, in another cgroup.
TEST_F(SchedWait, AWakeUpIsTheSleepersAndNotTheWakers) {
  constexpr int rounds = 300;
  start();
  const Cgroup of_sleeper;
  const Cgroup of_waker;
  const Gate byte;
  const Shared<std::atomic<int>> taken;
  const Child sleeper({.cgroup = of_sleeper.fd()}, [&] {
    for (int i = 0; i < rounds; ++i) {
      byte.wait();
      ++*taken;
    }
    return 0;
  });
  const Child waker({.cgroup = of_waker.fd()}, [&] {
    for (int i = 0; i < rounds; ++i) {
      spin_until(base::monotonic_ns() + 100'000);  // by then the other sleeps
      byte.open();
      while (*taken <= i) {
      }
    }
    return 0;
  });
  ASSERT_EQ(sleeper.await_end(), 0);
  ASSERT_EQ(waker.await_end(), 0);
  const isoscope_sched_cell slept = await_end_of(of_sleeper.id(), [&] { return switches_of(sleeper.pid()); });
  const isoscope_sched_cell woke = await_end_of(of_waker.id(), [&] { return switches_of(waker.pid()); });
  expect_whole_lives(slept);
  expect_whole_lives(woke);
  EXPECT_GT(wakeups_of(slept), rounds / 2U);
  EXPECT_LT(wakeups_of(woke), rounds / 10U);
}

TEST_F(SchedWait, TwoOnOneCpuPushEachOtherOff) {
  constexpr std::uint64_t spin_ns = 1'000'000'000;
  start();
  const Cgroup one;
  const Cgroup other;
  const Gate ready;
  const Gate go;
  const Shared<std::atomic<std::uint64_t>> end;
  // In turns, and nobody else's in between: the one that takes the CPU is charged for the whole wait.
  const auto spin = [&] {
    const sched_param lowest{.sched_priority = 1};
    run_on(first_cpu());
    if (::sched_setscheduler(0, SCHED_RR, &lowest) != 0) {
      return 1;
    }
    ready.open();
    go.wait();
    spin_until(*end);
    return 0;
  };
  const Child first({.cgroup = one.fd()}, spin);
  const Child second({.cgroup = other.fd()}, spin);
  ASSERT_TRUE(ready.await());
  ASSERT_TRUE(ready.await());
  const std::uint64_t begin_ns = base::monotonic_ns();
  *end = begin_ns + spin_ns;
  go.open();
  go.open();
  ASSERT_EQ(first.await_end(), 0);
  ASSERT_EQ(second.await_end(), 0);
  const probe::SchedReading reading = probe().read_sched();
  std::uint64_t waited_ns = 0;
  std::uint64_t by_other_ns = 0;
  std::uint64_t back_ns = 0;
  for (const auto& [key, value] : reading.preemptions) {
    waited_ns += key.account == one.id() ? value.waited_ns : 0;
    by_other_ns += key.account == one.id() && key.by == other.id() ? value.waited_ns : 0;
    back_ns += key.account == other.id() && key.by == one.id() ? value.waited_ns : 0;
  }
  EXPECT_GT(by_other_ns, 0U);
  EXPECT_GT(back_ns, 0U);
  EXPECT_THAT(probe().read_sched().preemptions,
              testing::Not(testing::Contains(testing::Key(testing::Field(
                  &isoscope_preemption_key::account, testing::Eq(one.id()))))));  // they begin anew
  const isoscope_sched_cell cell = await_end_of(one.id(), [&] { return switches_of(first.pid()); });
  expect_whole_lives(cell);
  // All of it is somebody's.
  EXPECT_EQ(cell.preempted_ns, waited_ns + cell.own_preempted_ns);
  EXPECT_GT(cell.preempted_ns, spin_ns / 4);
}

TEST_F(SchedWait, MigrationsAreTheKernelsOwn) {
  start();
  cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  if (CPU_COUNT(&allowed) < 2) {
    GTEST_SKIP() << "missing: a second CPU to move to";
  }
  const Cgroup cgroup;
  const Child mover({.cgroup = cgroup.fd()}, [&] {
    for (int round = 0; round < 20; ++round) {
      for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &allowed)) {
          run_on(cpu);
        }
      }
    }
    return 0;
  });
  ASSERT_EQ(mover.await_end(), 0);
  const isoscope_sched_cell cell = await_end_of(cgroup.id(), [&] { return switches_of(mover.pid()); });
  std::ifstream sched("/proc/" + std::to_string(mover.pid()) + "/sched");
  std::optional<std::uint64_t> migrations;
  for (std::string word; sched >> word;) {
    if (word == "se.nr_migrations") {
      std::uint64_t value = 0;
      sched >> word >> value;
      migrations = value;
    }
  }
  if (!migrations) {
    GTEST_SKIP() << "missing: /proc/PID/sched (CONFIG_SCHED_DEBUG)";
  }
  EXPECT_GE(*migrations, 38U);
  EXPECT_EQ(cell.migrations, *migrations);
}

// Its time is not in the counters until it leaves its CPU.
TEST_F(SchedWait, WhatRunsNowIsKnown) {
  start();
  const Cgroup cgroup;
  const Child spinner({.cgroup = cgroup.fd()}, [] {
    for (;;) {
    }
    return 0;
  });
  EXPECT_TRUE(eventually([&] {
    const probe::SchedReading reading = probe().read_sched();
    return std::any_of(reading.running.begin(), reading.running.end(), [&](const isoscope_cpu_run& run) {
      return run.account == cgroup.id() && run.since_ns <= reading.taken_ns;
    });
  }));
  spinner.kill();
}

TEST_F(SchedWait, AThreadIsSeenOnceInAWindow) {
  start();
  const Cgroup cgroup;
  const Gate next;
  const Gate done;
  const Child child({.cgroup = cgroup.fd()}, [&] {
    for (int window = 0; window < 2; ++window) {
      for (int i = 0; i < 50; ++i) {
        ::usleep(1);
      }
      done.open();
      next.wait();
    }
    return 0;
  });
  probe().begin_window(7);  // in the middle of the first round, or before
  ASSERT_TRUE(done.await());
  const std::uint64_t first = counters_of(cgroup.id()).value_or(isoscope_sched_cell{}).threads;
  EXPECT_GE(first, 1U);
  EXPECT_LE(first, 2U);
  probe().begin_window(8);
  next.open();
  ASSERT_TRUE(done.await());
  EXPECT_EQ(counters_of(cgroup.id())->threads, first + 1);
  next.open();
  EXPECT_EQ(child.await_end(), 0);
}

}  // namespace
}  // namespace isoscope::live
