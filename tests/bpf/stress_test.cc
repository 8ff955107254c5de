// SPDX-License-Identifier: Apache-2.0
// Thousands of short lives: nothing is lost that is not counted as lost, and nothing stays behind.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bpf_objects.h"
#include "cgroup.h"
#include "lib/task_record.h"
#include "live.h"

namespace isoscope::live {
namespace {

using Stress = Live;

constexpr int batches = 50;
constexpr int per_batch = 20;
constexpr std::uint64_t processes = std::uint64_t{batches} * per_batch;
constexpr std::uint64_t threads = processes;

struct Switched {
  std::uint64_t of_processes = 0;
  std::uint64_t of_threads = 0;
};

std::uint64_t switches(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  return static_cast<std::uint64_t>(usage.ru_nvcsw + usage.ru_nivcsw);
}

// Some with namespaces of their own, so that every kind of record is made in the crowd.
int live_and_die() {
  for (int batch = 0; batch < batches; ++batch) {
    std::vector<pid_t> children;
    for (int i = 0; i < per_batch; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::_exit(i % 10 == 0 ? ::unshare(CLONE_NEWUTS) : 0);
      }
      children.push_back(child);
    }
    for (const pid_t child : children) {
      int status = 1;
      if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) {
        return 1;
      }
    }
    std::vector<std::thread> crowd;
    for (int i = 0; i < per_batch; ++i) {
      crowd.emplace_back([] { ::usleep(1); });
    }
    for (std::thread& thread : crowd) {
      thread.join();
    }
  }
  return 0;
}

bool gone(std::uint32_t tid) {
  return ::access(("/proc/" + std::to_string(tid)).c_str(), F_OK) != 0;
}

// Thread ids in the task table, or beside it, whose threads are gone.
std::set<std::uint32_t> orphans() {
  std::set<std::uint32_t> found;
  const base::UniqueFd tasks = own_map("tasks");
  task_record record{};
  for (std::uint32_t slot = 0; bpf_map_lookup_elem(tasks.get(), &slot, &record) == 0; ++slot) {
    if (record.tid != 0 && gone(record.tid)) {
      found.insert(record.tid);
    }
  }
  const base::UniqueFd overflow = own_map("tasks_overflow");
  std::uint32_t tid = 0;
  for (const std::uint32_t* previous = nullptr; bpf_map_get_next_key(overflow.get(), previous, &tid) == 0;
       previous = &tid) {
    if (gone(tid)) {
      found.insert(tid);
    }
  }
  return found;
}

TEST_F(Stress, NoShortLifeIsLost) {
  // The smallest rings, never read while it goes on: most records must be dropped.
  start({.stream_switches = true, .data_ring_bytes = 4096, .security_ring_bytes = 4096});
  const Cgroup cgroup;
  std::array<int, 2> result{};
  ASSERT_EQ(::pipe(result.data()), 0);
  const Child child({.cgroup = cgroup.fd()}, [&] {
    const int failed = live_and_die();
    const std::uint64_t counted = switches(RUSAGE_SELF) + switches(RUSAGE_CHILDREN);
    return ::write(result[1], &counted, sizeof(counted)) == sizeof(counted) ? failed : 2;
  });
  ASSERT_EQ(child.await_end(), 0);
  std::uint64_t by_kernel = 0;
  ASSERT_EQ(::read(result[0], &by_kernel, sizeof(by_kernel)), static_cast<ssize_t>(sizeof(by_kernel)));
  ::close(result[0]);
  ::close(result[1]);

  // A thread is added up by its process before its last switch, which alone is missing there unless it is
  // preempted on its way out.
  const auto reading = counters_of(cgroup.id());
  ASSERT_TRUE(reading);
  const std::uint64_t counted = reading->voluntary + reading->involuntary;
  EXPECT_GE(counted, by_kernel);
  EXPECT_LE(counted, by_kernel + 3 * (processes + threads));
  EXPECT_GE(counted, processes + threads) << "each has a last switch";
  EXPECT_TRUE(eventually([] { return orphans().empty(); }))
      << orphans().size() << " records outlived their threads";

  probe().detach();
  expect_ledger_closed();
  EXPECT_EQ(counter(ISOSCOPE_TASK_FULL), 0U);
  EXPECT_EQ(counter(ISOSCOPE_ACCOUNT_FULL), 0U);
  EXPECT_GT(counter(ISOSCOPE_DROPPED_SWITCH), 0U);
  EXPECT_GT(counter(ISOSCOPE_DROPPED_SECURITY), 0U);
}

TEST_F(Stress, ALedgerThatIsReadMeanwhileClosesToo) {
  start({.stream_switches = true, .data_ring_bytes = 1U << 20});
  const Child child(live_and_die);
  siginfo_t info{};
  ASSERT_TRUE(eventually([&] {
    drain();
    return ::waitid(P_PID, child.pid(), &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid != 0;
  }));
  EXPECT_EQ(info.si_status, 0);
  probe().detach();
  expect_ledger_closed();
  EXPECT_EQ(counter(ISOSCOPE_TASK_FULL), 0U);
  // Every tenth process left a namespace, and none of the reports may be missing.
  EXPECT_EQ(counter(ISOSCOPE_DROPPED_SECURITY), 0U);
  EXPECT_EQ(seen<event::NamespacesChanged>([&](const event::Meta&, const event::NamespacesChanged& change) {
              return change.parent_tgid == child.pid();
            }).size(),
            processes / 10);
}

}  // namespace
}  // namespace isoscope::live
