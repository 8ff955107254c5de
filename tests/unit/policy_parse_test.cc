// SPDX-License-Identifier: Apache-2.0
#include "policy/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "policy/parse_match.h"

namespace isoscope::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::filesystem::path> files_in(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(ISOSCOPE_TEST_DATA "/policies/" + folder)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The first line of each of these files is `# ` and the first error, without the name of the file.
TEST(PolicyFiles, TheMalformedAreRefusedEachAtItsPlace) {
  const auto files = files_in("bad");
  EXPECT_GE(files.size(), 50U);
  std::set<std::string> texts;
  for (const auto& path : files) {
    const std::string text = text_of(path);
    const std::string name = path.filename().string();
    ASSERT_THAT(text, StartsWith("# "));
    const std::string expected = name + ":" + text.substr(2, text.find('\n') - 2);
    const Parsed parsed = parse(name, text);
    ASSERT_FALSE(parsed.errors.empty()) << name << " was accepted";
    EXPECT_EQ(parsed.errors.front().message, expected);
    EXPECT_EQ(parsed.errors.front().kind, base::ErrorKind::config);
    EXPECT_EQ(base::printable(expected), expected) << name;
    texts.insert(text.substr(text.find('\n')));
  }
  EXPECT_EQ(texts.size(), files.size()) << "two files are the same";
}

TEST(PolicyFiles, TheGoodAreAccepted) {
  const auto files = files_in("good");
  EXPECT_GE(files.size(), 4U);
  for (const auto& path : files) {
    for (const base::Error& error : parse(path.filename().string(), text_of(path)).errors) {
      ADD_FAILURE() << error.message;
    }
  }
}

TEST(PolicyFiles, ReadsTheSpecifiedExample) {
  const Parsed parsed = parse("f.yaml", text_of(ISOSCOPE_TEST_DATA "/policies/good/specified.yaml"));
  ASSERT_EQ(parsed.policies.size(), 1U);
  const Policy& policy = parsed.policies[0];
  EXPECT_EQ(policy.name, "no-escape");
  EXPECT_FALSE(policy.enforce);
  EXPECT_EQ(policy.file, "f.yaml");
  EXPECT_EQ(policy.place.line, 1U);
  ASSERT_EQ(policy.rules.size(), 1U);
  const Rule& rule = policy.rules[0];
  EXPECT_EQ(rule.name, "escape-to-host");
  EXPECT_THAT(rule.on.events, ElementsAre(EventKind::crossing));
  EXPECT_THAT(rule.on.directions, ElementsAre(Direction::escape, Direction::lateral));
  ASSERT_EQ(rule.except.size(), 1U);
  EXPECT_THAT(rule.except[0].exes, ElementsAre("/usr/bin/runc"));
  EXPECT_THAT(rule.except[0].unit_kinds, ElementsAre(identity::UnitKind::host));
  EXPECT_EQ(rule.effect, Effect::deny);
  EXPECT_EQ(rule.severity, Severity::critical) << "inherited";
  EXPECT_EQ(rule.message, "{process.exe} left {unit.name} for {to.unit}");
}

TEST(PolicyFiles, ReadsEveryKey) {
  const Parsed parsed = parse("f.yaml", text_of(ISOSCOPE_TEST_DATA "/policies/good/everything.yaml"));
  ASSERT_EQ(parsed.policies.size(), 2U) << "an empty document is none";
  const Policy& policy = parsed.policies[0];
  EXPECT_EQ(policy.description, "Two lines\nof text.\n");
  ASSERT_EQ(policy.rules.size(), 4U);
  const Match& on = policy.rules[0].on;
  EXPECT_THAT(on.events, ElementsAre(EventKind::crossing, EventKind::attempt));
  EXPECT_EQ(on.directions.size(), 8U);
  EXPECT_EQ(on.directions[2], Direction::leave_cgroup);
  EXPECT_EQ(on.directions[3], Direction::leave_cgroup);
  EXPECT_THAT(on.mechanisms, ElementsAre("setns", "unshare", "clone", "exec", "cgroup_attach",
                                         "clone_into_cgroup", "none", "unknown"));
  EXPECT_EQ(on.namespaces.size(), 8U);
  EXPECT_EQ(on.unit_kinds.size(), 6U);
  EXPECT_THAT(on.unit_names, ElementsAre("web-*", "db[0-9]", "[!]x]y", "a\\[b"));
  EXPECT_THAT(on.to_kinds, ElementsAre(identity::UnitKind::host));
  EXPECT_THAT(on.to_names, ElementsAre("host"));
  EXPECT_THAT(on.exes, ElementsAre("/usr/bin/*", "*/runc"));
  EXPECT_THAT(on.uids, ElementsAre(0U, 1000U, 4294967294U));
  EXPECT_THAT(on.capabilities, ElementsAre(21U, 12U, 19U, 40U));
  EXPECT_THAT(on.resources, ElementsAre("namespace/mnt", "namespace/*", "cgroup"));
  EXPECT_THAT(on.actions, ElementsAre("setns", "cgroup_attach"));
  EXPECT_EQ(policy.rules[0].except.size(), 2U);
  EXPECT_EQ(policy.rules[0].severity, Severity::critical) << "its own";
  EXPECT_EQ(policy.rules[1].severity, Severity::low) << "inherited";
  EXPECT_EQ(policy.rules[2].severity, Severity::high);
  EXPECT_EQ(policy.rules[3].effect, Effect::allow);
  ASSERT_EQ(policy.expect.size(), 2U);
  EXPECT_EQ(policy.expect[0].count, std::nullopt);
  EXPECT_EQ(policy.expect[1].rule, "second");
  EXPECT_EQ(policy.expect[1].count, 3U);
  EXPECT_TRUE(parsed.policies[1].enforce);
  EXPECT_EQ(parsed.policies[1].expect.size(), 1U);
}

TEST(PolicyFiles, AnAuditWithoutSeverityIsLow) {
  const Parsed parsed = parse("f", "name: p\nrules: [{name: r, on: {event: crossing}, effect: audit}]\n");
  ASSERT_EQ(parsed.policies.size(), 1U);
  EXPECT_THAT(parsed.errors, IsEmpty());
  EXPECT_EQ(parsed.policies[0].rules[0].severity, Severity::low);
}

TEST(PolicyFiles, AllThatIsWrongIsTold) {
  const Parsed parsed = parse("f.yaml",
                              "name: a b\nseverity: hihg\nrules:\n"
                              "  - name: r\n    on: {direction: [up, down], unit: x}\n    effect: dney\n"
                              "---\nrules: 1\n");
  std::vector<std::string> places;
  for (const base::Error& error : parsed.errors) {
    places.push_back(error.message.substr(0, error.message.find(": ")));
  }
  EXPECT_THAT(places, ElementsAre("f.yaml:1:7", "f.yaml:2:11", "f.yaml:5:22", "f.yaml:5:26", "f.yaml:5:33",
                                  "f.yaml:6:13", "f.yaml:8:1", "f.yaml:8:8"));
}

TEST(PolicyFiles, AFloodOfErrorsIsCut) {
  std::string text = "name: p\nrules: [";
  for (int i = 0; i < 500; ++i) {
    text += "1,";
  }
  const Parsed parsed = parse("f.yaml", text + "1]\n");
  ASSERT_EQ(parsed.errors.size(), Problems::most + 1);
  EXPECT_EQ(parsed.errors.back().message, "f.yaml: 401 more errors are not shown");
}

TEST(PolicyFiles, NamesDifferAcrossFiles) {
  const auto one = [](const char* file) {
    return parse(file, "name: p\nrules: [{name: r, on: {event: crossing}, effect: audit}]\n").policies.at(0);
  };
  EXPECT_THAT(check_names({one("a.yaml")}), IsEmpty());
  const auto errors = check_names({one("a.yaml"), one("b.yaml"), one("c.yaml")});
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0].message, "b.yaml:1:1: a second policy with the name \"p\"; the first is in a.yaml:1");
  EXPECT_THAT(errors[1].message, StartsWith("c.yaml:1:1: "));
}

TEST(PolicyFiles, BytesOfAllKindsGiveErrorsThatCanBePrinted) {
  std::string text;
  for (int i = 0; i < 4096; ++i) {
    text.push_back(static_cast<char>(i * 131 % 256));
  }
  for (std::size_t start = 0; start < text.size(); start += 7) {
    for (const base::Error& error : parse("f", "name: " + text.substr(start, 64)).errors) {
      EXPECT_THAT(error.message, StartsWith("f:"));
      EXPECT_EQ(error.message, base::printable(error.message)) << start;
    }
  }
}

}  // namespace
}  // namespace isoscope::policy
