// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "sink/sink.h"
#include "sink_samples.h"

// Several outputs of one run.
namespace isoscope::sink {
namespace {

using config::Format;
using config::Output;
using samples::Scratch;

std::string refusal(const std::vector<Output>& outputs) {
  const auto files = open_outputs(outputs, "");
  if (files) {
    return "";
  }
  EXPECT_EQ(files.error().kind, base::ErrorKind::usage);
  return files.error().message;
}

bool shows_sums(std::optional<Format> format, const std::string& path) {
  const base::WallClock clock;
  auto output = OutputFile::create(path);
  EXPECT_TRUE(output);
  return make_sink(format, std::move(*output), clock, {})->shows_sums();
}

// Which output the sums of a run are kept for.
TEST(Outputs, TablesShowSumsAlsoWhereNobodyAskedForThem) {
  const base::UniqueFd terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_GE(terminal.get(), 0);
  ASSERT_EQ(::grantpt(terminal.get()), 0);
  ASSERT_EQ(::unlockpt(terminal.get()), 0);
  const std::string path = ::ptsname(terminal.get());
  EXPECT_TRUE(shows_sums(std::nullopt, path));
  EXPECT_FALSE(shows_sums(std::nullopt, "/dev/null"));
  EXPECT_TRUE(shows_sums(Format::table, "/dev/null"));
  EXPECT_FALSE(shows_sums(Format::ndjson, path));
}

TEST(Outputs, OneFileByTwoNamesIsRefused) {
  const Scratch file;
  const std::string link = file.path() + ".link";
  const std::string hard = file.path() + ".hard";
  std::filesystem::create_symlink(file.path(), link);
  std::filesystem::create_hard_link(file.path(), hard);
  EXPECT_EQ(refusal({{file.path(), Format::ndjson}, {link, Format::table}}),
            "two outputs, " + file.path() + " and " + link + ", are the same file");
  EXPECT_NE(refusal({{hard, Format::ndjson}, {file.path(), Format::prom}}), "");
  EXPECT_NE(refusal({{link, Format::prom}, {file.path(), Format::prom}}), "");
  ::unlink(link.c_str());
  ::unlink(hard.c_str());
}

TEST(Outputs, AFileThatIsNotThereYetHasOneNameToo) {
  const Scratch file;
  const std::string folder = file.path() + ".folder";
  const std::string link = file.path() + ".link";
  std::filesystem::create_directory(folder);
  std::filesystem::create_directory_symlink(folder, link);
  EXPECT_NE(refusal({{folder + "/m.prom", Format::prom}, {link + "/m.prom", Format::prom}}), "");
  EXPECT_EQ(refusal({{folder + "/m.prom", Format::prom}, {link + "/n.prom", Format::prom}}), "");
  std::filesystem::remove_all(folder);
  ::unlink(link.c_str());
}

TEST(Outputs, OthersMayBeSeveral) {
  const Scratch one;
  const Scratch other;
  EXPECT_EQ(refusal({{one.path(), Format::ndjson}, {other.path(), Format::ndjson}}), "");
  EXPECT_EQ(refusal({{"/dev/null", Format::ndjson}, {"/dev/null", Format::table}}), "");
}

}  // namespace
}  // namespace isoscope::sink
