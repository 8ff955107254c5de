// SPDX-License-Identifier: Apache-2.0
// bpf/sched.bpf.c and lib/account.bpf.h: waits for a CPU, who took it, and who is charged for them.
#include <gmock/gmock.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "bpf_objects.h"
#include "cgroup.h"
#include "live.h"

namespace isoscope::live {
namespace {

// Since when a task waits is noted by the kernel, or by a hook on every wake-up.
enum class Begin { noted, hooked };

// Whether the programs go by its notes here, where a TSC that is unstable keeps them from it.
bool kernel_notes_do() {
  static const bool they_do = [] {
    auto probe = probe::Probe::create(features(), {});
    const std::vector<std::string> attached =
        probe && probe->attach() ? attached_names(own_bpf_objects()) : std::vector<std::string>{};
    return std::find(attached.begin(), attached.end(), "handle_sched_wa") == attached.end();
  }();
  return they_do;
}

class SchedWait : public Live, public testing::WithParamInterface<Begin> {
 protected:
  void SetUp() override {
    Live::SetUp();
    if (!IsSkipped() && GetParam() == Begin::noted && !kernel_notes_do()) {
      GTEST_SKIP() << "missing: one scheduler clock on all CPUs";
    }
  }
  void start() {
    Live::start({.hook_wakeups = GetParam() == Begin::hooked});
    probe().begin_window(1);
  }
  // Some kernels lose switches, and the ledger says so (see ARCHITECTURE.md, Known limits): what `run` counts
  // in such a moment is not whole. Runs it until nothing was lost meanwhile.
  template <typename Run>
  auto undisturbed(Run run) {
    const auto lost = [this] {
      return counter(ISOSCOPE_SWITCH_UNPAIRED) + counter(ISOSCOPE_WAIT_UNPAIRED) +
             counter(ISOSCOPE_WAIT_UNKNOWN);
    };
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

// On this processor, and nothing of the usual class with it.
bool take_cpu(std::size_t cpu) {
  const sched_param lowest{.sched_priority = 1};
  run_on(cpu);
  return ::sched_setscheduler(0, SCHED_FIFO, &lowest) == 0;
}

// All that this process may use but the first.
cpu_set_t other_cpus() {
  cpu_set_t others;
  CPU_ZERO(&others);
  ::sched_getaffinity(0, sizeof(others), &others);
  CPU_CLR(first_cpu(), &others);
  return others;
}

// What a thread has waited for a processor in its whole life, as the kernel counts it; it works for zombies.
// Of a wait behind a task of another class it is right.
std::uint64_t run_delay_of(std::uint32_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/schedstat");
  std::uint64_t ran_ns = 0;
  std::uint64_t waited_ns = 0;
  stat >> ran_ns >> waited_ns;
  return waited_ns;
}

void expect_near(std::uint64_t ours, std::uint64_t theirs) {
  EXPECT_GT(ours, theirs - theirs / 10);
  EXPECT_LT(ours, theirs + theirs / 10);
}

TEST_P(SchedWait, EveryTimeOnACpuBeginsWithAWait) {
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
TEST_P(SchedWait, AWakeUpIsTheSleepersAndNotTheWakers) {
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

TEST_P(SchedWait, WaitsAreAsLongAsTheKernelSays) {
  constexpr int sleeps = 20;
  start();
  const Cgroup cgroup;
  const Shared<std::atomic<bool>> over;
  const Child blocker([&] {
    if (!take_cpu(first_cpu())) {
      return 1;
    }
    while (!*over) {
      spin_until(base::monotonic_ns() + 5'000'000);
      ::usleep(500);
    }
    return 0;
  });
  const Child sleeper({.cgroup = cgroup.fd()}, [&] {
    run_on(first_cpu());
    for (int i = 0; i < sleeps; ++i) {
      ::usleep(1000);
    }
    *over = true;
    return 0;
  });
  ASSERT_EQ(sleeper.await_end(), 0);
  ASSERT_EQ(blocker.await_end(), 0);
  const isoscope_sched_cell cell = await_end_of(cgroup.id(), [&] { return switches_of(sleeper.pid()); });
  EXPECT_GT(cell.waits_ns, sleeps * 1'000'000U);
  expect_near(cell.waits_ns, run_delay_of(sleeper.pid()));
}

// It is put on a second run queue meanwhile.
TEST_P(SchedWait, OneThatIsMovedHasWaitedAllTheSame) {
  constexpr std::uint64_t blocked_ns = 20'000'000;
  start();
  const cpu_set_t others = other_cpus();
  if (CPU_COUNT(&others) == 0) {
    GTEST_SKIP() << "missing: a second CPU to move to";
  }
  const Cgroup cgroup;
  const Gate ready;
  const Gate go;
  const Child sleeper({.cgroup = cgroup.fd()}, [&] {
    run_on(first_cpu());
    ready.open();
    go.wait();
    return 0;
  });
  const Child mover([&] {
    if (!take_cpu(first_cpu())) {
      return 1;
    }
    ready.wait();
    ::usleep(10'000);  // by then the other sleeps
    go.open();
    spin_until(base::monotonic_ns() + blocked_ns);
    return ::sched_setaffinity(static_cast<pid_t>(sleeper.pid()), sizeof(others), &others) == 0 ? 0 : 2;
  });
  ASSERT_EQ(mover.await_end(), 0);
  ASSERT_EQ(sleeper.await_end(), 0);
  const isoscope_sched_cell cell = await_end_of(cgroup.id(), [&] { return switches_of(sleeper.pid()); });
  EXPECT_GT(cell.waits_ns, blocked_ns * 9 / 10);
  expect_near(cell.waits_ns, run_delay_of(sleeper.pid()));
}

// From 6.12 on it may stay on its run queue for a while, and be put on another as if it waited there. What it
// waits and runs is no longer than what its sleeps leave of its life, and half a sleep: it may be pushed off
// its CPU when its time runs already.
TEST_P(SchedWait, OneThatIsMovedAsItFallsAsleepDoesNotWait) {
  constexpr int sleeps = 40;
  constexpr std::uint64_t sleep_ns = 50'000'000;
  start();
  const cpu_set_t others = other_cpus();
  if (CPU_COUNT(&others) == 0) {
    GTEST_SKIP() << "missing: a second CPU to move to";
  }
  const Cgroup cgroup;
  const Shared<std::atomic<int>> asleep;
  const Child spinner([&] {
    run_on(first_cpu());
    while (*asleep < sleeps) {
    }
    return 0;
  });
  const std::uint64_t born_ns = base::monotonic_ns();
  const Child sleeper({.cgroup = cgroup.fd()}, [&] {
    for (int i = 0; i < sleeps; ++i) {
      run_on(first_cpu());
      spin_until(base::monotonic_ns() + 3'000'000);  // more than its share: its dequeue is delayed
      const timespec time{.tv_sec = 0, .tv_nsec = sleep_ns};
      ++*asleep;
      ::nanosleep(&time, nullptr);
    }
    return 0;
  });
  for (int i = 1; i <= sleeps; ++i) {
    // Not asked now and then: the delay of a dequeue is over soon.
    const std::uint64_t give_up_ns =
        base::monotonic_ns() + static_cast<std::uint64_t>(std::chrono::nanoseconds(patience).count());
    while (*asleep < i && base::monotonic_ns() < give_up_ns) {
    }
    ASSERT_GE(*asleep, i);
    spin_until(base::monotonic_ns() + 30'000);  // by then it sleeps
    ASSERT_EQ(::sched_setaffinity(static_cast<pid_t>(sleeper.pid()), sizeof(others), &others), 0);
  }
  ASSERT_EQ(sleeper.await_end(), 0);
  const std::uint64_t lived_ns = base::monotonic_ns() - born_ns;
  const isoscope_sched_cell cell = await_end_of(cgroup.id(), [&] { return switches_of(sleeper.pid()); });
  EXPECT_LE(cell.waits_ns + cell.on_cpu_ns, lived_ns - sleeps * sleep_ns + sleep_ns / 2);
}

TEST_P(SchedWait, TwoOnOneCpuPushEachOtherOff) {
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

TEST_P(SchedWait, MigrationsAreTheKernelsOwn) {
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
TEST_P(SchedWait, WhatRunsNowIsKnown) {
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
TEST_P(SchedWait, ATaskThatMovesItselfPaysInBothCgroups) {
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

TEST_P(SchedWait, AThreadIsSeenOnceInAWindow) {
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

INSTANTIATE_TEST_SUITE_P(Begin, SchedWait, testing::Values(Begin::noted, Begin::hooked),
                         [](const auto& run) { return run.param == Begin::noted ? "noted" : "hooked"; });

}  // namespace
}  // namespace isoscope::live
