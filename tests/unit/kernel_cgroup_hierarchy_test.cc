// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup_hierarchy.h"

#include <gtest/gtest.h>

namespace isoscope::kernel {
namespace {

// As systemd mounts it where v1 has the controllers, and as some hosts without systemd do.
constexpr const char* hybrid_mounts =
    "33 24 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
    "34 33 0:29 / /sys/fs/cgroup/unified rw shared:9 shared:10 - cgroup2 cgroup2 rw\n"
    "36 33 0:32 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "37 33 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "38 33 0:34 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
constexpr const char* hybrid_membership =
    "12:cpu,cpuacct:/\n8:pids:/docker/4f2a\n4:memory:/docker/4f2a\n0::/\n";
constexpr const char* unified_mounts =
    "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

std::optional<CgroupMount> find_unified(std::string_view mountinfo) {
  return find_cgroup_mount(mountinfo, CgroupController::unified);
}

TEST(CgroupMounts, FoundInMountinfo) {
  const auto unified = find_unified(
      "24 30 0:22 / /proc rw - proc proc rw\n"
      "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  ASSERT_TRUE(unified);
  EXPECT_EQ(unified->point, "/sys/fs/cgroup");
  EXPECT_EQ(unified->root, "");
}

TEST(CgroupMounts, HybridHosts) {
  const auto mount_of = [](CgroupController controller) {
    const auto mount = find_cgroup_mount(hybrid_mounts, controller);
    return mount ? mount->point : "none";
  };
  EXPECT_EQ(mount_of(CgroupController::unified), "/sys/fs/cgroup/unified");
  EXPECT_EQ(mount_of(CgroupController::pids), "/sys/fs/cgroup/pids");
  EXPECT_EQ(mount_of(CgroupController::memory), "/sys/fs/cgroup/memory");
  EXPECT_FALSE(find_cgroup_mount(unified_mounts, CgroupController::pids));
}

TEST(CgroupMounts, PrefersTheWholeHierarchy) {
  const auto mount = find_unified(
      "50 24 0:30 /docker/x /mnt/part rw - cgroup2 cgroup2 rw\n"
      "35 24 0:30 / /sys/fs/with\\040blank rw - cgroup2 cgroup2 rw\n"
      "51 24 0:30 /docker/y /mnt/other rw - cgroup2 cgroup2 rw\n");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->point, "/sys/fs/with blank");
  EXPECT_EQ(mount->root, "");
  const auto part = find_unified("50 24 0:30 /docker/x /mnt/part rw - cgroup2 cgroup2 rw");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->root, "/docker/x");
}

TEST(CgroupMounts, NotThereOrNotUnderstood) {
  for (const char* text : {"", "\n\n", "35 24 0:30 / /x rw - cgroup none rw",
                           "35 24 0:30 / /x rw cgroup2 cgroup2", "- cgroup2", "35 24 0:30 / /cgroup2 rw -"}) {
    EXPECT_FALSE(find_unified(text)) << text;
  }
}

std::string path_in(CgroupController controller, std::string_view cgroup_file) {
  const auto found = find_membership(cgroup_file, controller);
  return found ? found->path : "none";
}

TEST(CgroupMembership, OfTheHierarchyThatIsAskedFor) {
  constexpr auto unified = CgroupController::unified;
  EXPECT_EQ(path_in(unified, "0::/system.slice/a.service\n"), "/system.slice/a.service");
  EXPECT_EQ(path_in(unified, "12:cpu:/x\n1:name=systemd:/y\n0::/z\n"), "/z");
  EXPECT_EQ(path_in(unified, "0::/a:b/c\n"), "/a:b/c");
  EXPECT_EQ(path_in(unified, "0::/gone (deleted)\n"), "/gone");
  EXPECT_EQ(path_in(unified, "12:cpu:/x\n"), "none");
  EXPECT_EQ(path_in(unified, "10::/x\n"), "none");
  EXPECT_EQ(path_in(unified, ""), "none");
  EXPECT_EQ(path_in(CgroupController::pids, hybrid_membership), "/docker/4f2a");
  EXPECT_EQ(path_in(CgroupController::pids, "3:pids,cpuset:/a:b (deleted)\n"), "/a:b");
  EXPECT_EQ(path_in(CgroupController::memory, "3:pids:/x\n1:name=memory:/y\nx:memory:/z\n"), "none");
  EXPECT_EQ(find_membership(hybrid_membership, CgroupController::memory)->hierarchy_id, 4u);
}

TEST(ChooseHierarchy, V2WhereItHasControllers) {
  const auto chosen = choose_hierarchy(unified_mounts, "cpuset cpu io memory pids\n", "0::/\n");
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->controller, CgroupController::unified);
  EXPECT_EQ(chosen->id, 0u);
  EXPECT_EQ(chosen->mount.point, "/sys/fs/cgroup");
}

// One left to v1, as net_cls by some VPN clients, does not make a host hybrid.
TEST(ChooseHierarchy, V2BesideSomeControllersOfV1) {
  const auto chosen = choose_hierarchy(hybrid_mounts, "cpu io memory\n", hybrid_membership);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->controller, CgroupController::unified);
}

TEST(ChooseHierarchy, PidsElseMemoryWhereV2HasNone) {
  const auto pids = choose_hierarchy(hybrid_mounts, "perf_event rdma misc\n", hybrid_membership);
  ASSERT_TRUE(pids);
  EXPECT_EQ(pids->controller, CgroupController::pids);
  EXPECT_EQ(pids->id, 8u);
  EXPECT_EQ(pids->mount.point, "/sys/fs/cgroup/pids");
  const auto memory = choose_hierarchy(
      "34 33 0:29 / /unified rw - cgroup2 cgroup2 rw\n37 33 0:33 / /memory rw - cgroup cgroup rw,memory\n",
      "", hybrid_membership);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->controller, CgroupController::memory);
  EXPECT_EQ(memory->id, 4u);
}

TEST(ChooseHierarchy, V1Alone) {
  const auto chosen =
      choose_hierarchy("38 33 0:34 / /pids rw - cgroup cgroup rw,pids\n", "", hybrid_membership);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->controller, CgroupController::pids);
}

TEST(ChooseHierarchy, V2WithoutControllersWhereThereIsNothingElse) {
  const auto chosen = choose_hierarchy(unified_mounts, "", "0::/\n");
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->controller, CgroupController::unified);
  EXPECT_FALSE(choose_hierarchy("", "", hybrid_membership));
  EXPECT_FALSE(choose_hierarchy("36 33 0:32 / /cpu rw - cgroup cgroup rw,cpu\n", "", hybrid_membership));
}

}  // namespace
}  // namespace isoscope::kernel
