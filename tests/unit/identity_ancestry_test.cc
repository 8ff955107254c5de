// SPDX-License-Identifier: Apache-2.0
#include "identity/ancestry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace isoscope::identity {
namespace {

using ::testing::ElementsAre;

constexpr std::uint64_t second_ns = 1'000'000'000;

std::uint64_t boot_ns(std::uint64_t ticks) {
  return ticks * (second_ns / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
}

// systemd(1, tick 5) > shim(812, tick 700) > sh(901, tick 800), and what a test adds.
class AncestryTest : public ::testing::Test {
 protected:
  AncestryTest() {
    process(1, 0, 5, "/lib/systemd/systemd");
    process(812, 1, 700, "/usr/bin/shim");
    process(901, 812, 800, "/bin/sh");
  }
  ~AncestryTest() override { std::filesystem::remove_all(root_); }

  void process(std::uint32_t pid, std::uint32_t parent, std::uint64_t ticks, const std::string& exe) {
    const std::filesystem::path dir = root_ / std::to_string(pid);
    std::filesystem::remove_all(dir);
    std::filesystem::create_directories(dir / "task" / std::to_string(pid));
    for (const auto& file : {dir / "stat", dir / "task" / std::to_string(pid) / "stat"}) {
      std::ofstream(file) << pid << " (a) b) S " << parent << " 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
                          << ticks;
    }
    std::filesystem::create_symlink(exe, dir / "exe");
  }
  void end(std::uint32_t pid) { std::filesystem::remove_all(root_ / std::to_string(pid)); }

  Ancestry read(std::uint32_t pid, std::uint32_t parent, std::uint64_t ticks, std::uint64_t now_ns = 0) {
    return reader_.read(pid, pid, parent, boot_ns(ticks), now_ns);
  }

  const Ancestor systemd_{1, boot_ns(5), "/lib/systemd/systemd"};
  const Ancestor shim_{812, boot_ns(700), "/usr/bin/shim"};
  const Ancestor sh_{901, boot_ns(800), "/bin/sh"};
  static std::filesystem::path make_folder() {
    std::string name = ::testing::TempDir() + "/proc-XXXXXX";
    return ::mkdtemp(name.data());
  }

  std::filesystem::path root_ = make_folder();
  AncestryReader reader_{root_.string(), 3};
};

TEST_F(AncestryTest, GoesFromTheParentToPid1) {
  process(950, 901, 900, "/bin/nsenter");
  const Ancestry found = read(950, 901, 900);
  EXPECT_THAT(found.chain, ElementsAre(sh_, shim_, systemd_));
  EXPECT_TRUE(found.complete);
  EXPECT_TRUE(passes(found, 812));
  EXPECT_FALSE(passes(found, 950));
}

TEST_F(AncestryTest, Pid1HasNone) {
  const Ancestry found = read(1, 0, 5);
  EXPECT_TRUE(found.chain.empty());
  EXPECT_TRUE(found.complete);
}

TEST_F(AncestryTest, OfOneThatIsGoneTheParentIsKnown) {
  EXPECT_THAT(read(950, 901, 900).chain, ElementsAre(sh_, shim_, systemd_));
}

TEST_F(AncestryTest, WithoutItsParentWhoeverTookItOver) {
  process(950, 812, 900, "/bin/nsenter");
  const Ancestry found = read(950, 902, 900);
  EXPECT_THAT(found.chain, ElementsAre(shim_, systemd_));
  EXPECT_TRUE(found.complete);
}

TEST_F(AncestryTest, EndsWhereOneIsGone) {
  process(950, 901, 900, "/bin/nsenter");
  end(812);
  const Ancestry found = read(950, 901, 900);
  EXPECT_THAT(found.chain, ElementsAre(sh_));
  EXPECT_FALSE(found.complete);
}

TEST_F(AncestryTest, NothingIsKnownOfWhoIsGoneWithItsParent) {
  const Ancestry found = read(950, 902, 900);
  EXPECT_TRUE(found.chain.empty());
  EXPECT_FALSE(found.complete);
}

TEST_F(AncestryTest, RecycledIdsAreNotBelieved) {
  process(901, 812, 1000, "/bin/later");  // the parent's
  EXPECT_TRUE(read(950, 901, 900).chain.empty());
  process(950, 812, 1100, "/bin/other");  // its own, too
  EXPECT_TRUE(read(950, 901, 901).chain.empty());
  process(901, 812, 800, "/bin/sh");
  process(812, 1, 1000, "/bin/later");  // one further up
  const Ancestry found = read(950, 901, 902);
  EXPECT_THAT(found.chain, ElementsAre(sh_));
  EXPECT_FALSE(found.complete);
}

TEST_F(AncestryTest, WithoutAStartItCouldBeAnybody) {
  EXPECT_EQ(read(901, 812, 0), Ancestry{});
  EXPECT_EQ(reader_.take_left_out(), 0u);
}

TEST_F(AncestryTest, EachIsReadOnceInASecondAndOnlySoMany) {
  process(950, 901, 900, "/bin/nsenter");
  const Ancestry first = read(950, 901, 900, second_ns);
  end(901);
  EXPECT_EQ(read(950, 901, 900, second_ns + 1), first) << "it is remembered";
  read(951, 812, 901, second_ns + 2);
  read(952, 812, 901, second_ns + 3);
  EXPECT_EQ(reader_.take_left_out(), 0u);
  EXPECT_EQ(read(953, 812, 901, second_ns + 4), Ancestry{});
  EXPECT_EQ(read(950, 901, 900, second_ns + 5), first) << "that costs nothing";
  EXPECT_TRUE(read(953, 812, 901, 2 * second_ns).complete) << "a second later";
  EXPECT_EQ(reader_.take_left_out(), 1u);
  EXPECT_EQ(reader_.take_left_out(), 0u);
}

TEST_F(AncestryTest, ALoopEnds) {
  process(960, 961, 900, "/a");
  process(961, 960, 900, "/b");
  EXPECT_FALSE(read(962, 960, 900).complete);
}

}  // namespace
}  // namespace isoscope::identity
