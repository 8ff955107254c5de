// SPDX-License-Identifier: Apache-2.0
#include "sink/whole_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "sink_samples.h"

namespace isoscope::sink {
namespace {

namespace fs = std::filesystem;
using samples::Scratch;
using testing::HasSubstr;

TEST(WholeFile, ReplacesTheContentAndLeavesNothingBeside) {
  const Scratch scratch;
  std::ofstream(scratch.path()) << "old and longer\n";
  const mode_t before = ::umask(0077);
  EXPECT_EQ(replace_file(scratch.path(), "new\n"), 0);
  ::umask(before);
  EXPECT_EQ(scratch.text(), "new\n");
  EXPECT_FALSE(fs::exists(scratch.path() + ".tmp"));
  struct stat status {};
  ASSERT_EQ(::stat(scratch.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0644U) << "the collector is not root";
}

TEST(WholeFile, WhoHasTheOldFileOpenKeepsIt) {
  const Scratch scratch;
  std::ofstream(scratch.path()) << "old\n";
  std::ifstream reader(scratch.path());
  EXPECT_EQ(replace_file(scratch.path(), "new\n"), 0);
  std::string line;
  ASSERT_TRUE(std::getline(reader, line));
  EXPECT_EQ(line, "old");
}

TEST(WholeFile, AnErrorKeepsTheOldFile) {
  EXPECT_EQ(replace_file("/nonexistent/a.prom", "new\n"), ENOENT);
  EXPECT_EQ(check_replaceable("/nonexistent/a.prom"), ENOENT);
  EXPECT_EQ(check_replaceable("/tmp"), EISDIR);
}

TEST(WholeFile, ALinkInPlaceOfTheTemporaryIsNotFollowed) {
  const Scratch scratch;
  const Scratch victim;
  std::ofstream(victim.path()) << "precious\n";
  fs::create_symlink(victim.path(), scratch.path() + ".tmp");
  EXPECT_EQ(replace_file(scratch.path(), "new\n"), 0);
  EXPECT_EQ(victim.text(), "precious\n");
  EXPECT_EQ(scratch.text(), "new\n");
}

base::Result<OutputFile> replaced(const std::string& path) {
  return OutputFile::create_replaced(path);
}

TEST(ReplacedOutput, EachWriteIsTheWholeFile) {
  const Scratch scratch;
  auto output = replaced(scratch.path());
  ASSERT_TRUE(output);
  output->write("one\ntwo\n");
  output->write("");
  EXPECT_EQ(scratch.text(), "one\ntwo\n");
  ASSERT_TRUE(output->reopen());
  output->write("three\n");
  EXPECT_EQ(scratch.text(), "three\n");
  EXPECT_EQ(output->write_errors(), 0U);
}

TEST(ReplacedOutput, OpeningItLeavesTheOldFileInPlace) {
  const Scratch scratch;
  std::ofstream(scratch.path()) << "old\n";
  ASSERT_TRUE(replaced(scratch.path()));
  EXPECT_EQ(scratch.text(), "old\n");
}

TEST(ReplacedOutput, WhatCannotBeWrittenIsRefusedAtTheStart) {
  const auto none = replaced("/nonexistent/a.prom");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "cannot write /nonexistent/a.prom: No such file or directory");
  EXPECT_FALSE(replaced("/tmp"));
}

TEST(ReplacedOutput, AFolderThatWentAwayIsCountedAndMayComeBack) {
  const Scratch scratch;
  const std::string folder = scratch.path() + ".d";
  ASSERT_TRUE(fs::create_directory(folder));
  const std::string path = folder + "/isoscope.prom";
  auto output = replaced(path);
  ASSERT_TRUE(output);
  fs::remove(folder);
  output->write("one\ntwo\n");
  EXPECT_EQ(output->write_errors(), 2U);
  EXPECT_EQ(output->last_error(), ENOENT);
  EXPECT_FALSE(output->closed());
  fs::create_directory(folder);
  output->write("three\n");
  EXPECT_EQ(output->last_error(), 0);
  EXPECT_TRUE(fs::exists(path));
  fs::remove_all(folder);
}

TEST(ReplacedOutput, DevicesAndPipesAreWrittenToAndNotReplaced) {
  auto null = replaced("/dev/null");
  ASSERT_TRUE(null);
  null->write("one\n");
  EXPECT_EQ(null->write_errors(), 0U);
  struct stat status {};
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
  auto full = replaced("/dev/full");
  ASSERT_TRUE(full);
  full->write("one\n");
  EXPECT_EQ(full->write_errors(), 1U);
}

TEST(ReplacedOutput, OfALinkTheFileBehindItIsReplaced) {
  const Scratch target;
  const std::string link = target.path() + ".link";
  fs::create_symlink(target.path(), link);
  auto output = replaced(link);
  ASSERT_TRUE(output);
  output->write("new\n");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(target.text(), "new\n");
  fs::remove(link);
}

}  // namespace
}  // namespace isoscope::sink
