// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "agent/commands.h"
#include "agent/schema_text.h"

namespace isoscope::agent {
namespace {

std::string shipped(const std::string& name) {
  std::ifstream file(ISOSCOPE_TEST_DATA "/../../packaging/schemas/" + name + ".schema.json");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ConfigSchema, IsTheFileThatIsShipped) {
  EXPECT_THAT(config_schema_text(), testing::StartsWith("{"));
  EXPECT_EQ(config_schema_text(), shipped("config"));
  EXPECT_EQ(policy_schema_text(), shipped("policy"));
  EXPECT_EQ(events_schema_text(), shipped("events"));
}

TEST(ConfigSchema, PrintsTheOneThatIsNamed) {
  config::Config config;
  testing::internal::CaptureStdout();
  EXPECT_TRUE(config_schema(config));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), shipped("config"));
  config.arguments = {"events"};
  testing::internal::CaptureStdout();
  EXPECT_TRUE(config_schema(config));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), shipped("events"));
}

TEST(ConfigSchema, KnowsThreeNames) {
  config::Config config;
  config.arguments = {"polciy"};
  const auto result = config_schema(config);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, base::ErrorKind::usage);
  EXPECT_THAT(result.error().message,
              testing::StartsWith("there is no schema of \"polciy\"; there are config, policy and events"));
}

}  // namespace
}  // namespace isoscope::agent
