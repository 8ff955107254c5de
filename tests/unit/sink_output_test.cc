// SPDX-License-Identifier: Apache-2.0
#include "sink/output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>

#include "sink_samples.h"
#include "size_limit.h"

namespace isoscope::sink {
namespace {

using samples::Scratch;
using testing::HasSubstr;

OutputFile open_output(const std::string& path) {
  base::Result<OutputFile> output = OutputFile::create(path);
  if (!output) {
    throw std::runtime_error(output.error().message);
  }
  return std::move(*output);
}

class Pipe {
 public:
  Pipe() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipe");
    }
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(writer.get()); }

  base::UniqueFd reader;
  base::UniqueFd writer;
};

std::string read_available(int fd) {
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

TEST(OutputFile, AppendsToAFile) {
  const Scratch scratch;
  std::ofstream(scratch.path()) << "old\n";
  OutputFile output = open_output(scratch.path());
  output.write("one\n");
  output.write("");
  output.write("two\nthree\n");
  EXPECT_EQ(scratch.text(), "old\none\ntwo\nthree\n");
  EXPECT_EQ(output.write_errors(), 0U);
  EXPECT_EQ(output.path(), scratch.path());
  EXPECT_FALSE(output.closed());
  EXPECT_FALSE(output.is_terminal());
}

TEST(OutputFile, IsMadeForOwnerAndGroupOnly) {
  const Scratch scratch;
  ::unlink(scratch.path().c_str());
  const mode_t before = ::umask(0);
  const OutputFile output = open_output(scratch.path());
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat(scratch.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST(OutputFile, WhatCannotBeWrittenIsRefusedWithPathAndReason) {
  const Scratch scratch;
  const std::pair<std::string, const char*> all[] = {
      {"/nonexistent/out.log", "cannot write /nonexistent/out.log: No such file or directory"},
      {"/", "cannot write /: Is a directory"},
      {"/nonexistent/a\x1b[2J", "cannot write /nonexistent/a?[2J: No such file or directory"},
  };
  for (const auto& [path, message] : all) {
    const auto output = OutputFile::create(path);
    ASSERT_FALSE(output) << path;
    EXPECT_EQ(output.error().kind, base::ErrorKind::failure);
    EXPECT_EQ(output.error().message, message);
  }
  const auto below_a_file = OutputFile::create(scratch.path() + "/out.log");
  ASSERT_FALSE(below_a_file);
  EXPECT_THAT(below_a_file.error().message, HasSubstr(": Not a directory"));
}

TEST(OutputFile, AFifoWithoutAReaderIsRefusedAtOnce) {
  const Scratch scratch;
  ::unlink(scratch.path().c_str());
  ASSERT_EQ(::mkfifo(scratch.path().c_str(), 0600), 0);
  const auto output = OutputFile::create(scratch.path());
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error().message, HasSubstr("cannot write " + scratch.path()));
}

TEST(OutputFile, AFullDeviceIsCountedAndDoesNotEndIt) {
  OutputFile output = open_output("/dev/full");
  output.write("one\n");
  output.write("two\nthree\n");
  EXPECT_EQ(output.write_errors(), 3U);
  EXPECT_EQ(output.last_error(), ENOSPC);
  EXPECT_FALSE(output.closed());
}

TEST(OutputFile, RecoversAndEndsTheTornLineFirst) {
  const Scratch scratch;
  OutputFile output = open_output(scratch.path());
  {
    SizeLimit limit(10);
    output.write("first\nsecond\nthird\n");
    output.write("fourth\n");
    limit.lift();
  }
  EXPECT_EQ(scratch.text(), "first\nseco") << "what fitted";
  EXPECT_EQ(output.write_errors(), 3U) << "second, third, fourth";
  EXPECT_EQ(output.last_error(), EFBIG);

  output.write("fifth\n");
  EXPECT_EQ(scratch.text(), "first\nseco\nfifth\n");
  EXPECT_EQ(output.write_errors(), 3U);
  EXPECT_EQ(output.last_error(), 0);
}

TEST(OutputFile, AfterAnErrorAtTheEndOfALineNothingIsInserted) {
  const Scratch scratch;
  OutputFile output = open_output(scratch.path());
  {
    const SizeLimit limit(6);
    output.write("first\nsecond\n");
  }
  output.write("third\n");
  EXPECT_EQ(scratch.text(), "first\nthird\n");
  EXPECT_EQ(output.write_errors(), 1U);
}

TEST(OutputFile, AClosedPipeIsNoError) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  OutputFile output = open_output(pipe.path());
  output.write("one\n");
  EXPECT_EQ(read_available(pipe.reader.get()), "one\n");
  EXPECT_FALSE(output.closed());
  pipe.reader.reset();
  output.write("two\n");
  EXPECT_TRUE(output.closed());
  output.write("three\n");
  EXPECT_EQ(output.write_errors(), 0U);
}

TEST(OutputFile, AReaderThatStopsCostsLinesNotTheAgent) {
  Pipe pipe;
  ASSERT_GT(::fcntl(pipe.writer.get(), F_SETPIPE_SZ, 4096), 0);
  OutputFile output = open_output(pipe.path());
  const std::string line = std::string(2047, 'x') + "\n";
  output.write(line + line);
  EXPECT_EQ(output.write_errors(), 0U);
  output.write(line + line + line);
  EXPECT_EQ(output.write_errors(), 3U);
  EXPECT_EQ(output.last_error(), EAGAIN);
  EXPECT_EQ(read_available(pipe.reader.get()), line + line);
  output.write("again\n");
  EXPECT_EQ(read_available(pipe.reader.get()), "again\n");
  EXPECT_EQ(output.write_errors(), 3U);
}

TEST(OutputFile, MoreThanAPipeHoldsArrivesWhole) {
  Pipe pipe;
  ASSERT_GE(::fcntl(pipe.writer.get(), F_SETPIPE_SZ, 1 << 20), 1 << 20);
  OutputFile output = open_output(pipe.path());
  std::string lines;
  while (lines.size() < 500'000) {
    lines += "line " + std::to_string(lines.size()) + "\n";
  }
  output.write(lines);
  EXPECT_EQ(read_available(pipe.reader.get()), lines);
}

TEST(OutputFile, ReopenFollowsThePath) {
  const Scratch scratch;
  const Scratch moved;
  OutputFile output = open_output(scratch.path());
  output.write("one\n");
  ASSERT_EQ(::rename(scratch.path().c_str(), moved.path().c_str()), 0);
  output.write("two\n");
  ASSERT_TRUE(output.reopen());
  output.write("three\n");
  EXPECT_EQ(moved.text(), "one\ntwo\n");
  EXPECT_EQ(scratch.text(), "three\n");
}

TEST(OutputFile, AReopenThatFailsKeepsTheOldFile) {
  const Scratch scratch;
  const Scratch moved;
  OutputFile output = open_output(scratch.path());
  ASSERT_EQ(::rename(scratch.path().c_str(), moved.path().c_str()), 0);
  ASSERT_EQ(::mkdir(scratch.path().c_str(), 0700), 0);
  const auto reopened = output.reopen();
  ::rmdir(scratch.path().c_str());
  ASSERT_FALSE(reopened);
  EXPECT_THAT(reopened.error().message, HasSubstr("Is a directory"));
  output.write("still here\n");
  EXPECT_EQ(moved.text(), "still here\n");
}

TEST(OutputFile, ReopenKeepsTheCount) {
  OutputFile output = open_output("/dev/full");
  output.write("one\n");
  ASSERT_TRUE(output.reopen());
  EXPECT_EQ(output.write_errors(), 1U);
}

TEST(OutputFile, DashIsStandardOutput) {
  Pipe pipe;
  const base::UniqueFd saved(::dup(STDOUT_FILENO));
  ::dup2(pipe.writer.get(), STDOUT_FILENO);
  OutputFile output = open_output("-");
  ::dup2(saved.get(), STDOUT_FILENO);
  output.write("data\n");
  EXPECT_TRUE(output.reopen());
  output.write("more\n");
  EXPECT_EQ(read_available(pipe.reader.get()), "data\nmore\n");
}

TEST(OutputFile, StandardErrorIsADescriptorToo) {
  Pipe pipe;
  const base::UniqueFd saved(::dup(STDERR_FILENO));
  ::dup2(pipe.writer.get(), STDERR_FILENO);
  OutputFile output = open_output("/dev/stderr");
  ::dup2(saved.get(), STDERR_FILENO);
  output.write("data\n");
  EXPECT_TRUE(output.reopen());
  output.write("more\n");
  EXPECT_EQ(read_available(pipe.reader.get()), "data\nmore\n");
}

TEST(OutputFile, AStandardOutputThatIsNotForWritingIsRefused) {
  const base::UniqueFd saved(::dup(STDOUT_FILENO));
  const base::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ::dup2(null.get(), STDOUT_FILENO);
  const auto read_only = OutputFile::create("-");
  ::close(STDOUT_FILENO);
  const auto none = OutputFile::create("-");
  ::dup2(saved.get(), STDOUT_FILENO);
  ASSERT_FALSE(read_only);
  EXPECT_EQ(read_only.error().message, "cannot write standard output: Bad file descriptor");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "cannot write standard output: Bad file descriptor");
}

}  // namespace
}  // namespace isoscope::sink
