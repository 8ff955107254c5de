// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "config/file.h"

// The files that the schema of the configuration is tested with.
namespace isoscope::config {
namespace {

using testing::StartsWith;

std::vector<std::filesystem::path> samples_in(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(ISOSCOPE_TEST_DATA "/config/" + folder)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

base::Result<base::Ok> read_sample(const std::string& name, const std::string& text) {
  Draft draft;
  draft.exit_reasons = {"npf", "hlt"};
  return read_text(name, text, draft);
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The first line of each of these files is `# ` and the error, without the name of the file.
TEST(ConfigSamples, TheMalformedAreRefusedEachAtItsPlace) {
  const auto files = samples_in("bad");
  EXPECT_GE(files.size(), 40U);
  for (const auto& path : files) {
    const std::string text = text_of(path);
    const std::string name = path.filename().string();
    ASSERT_THAT(text, StartsWith("# "));
    const auto read = read_sample(name, text);
    ASSERT_FALSE(read) << name << " was accepted";
    EXPECT_EQ(read.error().message, name + ":" + text.substr(2, text.find('\n') - 2));
  }
}

TEST(ConfigSamples, TheGoodAreAccepted) {
  const auto files = samples_in("good");
  EXPECT_GE(files.size(), 5U);
  for (const auto& path : files) {
    const auto read = read_sample(path.filename().string(), text_of(path));
    EXPECT_TRUE(read) << read.error().message;
  }
}

// What operators begin with.
TEST(ConfigSamples, TheShippedAreAccepted) {
  const std::filesystem::path packaging = std::filesystem::path(ISOSCOPE_TEST_DATA) / "../../packaging";
  std::vector<std::filesystem::path> files = {packaging / "kubernetes/base/config.yaml"};
  for (const char* folder : {"config", "examples/config"}) {
    std::error_code missing;
    for (const auto& entry : std::filesystem::directory_iterator(packaging / folder, missing)) {
      if (entry.path().extension() == ".yaml") {
        files.push_back(entry.path());
      }
    }
  }
  EXPECT_GE(files.size(), 4U);
  for (const auto& path : files) {
    const auto read = read_sample(path.filename().string(), text_of(path));
    EXPECT_TRUE(read) << read.error().message;
  }
}

}  // namespace
}  // namespace isoscope::config
