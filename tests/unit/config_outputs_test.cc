// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/command_line.h"

// Options of `run` about where its output goes and how much of it is kept.
namespace isoscope::config {
namespace {

using testing::StartsWith;

base::Result<Config> parse(const std::vector<const char*>& arguments) {
  std::vector<const char*> argv = {"isoscope"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return parse_command_line(static_cast<int>(argv.size()), argv.data(), {});
}

Config good(const std::vector<const char*>& arguments) {
  base::Result<Config> parsed = parse(arguments);
  if (!parsed) {
    ADD_FAILURE() << parsed.error().message;
    return {};
  }
  return *parsed;
}

TEST(OutputOptions, WhoListensHasNoDefaultOutput) {
  const Config config = good({"run", "--listen", "127.0.0.1:9745"});
  EXPECT_EQ(config.listen, "127.0.0.1:9745");
  EXPECT_TRUE(config.outputs.empty());
  const Config with_format = good({"run", "--listen", "[::1]:1", "-f", "ndjson"});
  ASSERT_EQ(with_format.outputs.size(), 1U);
  EXPECT_EQ(with_format.outputs[0].path, "-");
  EXPECT_EQ(with_format.outputs[0].format, Format::ndjson);
  const Config with_file = good({"run", "--listen", "unix:/run/i.sock", "-o", "a"});
  ASSERT_EQ(with_file.outputs.size(), 1U);
  EXPECT_EQ(with_file.outputs[0].path, "a");
}

TEST(OutputOptions, RotationIsOfEveryOutput) {
  const Config config = good({"run", "-o", "a", "--rotate-size", "2M", "-o", "b", "--rotate-keep", "9"});
  ASSERT_EQ(config.outputs.size(), 2U);
  EXPECT_EQ(config.outputs[0].rotate, (Rotation{2U << 20, 9}));
  EXPECT_EQ(config.outputs[1].rotate, (Rotation{2U << 20, 9}));
  EXPECT_EQ(good({"run", "-o", "a"}).outputs[0].rotate, Rotation{});
}

TEST(OutputOptions, WrongOnesAreRefusedWithAReason) {
  struct Wrong {
    std::vector<const char*> arguments;
    std::string message;
  };
  const Wrong all[] = {
      {{"run", "--listen", "0.0.0.0:9745"},
       "--listen 0.0.0.0:9745 is not of this host alone: metrics name what runs here, and are served without "
       "encryption and without a password. Use 127.0.0.1:PORT, [::1]:PORT or unix:PATH, and a proxy before "
       "it"},
      {{"run", "--listen", "127.0.0.1:65536"},
       "--listen 127.0.0.1:65536 has a port that is not a whole number from 0 to 65535"},
      {{"run", "--listen", "unix:i.sock"},
       "--listen unix:i.sock needs a path from the root: unix:/run/isoscope.sock"},
      {{"run", "--rotate-size", "63K"}, "--rotate-size 63K is too small: 64K is the smallest file"},
      {{"run", "--rotate-keep", "0"}, "--rotate-keep 0 is not a whole number from 1 to 1000"},
      {{"run", "--series", "99"}, "--series 99 is not a whole number from 100 to 1000000"},
  };
  for (const Wrong& wrong : all) {
    const auto parsed = parse(wrong.arguments);
    ASSERT_FALSE(parsed) << wrong.message;
    EXPECT_EQ(parsed.error().kind, base::ErrorKind::usage);
    EXPECT_THAT(parsed.error().message, StartsWith(wrong.message));
  }
}

}  // namespace
}  // namespace isoscope::config
