// SPDX-License-Identifier: Apache-2.0
#include "identity/cgroup_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace isoscope::identity {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::uint64_t second = 1'000'000'000;

event::CgroupMade made(std::uint64_t id, std::uint64_t parent, const std::string& name) {
  return {.id = id, .parent_id = parent, .level = 1, .name = name};
}

std::string path_of(const CgroupTree& tree, std::uint64_t id) {
  const std::string* path = tree.path_of(id);
  return path != nullptr ? *path : "none";
}

TEST(CgroupTree, PathsFromRecords) {
  CgroupTree tree;
  EXPECT_EQ(path_of(tree, 1), "/");
  EXPECT_TRUE(tree.add(made(10, 1, "system.slice")));
  EXPECT_TRUE(tree.add(made(11, 10, "a.service")));
  EXPECT_EQ(path_of(tree, 11), "/system.slice/a.service");
  EXPECT_EQ(tree.id_of("/system.slice/a.service"), 11u);
  EXPECT_EQ(tree.parent_of(11), 10u);
  EXPECT_TRUE(tree.is_within(11, 10));
  EXPECT_TRUE(tree.is_within(11, 11));
  EXPECT_TRUE(tree.is_within(11, 1));
  EXPECT_FALSE(tree.is_within(10, 11));
  EXPECT_FALSE(tree.is_within(12, 10));
  EXPECT_THAT(tree.ids(), ElementsAre(1, 10, 11));
}

TEST(CgroupTree, WithoutItsParentThereIsNoPath) {
  CgroupTree tree;
  EXPECT_FALSE(tree.add(made(11, 10, "a.service")));
  EXPECT_EQ(path_of(tree, 11), "none");
  EXPECT_FALSE(tree.add(made(12, 1, "")));  // the kernel could not read the name
}

TEST(CgroupTree, DamagedRecordsMakeNoCircle) {
  CgroupTree tree;
  EXPECT_TRUE(tree.add(made(10, 1, "a")));
  EXPECT_TRUE(tree.add(made(11, 10, "b")));
  EXPECT_FALSE(tree.add(made(10, 11, "c")));
  EXPECT_FALSE(tree.add(made(11, 11, "c")));
  EXPECT_FALSE(tree.add(made(1, 11, "c")));
  EXPECT_FALSE(tree.is_within(11, 99));
}

TEST(CgroupTree, ARemovedCgroupIsResolvableForAWhile) {
  CgroupTree tree;
  tree.add(made(10, 1, "a"));
  tree.remove(10);
  EXPECT_EQ(path_of(tree, 10), "/a");
  EXPECT_EQ(tree.id_of("/a"), 0u);
  EXPECT_THAT(tree.expire(), IsEmpty());
  EXPECT_THAT(tree.expire(), IsEmpty());
  EXPECT_EQ(path_of(tree, 10), "/a");
  EXPECT_THAT(tree.expire(), ElementsAre(10));
  EXPECT_EQ(path_of(tree, 10), "none");
  EXPECT_EQ(tree.size(), 1u);
}

TEST(CgroupTree, ANameMayComeBackBeforeTheOldOneIsForgotten) {
  CgroupTree tree;
  tree.add(made(10, 1, "a"));
  tree.remove(10);
  tree.add(made(20, 1, "a"));
  EXPECT_EQ(tree.id_of("/a"), 20u);
  for (int i = 0; i < 3; i++) {
    tree.expire();
  }
  EXPECT_EQ(tree.id_of("/a"), 20u);
  EXPECT_EQ(path_of(tree, 20), "/a");
  tree.remove(10);  // said again, of an id that is gone
  EXPECT_EQ(tree.id_of("/a"), 20u);
  tree.add(made(30, 1, "a"));
  tree.remove(20);  // the end of the old one was heard of late
  EXPECT_EQ(tree.id_of("/a"), 30u);
}

TEST(CgroupTree, TheRootStays) {
  CgroupTree tree;
  tree.remove(1);
  for (int i = 0; i < 5; i++) {
    tree.expire();
  }
  EXPECT_EQ(path_of(tree, 1), "/");
}

// A file system of folders stands in for cgroupfs: ids are inode numbers in both.
class CgroupTreeScan : public ::testing::Test {
 protected:
  CgroupTreeScan() {
    std::string name = ::testing::TempDir() + "/cgroup-XXXXXX";
    root_ = ::mkdtemp(name.data());
    std::filesystem::create_directories(root_ / "system.slice/a.service");
    std::ofstream(root_ / "cgroup.procs") << "1\n";
  }
  ~CgroupTreeScan() override { std::filesystem::remove_all(root_); }
  std::uint64_t inode(const std::string& path) const {
    struct stat status {};
    EXPECT_EQ(::stat((root_ / path).c_str(), &status), 0) << path;
    return status.st_ino;
  }
  CgroupTree tree(const std::string& mounted = "") const { return CgroupTree({root_.string(), mounted}); }

