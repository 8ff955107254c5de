// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace isoscope::base {
namespace {

// All five levels, one message each, as they appear on standard error.
std::string messages_at(const log::Settings& settings) {
  testing::internal::CaptureStderr();
  log::set_up(settings);
  log::debug("d{}", 1);
  log::verbose("v{}", 2);
  log::info("i{}", 3);
  log::warning("w{}", 4);
  log::error("e{}", 5);
  log::set_up({});
  return testing::internal::GetCapturedStderr();
}

TEST(Log, VerbosityChoosesTheLevels) {
  EXPECT_EQ(messages_at({-1, false}), "isoscope: error: e5\n");
  EXPECT_EQ(messages_at({0, false}), "isoscope: i3\nisoscope: warning: w4\nisoscope: error: e5\n");
  EXPECT_EQ(messages_at({1, false}),
            "isoscope: v2\nisoscope: i3\nisoscope: warning: w4\nisoscope: error: e5\n");
}

TEST(Log, DebugHasTimes) {
  const std::string messages = messages_at({2, false});
  EXPECT_NE(messages.find(" isoscope: d1\n"), std::string::npos) << messages;
  EXPECT_NE(messages.find('.'), std::string::npos) << messages;
}

TEST(Log, OnlyTheLevelWordIsColoured) {
  EXPECT_EQ(messages_at({0, true}),
            "isoscope: i3\n"
            "isoscope: \x1b[33m\x1b[1mwarning: \x1b[mw4\n"
            "isoscope: \x1b[31m\x1b[1merror: \x1b[me5\n");
}

TEST(Log, NoColourOffATerminal) {
  EXPECT_EQ(messages_at({-1, std::nullopt}), "isoscope: error: e5\n");
}

TEST(Log, NamesCannotForgeMessagesOrDriveTheTerminal) {
  testing::internal::CaptureStderr();
  log::set_up({0, false});
  log::info("container {} started", "web\x1b[2J\nisoscope: error: forged");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "isoscope: container web?[2J\n          isoscope: error: forged started\n");
}

TEST(Log, ATrailingNewlineIsNotDoubled) {
  testing::internal::CaptureStderr();
  log::set_up({0, false});
  log::info("one\ntwo\n");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "isoscope: one\n          two\n");
}

}  // namespace
}  // namespace isoscope::base
