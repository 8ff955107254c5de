// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

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
