// SPDX-License-Identifier: Apache-2.0
#include "sink/rotation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <random>

#include "sink_samples.h"
#include "size_limit.h"

namespace isoscope::sink {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// By zstd's own program, which also checks the checksum.
std::string unpacked(const fs::path& path) {
  FILE* const pipe = ::popen(("zstd -dcq " + path.string()).c_str(), "r");
  std::string text;
  std::array<char, 65536> buffer{};
  for (std::size_t got = 0;
       pipe != nullptr && (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    text.append(buffer.data(), got);
  }
  return pipe != nullptr && ::pclose(pipe) == 0 ? text : "zstd failed";
}

class RotationTest : public testing::Test {
 protected:
  RotationTest() {
    std::string name = "/tmp/isoscope_rotation_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~RotationTest() override { fs::remove_all(folder_); }

  std::string path() const { return (folder_ / "out").string(); }
  OutputFile open(std::uint64_t size, std::uint32_t keep = 3) {
    auto output = OutputFile::create(path(), {size, keep});
    if (!output) {
      throw std::runtime_error(output.error().message);
    }
    return std::move(*output);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      all.push_back(entry.path().filename());
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  fs::path folder_;
};

// Until there is nothing to do: a file of some lines is one piece, and its end another.
void tidy(OutputFile& output) {
  for (int i = 0; i < 5; ++i) {
    output.tidy();
  }
}

TEST_F(RotationTest, ALinkStaysAndTheFileThatItLeadsToIsRotated) {
  fs::create_directory(folder_ / "data");
  fs::create_symlink(folder_ / "data" / "real", path());
  OutputFile output = open(12);
  output.write("one\ntwo\n");
  output.write("three\nfour\n");
  EXPECT_TRUE(fs::is_symlink(path()));
  EXPECT_EQ(text_of(folder_ / "data" / "real"), "three\nfour\n");
  EXPECT_EQ(text_of(folder_ / "data" / "real.1"), "one\ntwo\n");
  EXPECT_THAT(names(), ElementsAre("data", "out"));
}

TEST_F(RotationTest, WhatAnotherHasMovedMeanwhileIsNotRemoved) {
  OutputFile output = open(12);
  output.write("one\ntwo\n");
  output.write("three\nfour\n");
  fs::rename(path() + ".1", path() + ".2");
  std::ofstream(path() + ".1") << "another's\n";
  tidy(output);
  EXPECT_EQ(text_of(path() + ".1"), "another's\n");
}

TEST_F(RotationTest, MovesTheFileAsideAtTheEndOfALine) {
  OutputFile output = open(12);
  output.write("one\ntwo\n");
  output.write("three\nfour\n");
  EXPECT_EQ(text_of(path()), "three\nfour\n");
  EXPECT_EQ(text_of(path() + ".1"), "one\ntwo\n");
  tidy(output);
  EXPECT_THAT(names(), ElementsAre("out", "out.1.zst"));
  EXPECT_EQ(unpacked(path() + ".1.zst"), "one\ntwo\n");
  EXPECT_EQ(output.write_errors(), 0U);
}

TEST_F(RotationTest, ABatchIsDividedBetweenLines) {
  OutputFile output = open(10, 9);
  output.write("aaaa\nbbbb\ncccc\ndddd\ne\n");
  tidy(output);
  EXPECT_EQ(unpacked(path() + ".2.zst"), "aaaa\nbbbb\n") << "full to the last byte";
  EXPECT_EQ(unpacked(path() + ".1.zst"), "cccc\ndddd\n");
  EXPECT_EQ(text_of(path()), "e\n");
}

TEST_F(RotationTest, ALineThatIsLongerThanAFileIsAlone) {
  OutputFile output = open(10, 9);
  output.write("a\n0123456789abcdef\nb\n");
  tidy(output);
  EXPECT_EQ(unpacked(path() + ".2.zst"), "a\n");
  EXPECT_EQ(unpacked(path() + ".1.zst"), "0123456789abcdef\n");
  EXPECT_EQ(text_of(path()), "b\n");
}

TEST_F(RotationTest, KeepsTheLastOnes) {
  OutputFile output = open(4, 2);
  for (const char* line : {"aaa\n", "bbb\n", "ccc\n", "ddd\n", "eee\n"}) {
    output.write(line);
  }
  tidy(output);
  EXPECT_THAT(names(), ElementsAre("out", "out.1.zst", "out.2.zst"));
  EXPECT_EQ(unpacked(path() + ".1.zst"), "ddd\n");
  EXPECT_EQ(unpacked(path() + ".2.zst"), "ccc\n");
}

TEST_F(RotationTest, NoLineIsLostOrTorn) {
  OutputFile output = open(4096, 100);
  std::mt19937 random(3);
  std::string all;
  for (int batch = 0; batch < 200; ++batch) {
    std::string lines;
    for (unsigned i = 0; i < random() % 20; ++i) {
      lines += std::string(random() % 200, static_cast<char>('a' + batch % 26)) + "\n";
    }
    output.write(lines);
    output.tidy();
    all += lines;
  }
  tidy(output);
  std::string found;
  for (std::size_t number = names().size() - 1; number > 0; --number) {
    const std::string one = unpacked(path() + "." + std::to_string(number) + ".zst");
    EXPECT_TRUE(one.ends_with('\n'));
    EXPECT_LE(one.size(), 4096U);
    found += one;
  }
  EXPECT_GT(names().size(), 20U);
  EXPECT_TRUE(found + text_of(path()) == all);
}

TEST_F(RotationTest, LargeFilesAreCompressedPieceByPiece) {
  OutputFile output = open(8U << 20);
  std::string line(1023, 'x');
  line += '\n';
  std::string lines;
  for (int i = 0; i < 7 * 1024; ++i) {
    lines += line;
  }
  output.write(lines);
  output.write(lines);
  output.tidy();
  EXPECT_TRUE(fs::exists(path() + ".1")) << "not in one step";
  EXPECT_FALSE(fs::exists(path() + ".1.zst"));
  for (int i = 0; i < 10; ++i) {
    output.tidy();
  }
  EXPECT_THAT(names(), ElementsAre("out", "out.1.zst"));
  EXPECT_EQ(unpacked(path() + ".1.zst").size(), 8U << 20);
}

TEST_F(RotationTest, FilesAreForOwnerAndGroup) {
  const mode_t before = ::umask(0);
  OutputFile output = open(4);
  output.write("aaa\nbbb\n");
  tidy(output);
  ::umask(before);
  for (const std::string& name : {path(), path() + ".1.zst"}) {
    struct stat status {};
    ASSERT_EQ(::stat(name.c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 07777U, 0640U) << name;
  }
}

TEST_F(RotationTest, WhatIsThereAtTheStartCounts) {
  std::ofstream(path()) << "0123456789\n";
  std::ofstream(path() + ".1") << "of a run that was killed\n";
  OutputFile output = open(12);
  tidy(output);
  EXPECT_EQ(unpacked(path() + ".1.zst"), "of a run that was killed\n");
  output.write("new\n");
  tidy(output);
  EXPECT_EQ(unpacked(path() + ".1.zst"), "0123456789\n");
  EXPECT_EQ(unpacked(path() + ".2.zst"), "of a run that was killed\n");
  EXPECT_EQ(text_of(path()), "new\n");
}

TEST_F(RotationTest, ATornLineIsEndedBeforeTheFileIsMoved) {
  OutputFile output = open(16);
  {
    const SizeLimit limit(8);
    output.write("first\nsecond\n");
  }
  EXPECT_EQ(output.write_errors(), 1U);
  output.write("third one\n");
  tidy(output);
  EXPECT_EQ(unpacked(path() + ".1.zst"), "first\nse\n");
  EXPECT_EQ(text_of(path()), "third one\n");
  EXPECT_EQ(output.last_error(), 0);
}

TEST_F(RotationTest, AFullDiskIsNotRotatedAndRecovers) {
  OutputFile output = open(16);
  {
    const SizeLimit limit(8);
    output.write("first\nsecond\n");
    output.write("third one\n");
    output.write("fourth\n");
    EXPECT_EQ(output.write_errors(), 3U);
    EXPECT_THAT(names(), ElementsAre("out"));
  }
  output.write("fifth\n");
  EXPECT_EQ(text_of(path()), "first\nse\nfifth\n");
  output.write("sixth\n");
  EXPECT_EQ(text_of(path()), "sixth\n");
  EXPECT_EQ(text_of(path() + ".1"), "first\nse\nfifth\n");
  EXPECT_EQ(output.write_errors(), 3U);
}

TEST_F(RotationTest, WhatCannotBeCompressedStaysAsItIs) {
  OutputFile output = open(6);
  output.write("aaaaa\nbbbbb\n");
  {
    const SizeLimit limit(1);
    tidy(output);
  }
  EXPECT_THAT(names(), ElementsAre("out", "out.1")) << "and nothing half made";
  output.write("ccccc\n");
  tidy(output);
  EXPECT_EQ(text_of(path() + ".2"), "aaaaa\n");
  EXPECT_EQ(unpacked(path() + ".1.zst"), "bbbbb\n");
}

TEST_F(RotationTest, AFileThatOthersHaveMovedIsNotMovedAgain) {
  OutputFile output = open(6);
  output.write("aaaaa\n");
  fs::rename(path(), path() + ".theirs");
  std::ofstream(path()) << "xx\n";
  output.write("bbbbb\n");
  EXPECT_THAT(names(), ElementsAre("out", "out.theirs"));
  EXPECT_EQ(text_of(path()), "xx\nbbbbb\n");
  EXPECT_EQ(text_of(path() + ".theirs"), "aaaaa\n");
}

TEST_F(RotationTest, WhereItCannotBeMovedItGoesOnGrowing) {
  fs::create_directories(path() + ".1/in the way");
  OutputFile output = open(6, 1);
  output.write("aaaaa\nbbbbb\n");
  output.write("ccccc\n");
  EXPECT_EQ(text_of(path()), "aaaaa\nbbbbb\nccccc\n");
  EXPECT_EQ(output.write_errors(), 0U);
}

TEST_F(RotationTest, ReopeningKeepsIt) {
  OutputFile output = open(8);
  output.write("aaaaa\n");
  ASSERT_TRUE(output.reopen());
  output.write("bbbbb\n");
  tidy(output);
  EXPECT_EQ(unpacked(path() + ".1.zst"), "aaaaa\n");
  EXPECT_EQ(text_of(path()), "bbbbb\n");
}

TEST_F(RotationTest, DevicesAreNotRotated) {
  auto null = OutputFile::create("/dev/null", {4, 3});
  ASSERT_TRUE(null);
  null->write("aaaa\nbbbb\n");
  EXPECT_FALSE(fs::exists("/dev/null.1"));
}

}  // namespace
}  // namespace isoscope::sink
