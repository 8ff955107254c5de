// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/command_line.h"
#include "config/file.h"
#include "config/yaml_text.h"

// `isoscope config`: what is shown reads back as the same.
namespace isoscope::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

base::Result<Config> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "isoscope");
  Environment environment;
  environment.exit_reasons = {"npf", "hlt"};
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data(), environment);
}

Config read_back(const std::string& text) {
  Draft draft;
  draft.exit_reasons = {"npf", "hlt"};
  const auto read = read_text("shown", text, draft);
  EXPECT_TRUE(read) << read.error().message << "\n" << text;
  return finish(draft, false);
}

// What both are asked to do; which command it was is apart.
void expect_reads_back(const std::vector<const char*>& arguments) {
  auto parsed = parse(arguments);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->command, Command::config_show);
  const std::string text = yaml_text(*parsed);
  Config again = read_back(text);
  again.command = parsed->command;
  EXPECT_EQ(again, *parsed) << text;
  EXPECT_EQ(yaml_text(again), text);
}

TEST(ConfigShow, DefaultsReadBack) {
  expect_reads_back({"config", "show"});
}

TEST(ConfigShow, EverythingReadsBack) {
  expect_reads_back({"config",
                     "show",
                     "-i",
                     "1500ms",
                     "-d",
                     "1h",
                     "--events",
                     "exits,switches,cgroups,crossings,accesses,attempts",
                     "--slow-exit",
                     "1234567ns",
                     "--data-ring",
                     "8M",
                     "--label",
                     "app",
                     "--label",
                     "a \"quoted\\ one",
                     "--accounts",
                     "17",
                     "--bottleneck",
                     "cpu=33.3%,io=0.007%",
                     "--policy",
                     "/etc/p.d",
                     "--fail-on",
                     "high",
                     "--vm",
                     "web*",
                     "--container",
                     "[ab]: c #",
                     "--cgroup",
                     "/system.slice",
                     "--pid",
                     "7",
                     "--vcpu",
                     "0,2-3",
                     "--reason",
                     "npf,0x400",
                     "--unit",
                     "*.service",
                     "--unit",
                     "true",
                     "--unit",
                     "tab\there",
                     "--top",
                     "0",
                     "--sort",
                     "count",
                     "--series",
                     "700",
                     "--color",
                     "never",
                     "-v",
                     "-v",
                     "--listen",
                     "127.0.0.1:9745",
                     "-o",
                     "-",
                     "-f",
                     "ndjson",
                     "-o",
                     "/var/log/a b.ndjson",
                     "-f",
                     "prom",
                     "-o",
                     "m.prom",
                     "--rotate-size",
                     "100K",
                     "--rotate-keep",
                     "3",
                     "--exit-histograms",
                     "12"});
}

TEST(ConfigShow, WhatHasNoEffectIsNotKept) {
  expect_reads_back({"config", "show", "-o", "a", "--rotate-keep", "3"});
  expect_reads_back({"config", "show", "-vvv", "-q"});
  expect_reads_back({"config", "show", "--listen", "unix:/run/i.sock"});
}

// Whatever percentage is written: dividing it by 100 rounds.
TEST(ConfigShow, SharesReadBack) {
  for (const double percent : {10.0, 5.0, 7.0, 29.0, 57.0, 100.0, 0.0000001, 33.333333333333336, 99.99999}) {
    const double share = percent / 100;
    Config config;
    config.bottleneck = {share, share, share};
    EXPECT_EQ(read_back(yaml_text(config)).bottleneck, config.bottleneck) << yaml_text(config);
  }
  EXPECT_THAT(yaml_text(Config{}), HasSubstr("bottleneck: {cpu: 10%, memory: 5%, io: 10%}\n"));
}

TEST(ConfigShow, IsOfTheFileToo) {
  const auto missing = parse({"config", "show", "-c", "/nowhere/config.yaml"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, base::ErrorKind::config);
}

TEST(ConfigCommands, TakeWhatTheyAreFor) {
  const auto validate = parse({"config", "validate", "a.yaml", "b.yaml"});
  ASSERT_TRUE(validate);
  EXPECT_EQ(validate->command, Command::config_validate);
  EXPECT_EQ(validate->arguments, (std::vector<std::string>{"a.yaml", "b.yaml"}));
  const auto schema = parse({"config", "schema", "policy"});
  ASSERT_TRUE(schema);
  EXPECT_EQ(schema->command, Command::config_schema);
  EXPECT_EQ(schema->arguments, std::vector<std::string>{"policy"});
  EXPECT_EQ(parse({"config", "schema", "policy", "events"}).error().kind, base::ErrorKind::usage);
  EXPECT_THAT(parse({"config", "--help"})->help_text, StartsWith("isoscope config - "));
  EXPECT_THAT(parse({"help", "config", "show"})->help_text, StartsWith("isoscope config - "));
  EXPECT_THAT(parse({"config"}).error().message,
              StartsWith("isoscope config needs a command: show, validate, schema"));
  EXPECT_THAT(parse({"config", "shwo"}).error().message, HasSubstr("did you mean isoscope config show?"));
  EXPECT_THAT(parse({"config", "show", "extra"}).error().message,
              StartsWith("unexpected argument \"extra\""));
  EXPECT_EQ(parse({"config", "validate", "-i", "1s"}).error().kind, base::ErrorKind::usage);
}

TEST(OutputsTwice, AreRefusedWithBothNames) {
  EXPECT_THAT(parse({"run", "-o", "x/a", "-o", "x/../x/./a"}).error().message,
              StartsWith("--output x/../x/./a is given twice: x/a is the same file"));
  EXPECT_THAT(parse({"run", "-o", "-", "-o", "/dev/stdout"}).error().message,
              StartsWith("--output /dev/stdout is given twice: - is the same file"));
  EXPECT_TRUE(parse({"run", "-o", "a", "-o", "b/a"}));
  Draft draft;
  const auto read = read_text("t", "outputs:\n  - /tmp/a\n  - {path: /tmp//a, format: prom}\n", draft);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message, "t:3:12: output: \"/tmp//a\" is given twice: /tmp/a is the same file");
}

}  // namespace
}  // namespace isoscope::config
