// SPDX-License-Identifier: Apache-2.0
// The object as a whole: it loads, attaches, and leaves nothing behind.
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "bpf_objects.h"
#include "cgroup.h"
#include "live.h"

namespace isoscope::live {
namespace {

using testing::ElementsAreArray;
using testing::IsEmpty;
using Object = Live;

void expect_gone(const BpfObjects& objects) {
  // The kernel frees them when nobody can be inside any more.
  EXPECT_TRUE(eventually([&] {
    const BpfObjects left = alive(objects);
    return left.programs.empty() && left.links.empty() && left.maps.empty();
  }));
  EXPECT_THAT(program_names(alive(objects)), IsEmpty());
  EXPECT_THAT(alive(objects).links, IsEmpty());
  EXPECT_THAT(alive(objects).maps, IsEmpty());
}

// As the kernel shows them, with 15 characters.
std::vector<std::string> expected_programs() {
  std::vector<std::string> names{"handle_cgroup_a", "handle_cgroup_m", "handle_cgroup_r", "handle_sched_pr",
                                 "handle_sched_pr", "handle_sched_pr", "handle_sched_sw", "handle_sched_wa",
                                 "handle_sched_wa", "handle_signal_g", "measure_queue_c"};
  const kernel::AccessHooks& access = features().access;
  for (const auto& [there, name] :
       std::initializer_list<std::pair<bool, const char*>>{{features().task_iterator, "handle_iter_tas"},
                                                           {features().delayed_dequeue, "handle_sched_mi"},
                                                           {features().legal_paths(), "handle_perf_eve"},
                                                           {features().legal_paths(), "handle_switch_t"},
                                                           {features().fexit_commit_creds, "handle_commit_c"},
                                                           {access.ptrace, "handle_ptrace_a"},
                                                           {access.unix_connect, "handle_unix_str"},
                                                           {access.file_receive, "handle_file_rec"},
                                                           {access.release_agent, "handle_release_"},
                                                           {access.core_pattern, "handle_core_pat"},
                                                           {access.usermode_helper, "handle_usermode"},
                                                           {access.module_load, "handle_module_l"},
                                                           {access.bpf, "handle_bpf"}}) {
    if (there) {
      names.emplace_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST_F(Object, EveryProgramForThisKernelLoadsAndAttaches) {
  start({.hook_wakeups = true});
  const BpfObjects ours = own_bpf_objects();
  EXPECT_THAT(program_names(ours), ElementsAreArray(expected_programs()));
  std::vector<std::string> attached = expected_programs();
  std::erase(attached, "measure_queue_c");
  EXPECT_THAT(attached_names(ours), ElementsAreArray(attached));
}

// Of a TSC that the kernel trusts, its scheduler's clocks are one.
TEST_F(Object, NoWakeUpIsHookedWhereTheKernelNotesIt) {
  std::ifstream source("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string name;
  source >> name;
  if (name != "tsc") {
    GTEST_SKIP() << "missing: the TSC as clock source, and not " << name;
  }
  start();
  EXPECT_THAT(attached_names(own_bpf_objects()), testing::Not(testing::Contains("handle_sched_wa")));
}

TEST_F(Object, NothingIsAttachedBeforeItIsAskedFor) {
  auto created = probe::Probe::create(features(), {});
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_THAT(own_bpf_objects().links, IsEmpty());
}

TEST_F(Object, TheMapsAreSmall) {
  auto created = probe::Probe::create(features(), {});
  ASSERT_TRUE(created) << created.error().message;
  RecordProperty("map_bytes", std::to_string(created->map_bytes()));
  EXPECT_LT(created->map_bytes(), 19U << 20);
  EXPECT_GT(created->map_bytes(), 1U << 20) << "the kernel did not say";
}

TEST_F(Object, DetachStopsThePrograms) {
  start();
  const BpfObjects attached = own_bpf_objects();
  const Cgroup cgroup;
  {
    const PingPong pair(cgroup.fd(), 50);
    ASSERT_TRUE(pair.await_end());
    expect_switches(cgroup.id(), [&] { return pair.switches(); });
  }
  probe().detach();
  EXPECT_THAT(own_bpf_objects().links, IsEmpty());
  EXPECT_TRUE(eventually([&] { return alive(attached).links.empty(); }));
  const auto before = counters_of(cgroup.id());
  const PingPong pair(cgroup.fd(), 50);
  ASSERT_TRUE(pair.await_end());
  const auto after = counters_of(cgroup.id());
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->voluntary, before->voluntary);
  EXPECT_EQ(after->involuntary, before->involuntary);
}

// So that no flood of data can push out what matters.
TEST_F(Object, EachRingHasItsOwnClasses) {
  start({.stream_switches = true});
  const Child child({.flags = CLONE_NEWUTS}, [] { return 0; });
  const Cgroup cgroup;
  ASSERT_EQ(child.await_end(), 0);
  const auto classes_in = [&](probe::Ring ring) {
    std::set<int> classes;
    probe().drain(ring, [&](std::span<const std::byte> bytes) {
      isoscope_event_header header;
      std::memcpy(&header, bytes.data(), sizeof(header));
      classes.insert(header.event_class);
    });
    return classes;
  };
  EXPECT_THAT(classes_in(probe::Ring::security),
              testing::ElementsAre(ISOSCOPE_CLASS_SECURITY, ISOSCOPE_CLASS_LIFECYCLE));
  EXPECT_THAT(classes_in(probe::Ring::data), testing::ElementsAre(ISOSCOPE_CLASS_SWITCH));
}

TEST_F(Object, NothingIsLeftWhenTheProbeEnds) {
  BpfObjects objects;
  {
    auto created = probe::Probe::create(features(), {});
    ASSERT_TRUE(created) << created.error().message;
    ASSERT_TRUE(created->attach());
    objects = own_bpf_objects();
  }
  ASSERT_FALSE(objects.programs.empty() || objects.maps.empty());
  const BpfObjects held = own_bpf_objects();
  EXPECT_TRUE(held.programs.empty() && held.links.empty() && held.maps.empty());
  expect_gone(objects);
}

TEST_F(Object, NothingIsLeftWhenTheProcessIsKilled) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  // It tells the ids: programs, then links, then maps, each list ended by 0.
  const Child child([&] {
    auto created = probe::Probe::create(features(), {});
    if (!created || !created->attach()) {
      ::close(ends[1]);
      return 1;
    }
    const BpfObjects objects = own_bpf_objects();
    std::vector<std::uint32_t> ids;
    for (const auto* set : {&objects.programs, &objects.links, &objects.maps}) {
      ids.insert(ids.end(), set->begin(), set->end());
      ids.push_back(0);
    }
    const auto bytes = static_cast<ssize_t>(ids.size() * sizeof(ids[0]));
    if (::write(ends[1], ids.data(), static_cast<std::size_t>(bytes)) != bytes) {
      return 2;
    }
    ::close(ends[1]);
    ::pause();
    return 3;
  });
  ::close(ends[1]);
  BpfObjects objects;
  for (auto* set : {&objects.programs, &objects.links, &objects.maps}) {
    for (std::uint32_t id = 0; ::read(ends[0], &id, sizeof(id)) == sizeof(id) && id != 0;) {
      set->insert(id);
    }
  }
  ::close(ends[0]);
  ASSERT_FALSE(objects.programs.empty() || objects.links.empty() || objects.maps.empty());
  child.kill();
  EXPECT_EQ(child.await_end(), 128 + SIGKILL);
  expect_gone(objects);
}

TEST_F(Object, CanBeMadeAgain) {
  for (int i = 0; i < 3; ++i) {
    auto created = probe::Probe::create(features(), {});
    ASSERT_TRUE(created) << created.error().message;
    auto attached = created->attach();
    ASSERT_TRUE(attached) << attached.error().message;
  }
}

TEST_F(Object, TwoAtOnceCountTheSame) {
  start();
  auto second = probe::Probe::create(features(), {});
  ASSERT_TRUE(second) << second.error().message;
  ASSERT_TRUE(second->attach());
  const Cgroup cgroup;
  const PingPong pair(cgroup.fd(), 50);
  ASSERT_TRUE(pair.await_end());
  expect_switches(cgroup.id(), [&] { return pair.switches(); });
  SwitchCounts counted;
  EXPECT_TRUE(eventually([&] {
    for (const isoscope_sched_cell& cell : second->read_sched().cells) {
      if (cell.account == cgroup.id()) {
        counted = {cell.voluntary, cell.involuntary};
      }
    }
    return counted == pair.switches();
  })) << counted;
}

}  // namespace
}  // namespace isoscope::live