  std::filesystem::path root_;
};

TEST_F(CgroupTreeScan, FindsWhatIsThere) {
  CgroupTree scanned = tree();
  const auto changes = scanned.scan();
  ASSERT_TRUE(changes);
  const auto slice = inode("system.slice"), service = inode("system.slice/a.service");
  EXPECT_THAT(changes->added, ElementsAre(inode(""), slice, service));
  EXPECT_EQ(path_of(scanned, service), "/system.slice/a.service");
  EXPECT_EQ(scanned.parent_of(service), slice);
  EXPECT_EQ(scanned.folder_of(service), (root_ / "system.slice/a.service").string());
  EXPECT_EQ(scanned.folder_of(1), root_.string());
  EXPECT_EQ(scanned.folder_of(12345), "");
  EXPECT_TRUE(scanned.scan()->added.empty());
}

TEST_F(CgroupTreeScan, PartOfAHierarchy) {
  CgroupTree part = tree("/docker/x");
  ASSERT_TRUE(part.scan());
  EXPECT_EQ(path_of(part, inode("system.slice")), "/docker/x/system.slice");
  EXPECT_EQ(part.folder_of(inode("system.slice")), (root_ / "system.slice").string());
  EXPECT_EQ(part.folder_of(inode("")), root_.string());
  EXPECT_EQ(part.folder_of(1), "") << "the root is not mounted";
}

TEST_F(CgroupTreeScan, SeesWhatCameAndWent) {
  CgroupTree scanned = tree();
  ASSERT_TRUE(scanned.scan());
  const auto gone = inode("system.slice/a.service");
  std::filesystem::remove(root_ / "system.slice/a.service");
  std::filesystem::create_directories(root_ / "web");
  const auto changes = scanned.scan();
  ASSERT_TRUE(changes);
  EXPECT_EQ(path_of(scanned, inode("web")), "/web");
  if (inode("web") != gone) {  // a file system may give the number away at once; kernfs does not
    EXPECT_THAT(changes->removed, ElementsAre(gone));
    EXPECT_EQ(path_of(scanned, gone), "/system.slice/a.service");
  }
}

TEST_F(CgroupTreeScan, OncePerSecondAndNotAgainForWhatItDidNotFind) {
  CgroupTree scanned = tree();
  EXPECT_TRUE(scanned.may_scan_for(777, 10 * second));
  ASSERT_TRUE(scanned.scan());
  EXPECT_FALSE(scanned.may_scan_for(777, 20 * second));
  EXPECT_FALSE(scanned.may_scan_for(inode("system.slice"), 20 * second)) << "it is known";
  EXPECT_TRUE(scanned.may_scan_for(778, 20 * second));
  EXPECT_FALSE(scanned.may_scan_for(779, 20 * second + second / 2));
  EXPECT_TRUE(scanned.may_scan_for(779, 21 * second));
  EXPECT_TRUE(scanned.may_scan_for(777, 70 * second));
}

TEST_F(CgroupTreeScan, WhatWasMissedIsForgottenWhenItComes) {
  CgroupTree scanned = tree();
  EXPECT_TRUE(scanned.may_scan_for(777, 10 * second));
  ASSERT_TRUE(scanned.scan());
  scanned.add(made(777, inode("system.slice"), "late"));
  scanned.remove(777);
  for (int i = 0; i < 3; i++) {
    scanned.expire();
  }
  EXPECT_TRUE(scanned.may_scan_for(777, 20 * second));
}

TEST_F(CgroupTreeScan, NothingMountedNothingScanned) {
  CgroupTree records_only;
  EXPECT_FALSE(records_only.may_scan_for(777, 10 * second));
  std::filesystem::remove_all(root_);
  CgroupTree scanned = tree();
  EXPECT_FALSE(scanned.scan());
}

TEST_F(CgroupTreeScan, CreateScansAtOnceOrFails) {
  const auto created = CgroupTree::create({root_.string(), ""});
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_NE(created->id_of("/system.slice/a.service"), 0u);
  EXPECT_FALSE(CgroupTree::create({(root_ / "none").string(), ""}));
}

}  // namespace
}  // namespace isoscope::identity
