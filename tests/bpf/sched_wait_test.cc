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
#include <utility>

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
  // Some kernels lose switches, and the ledger says so (see ARCHITECTURE.md, Known limits): what `run` counts
  // in such a moment is not whole. Runs it until nothing was lost meanwhile.
  template <typename Run>
  auto undisturbed(Run run) {
    const auto lost = [this] { return counter(ISOSCOPE_SWITCH_UNPAIRED) + counter(ISOSCOPE_WAIT_UNPAIRED); };
    for (int attempt = 1;; ++attempt) {
      const std::uint64_t before = lost();
      auto result = run();
      if (lost() == before || HasFatalFailure()) {
        return result;
      }
      if (attempt == 50) {
        ADD_FAILURE() << "this kernel lost switches in each of " << attempt << " runs";
        return result;
      }
    }
  }

  // The counters of a cgroup whose threads have all left their CPUs for good: as many times as the kernel
  // says.
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
  const isoscope_sched_cell cell = undisturbed([&] {
    const Cgroup cgroup;
    const PingPong pair(cgroup.fd(), 500);
    EXPECT_TRUE(pair.await_end());
    return await_end_of(cgroup.id(), [&] { return pair.switches(); });
  });
  expect_whole_lives(cell);
  EXPECT_GE(cell.threads, 2U);
  EXPECT_GT(cell.waits_ns, 0U);
  EXPECT_EQ(counter(ISOSCOPE_PREEMPTION_FULL), 0U);
}

// One that never sleeps wakes up another, which sleeps all the time, in another cgroup.
TEST_F(SchedWait, AWakeUpIsTheSleepersAndNotTheWakers) {
  constexpr int rounds = 300;
  start();
  const auto [slept, woke] = undisturbed([&] {
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
    EXPECT_EQ(sleeper.await_end(), 0);
    EXPECT_EQ(waker.await_end(), 0);
    return std::pair(await_end_of(of_sleeper.id(), [&] { return switches_of(sleeper.pid()); }),
                     await_end_of(of_waker.id(), [&] { return switches_of(waker.pid()); }));
  });
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
  // In turns, with slices of 100 ms.
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
  *end = base::monotonic_ns() + spin_ns;
  go.open();
  go.open();
  ASSERT_EQ(first.await_end(), 0);
  ASSERT_EQ(second.await_end(), 0);
  probe().detach();
  const probe::SchedReading reading = probe().read_sched();
  const auto lost = [&](const Cgroup& who, const std::function<bool(std::uint64_t)>& by) {
    std::uint64_t waited_ns = 0;
    for (const auto& [key, value] : reading.preemptions) {
      waited_ns += key.account == who.id() && by(key.by) ? value.waited_ns : 0;
    }
    return waited_ns;
  };
  EXPECT_GT(lost(one, [&](std::uint64_t by) { return by == other.id(); }), spin_ns / 10);
  EXPECT_GT(lost(other, [&](std::uint64_t by) { return by == one.id(); }), spin_ns / 10);
  const auto of_one = std::find_if(reading.cells.begin(), reading.cells.end(),
                                   [&](const isoscope_sched_cell& cell) { return cell.account == one.id(); });
  ASSERT_NE(of_one, reading.cells.end());
  // All of it is somebody's.
  EXPECT_EQ(of_one->preempted_ns, lost(one, [](std::uint64_t) { return true; }) + of_one->own_preempted_ns);
  EXPECT_LE(of_one->preempted_ns, of_one->waits_ns);
  EXPECT_THAT(probe().read_sched().preemptions, testing::IsEmpty());  // they begin anew
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

// One that moves itself has not left its CPU: the run is divided there.
TEST_F(SchedWait, ATaskThatMovesItselfPaysInBothCgroups) {
  constexpr std::uint64_t spin_ns = 100'000'000;
  start();
  const auto [before, after] = undisturbed([&] {
    const Cgroup from;
    const Cgroup to;
    const Child mover({.cgroup = from.fd()}, [&] {
      const sched_param first{.sched_priority = 1};  // nothing pushes it off meanwhile
      if (::sched_setscheduler(0, SCHED_FIFO, &first) != 0) {
        return 1;
      }
      spin_until(base::monotonic_ns() + spin_ns);
      to.take_in(static_cast<std::uint32_t>(::getpid()));
      spin_until(base::monotonic_ns() + 2 * spin_ns);
      return 0;
    });
    EXPECT_EQ(mover.await_end(), 0);
    const auto counted = [&](const Cgroup& cgroup) {
      return counters_of(cgroup.id()).value_or(isoscope_sched_cell{});
    };
    EXPECT_TRUE(eventually([&] { return counted(to).voluntary > 0; }));
    return std::pair(counted(from), counted(to));
  });
  EXPECT_GE(before.on_cpu_ns, spin_ns);
  EXPECT_LT(before.on_cpu_ns, spin_ns * 3 / 2);
  EXPECT_GE(after.on_cpu_ns, spin_ns * 2);
  EXPECT_LT(after.on_cpu_ns, spin_ns * 3);
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
