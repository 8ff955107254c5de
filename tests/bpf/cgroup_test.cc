// SPDX-License-Identifier: Apache-2.0
// bpf/cgroup.bpf.c: cgroups made, removed, and tasks moved into them.
#include "cgroup.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "live.h"

namespace isoscope::live {
namespace {

using event::CgroupAttached;
using event::CgroupMade;
using event::CgroupRemoved;
using kernel::CgroupController;

class Cgroups : public Live {
 protected:
  std::vector<Seen<CgroupMade>> made(std::uint64_t id) {
    drain();
    return seen<CgroupMade>([&](const event::Meta&, const CgroupMade& what) { return what.id == id; });
  }
  std::vector<Seen<CgroupRemoved>> removed(std::uint64_t id) {
    drain();
    return seen<CgroupRemoved>([&](const event::Meta&, const CgroupRemoved& what) { return what.id == id; });
  }
  std::vector<Seen<CgroupAttached>> attached(std::uint32_t tgid) {
    drain();
    return seen<CgroupAttached>(
        [&](const event::Meta&, const CgroupAttached& what) { return what.moved_tgid == tgid; });
  }
  std::vector<Seen<CgroupAttached>> moved(std::uint32_t tgid) {
    drain();
    return seen<CgroupAttached>([&](const event::Meta&, const CgroupAttached& what) {
      return what.moved_tgid == tgid && what.mechanism == event::Mechanism::cgroup_attach;
    });
  }
};

TEST_F(Cgroups, MadeAndRemovedAreTold) {
  start();
  const std::uint64_t begin_ns = base::monotonic_ns();
  Cgroup outer;
  Cgroup inner(outer.folder(), "inner");
  const std::uint64_t end_ns = base::monotonic_ns();
  ASSERT_EQ(made(outer.id()).size(), 1U);
  ASSERT_EQ(made(inner.id()).size(), 1U);
  const auto [outer_meta, outer_made] = made(outer.id()).front();
  const auto [inner_meta, inner_made] = made(inner.id()).front();
  EXPECT_EQ(outer_made.name, outer.name());
  EXPECT_EQ(outer_made.parent_id, cgroup_id_of(cgroup_mount()));
  EXPECT_EQ(inner_made.name, "inner");
  EXPECT_EQ(inner_made.parent_id, outer.id());
  EXPECT_EQ(inner_made.level, outer_made.level + 1);
  EXPECT_EQ(inner_meta.tgid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(inner_meta.cgroup_id, own_cgroup_id());
  EXPECT_LT(begin_ns, outer_meta.ts_ns);
  EXPECT_LT(outer_meta.ts_ns, inner_meta.ts_ns);
  EXPECT_LT(inner_meta.ts_ns, end_ns);
  EXPECT_TRUE(removed(inner.id()).empty());

  inner.remove();
  EXPECT_EQ(removed(inner.id()).size(), 1U);
  EXPECT_TRUE(removed(outer.id()).empty());
  outer.remove();
  EXPECT_EQ(removed(outer.id()).size(), 1U);
  EXPECT_EQ(made(inner.id()).size() + made(outer.id()).size(), 2U);
}

TEST_F(Cgroups, NamesOfEveryLengthComeWhole) {
  start();
  const Cgroup outer;
  for (const std::size_t length : {1U, 2U, 7U, 8U, 63U, 64U, 254U, 255U}) {
    const Cgroup cgroup(outer.folder(), std::string(length - 1, 'n') + "\xe9");  // not UTF-8
    ASSERT_EQ(made(cgroup.id()).size(), 1U) << length;
    EXPECT_EQ(made(cgroup.id()).front().what.name, cgroup.name());
  }
}

TEST_F(Cgroups, AMovedTaskIsTold) {
  start();
  const Cgroup born;
  const Cgroup to;
  const Gate named;
  const Child child({.cgroup = born.fd()}, [&] {
    ::prctl(PR_SET_NAME, "fifteen letters");
    named.open();
    ::pause();
    return 0;
  });
  ASSERT_TRUE(named.await());
  EXPECT_TRUE(moved(child.pid()).empty()) << "born there is not moved there";
  to.take_in(child.pid());
  ASSERT_EQ(moved(child.pid()).size(), 1U);
  const auto [meta, what] = moved(child.pid()).front();
  EXPECT_EQ(what.to_cgroup_id, to.id());
  EXPECT_EQ(what.home_cgroup_id, own_cgroup_id()) << "it belongs to its parent's unit wherever it was born";
  EXPECT_EQ(what.moved_tid, child.pid());
  EXPECT_EQ(what.comm, "fifteen letters");
  EXPECT_EQ(meta.tgid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(meta.cgroup_id, own_cgroup_id());
}

// clone3 with CLONE_INTO_CGROUP passes no cgroup_attach_task.
TEST_F(Cgroups, ATaskBornInAnotherCgroupIsTold) {
  start();
  const Cgroup elsewhere;
  const Child child({.cgroup = elsewhere.fd()}, [] { return 0; });
  ASSERT_EQ(child.await_end(), 0);
  ASSERT_EQ(attached(child.pid()).size(), 1U);
  const auto [meta, born] = attached(child.pid()).front();
  EXPECT_EQ(born.mechanism, event::Mechanism::clone_into_cgroup);
  EXPECT_EQ(born.to_cgroup_id, elsewhere.id());
  EXPECT_EQ(born.home_cgroup_id, own_cgroup_id());
  EXPECT_EQ(born.moved_tid, child.pid());
  EXPECT_EQ(meta.tgid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(meta.cgroup_id, own_cgroup_id());
}

TEST_F(Cgroups, BornInItsParentsCgroupIsNoMove) {
  start();
  const Cgroup elsewhere;
  const Shared<std::uint32_t> grandchild;
  const Child child({.cgroup = elsewhere.fd()}, [&] {
    const Child second([] { return 0; });
    *grandchild = second.pid();
    return second.await_end();
  });
  ASSERT_EQ(child.await_end(), 0);
  EXPECT_EQ(attached(child.pid()).size(), 1U);
  EXPECT_TRUE(attached(*grandchild).empty());
}

// With cgroup.procs the process goes as a whole.
TEST_F(Cgroups, AProcessOfManyThreadsIsToldOnce) {
  start();
  const Cgroup to;
  const Gate ready;
  const Child child([&] {
    std::thread second([] { ::pause(); });
    ready.open();
    second.join();
    return 0;
  });
  ASSERT_TRUE(ready.await());
  to.take_in(child.pid());
  ASSERT_EQ(attached(child.pid()).size(), 1U);
  EXPECT_EQ(attached(child.pid()).front().what.to_cgroup_id, to.id());
}

// Where v2 has no controllers, the hierarchy of one of v1 is followed. Here: of any that is mounted, with v2
// beside it.
class CgroupsOfV1 : public Cgroups, public ::testing::WithParamInterface<CgroupController> {
 protected:
  void SetUp() override {
    Cgroups::SetUp();
    const auto read = [](const char* path) {
      std::ifstream file(path);
      return std::string(std::istreambuf_iterator<char>(file), {});
    };
    const auto mount = kernel::find_cgroup_mount(read("/proc/self/mountinfo"), GetParam());
    const auto own = kernel::find_membership(read("/proc/self/cgroup"), GetParam());
    if (!mount || !own || ::access(mount->point.c_str(), W_OK) != 0) {
      GTEST_SKIP() << "NOT RUN, no cgroup v1 hierarchy of " << to_string(GetParam())
                   << " that can be written";
    }
    hierarchy_ = {GetParam(), own->hierarchy_id, *mount};
    own_id_ = cgroup_id_of(mount->point + own->path);
  }

  kernel::CgroupHierarchy hierarchy_;
  std::uint64_t own_id_ = 0;
};

TEST_P(CgroupsOfV1, ComingAndGoingIsToldOfThatHierarchyAlone) {
  start({}, hierarchy_);
  Cgroup here(hierarchy_.mount.point, "isoscope-test-v1");
  const Cgroup of_v2;
  ASSERT_EQ(made(here.id()).size(), 1U);
  EXPECT_EQ(made(here.id()).front().what.name, "isoscope-test-v1");
  EXPECT_EQ(made(here.id()).front().what.parent_id, cgroup_id_of(hierarchy_.mount.point));
  EXPECT_EQ(made(here.id()).front().meta.cgroup_id, own_id_);
  EXPECT_TRUE(seen<CgroupMade>([&](const event::Meta&, const CgroupMade& what) {
                return what.name == of_v2.name();
              }).empty());
  const Child child([] {
    ::pause();
    return 0;
  });
  of_v2.take_in(child.pid());
  EXPECT_TRUE(attached(child.pid()).empty());
  here.take_in(child.pid());
  ASSERT_EQ(attached(child.pid()).size(), 1U);
  EXPECT_EQ(attached(child.pid()).front().what.to_cgroup_id, here.id());
  EXPECT_EQ(attached(child.pid()).front().what.home_cgroup_id, own_id_);
  here.remove();
  EXPECT_EQ(removed(here.id()).size(), 1U);
}

TEST_P(CgroupsOfV1, TimeIsChargedToTheCgroupOfThatHierarchy) {
  start({}, hierarchy_);
  const Cgroup here(hierarchy_.mount.point, "isoscope-test-v1");
  const Gate moved;
  const Child child([&] {
    moved.wait();
    const std::uint64_t end_ns = base::monotonic_ns() + 50'000'000;
    while (base::monotonic_ns() < end_ns) {
    }
    return 0;
  });
  here.take_in(child.pid());
  moved.open();
  EXPECT_EQ(child.await_end(), 0);
  EXPECT_TRUE(eventually([&] {
    const auto cell = counters_of(here.id());
    return cell && cell->on_cpu_ns > 10'000'000;
  }));
}

INSTANTIATE_TEST_SUITE_P(Controller, CgroupsOfV1,
                         ::testing::Values(CgroupController::pids, CgroupController::memory),
                         [](const auto& controller) { return std::string(to_string(controller.param)); });

}  // namespace
}  // namespace isoscope::live
