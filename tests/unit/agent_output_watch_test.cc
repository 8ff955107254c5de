// SPDX-License-Identifier: Apache-2.0
#include "agent/output_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/unique_fd.h"
#include "sink_samples.h"

namespace isoscope::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

sink::OutputFile open_output(const std::string& path) {
  auto output = sink::OutputFile::create(path);
  EXPECT_TRUE(output);
  return std::move(*output);
}

TEST(OutputWatch, SaysNothingOfAnOutputThatWorks) {
  const sink::samples::Scratch scratch;
  sink::OutputFile output = open_output(scratch.path());
  OutputWatch watch;
  output.write("one\n");
  EXPECT_FALSE(watch.look(output));
}

TEST(OutputWatch, AFullDiskIsToldOnceWithPathAndReason) {
  sink::OutputFile output = open_output("/dev/full");
  OutputWatch watch;
  output.write("one\n");
  const auto news = watch.look(output);
  ASSERT_TRUE(news);
  EXPECT_TRUE(news->bad);
  EXPECT_THAT(news->words, AllOf(HasSubstr("/dev/full"), HasSubstr("No space left on device")));
  output.write("two\n");
  EXPECT_FALSE(watch.look(output));
  EXPECT_FALSE(watch.look(output));
}

// A pipe whose reader reads again: the end of the trouble is told with what it cost, and the next is news.
TEST(OutputWatch, TheEndIsToldWithTheLinesThatItCost) {
  const sink::samples::Scratch scratch;
  ::unlink(scratch.path().c_str());
  ASSERT_EQ(::mkfifo(scratch.path().c_str(), 0600), 0);
  const base::UniqueFd reader(::open(scratch.path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  sink::OutputFile output = open_output(scratch.path());
  OutputWatch watch;
  const std::string line = std::string(4095, 'x') + '\n';
  while (output.write_errors() < 2) {
    output.write(line);
  }
  auto news = watch.look(output);
  ASSERT_TRUE(news);
  EXPECT_THAT(news->words, HasSubstr("its reader takes nothing any more"));

  std::string bytes(1 << 20, '\0');
  ASSERT_GT(::read(reader.get(), bytes.data(), bytes.size()), 0);
  output.write("again\n");
  news = watch.look(output);
  ASSERT_TRUE(news);
  EXPECT_FALSE(news->bad);
  EXPECT_THAT(news->words, HasSubstr("takes records again; 2 lines were lost"));

  const std::uint64_t lost = output.write_errors();
  while (output.write_errors() == lost) {
    output.write(line);
  }
  news = watch.look(output);
  ASSERT_TRUE(news);
  EXPECT_TRUE(news->bad);
}

}  // namespace
}  // namespace isoscope::agent
