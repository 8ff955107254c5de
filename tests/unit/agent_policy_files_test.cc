// SPDX-License-Identifier: Apache-2.0
#include "agent/policy_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "agent/commands.h"

namespace isoscope::agent {
namespace {

namespace fs = std::filesystem;

using base::ErrorKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A folder of its own, gone with the object.
class Folder {
 public:
  Folder() {
    std::string name = fs::temp_directory_path() / "isoscope-test-XXXXXX";
    path_ = ::mkdtemp(name.data()) == nullptr ? "" : name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }
  std::string path(const std::string& name = "") const { return name.empty() ? path_ : path_ / name; }

 private:
  fs::path path_;
};

std::string policy(const std::string& name, const std::string& rule = "{event: crossing}",
                   const std::string& more = "") {
  return "name: " + name + "\nseverity: high\nrules: [{name: r, on: " + rule + ", effect: deny}]\n" + more;
}

std::vector<std::string> names_of(const PolicyFiles& files) {
  std::vector<std::string> names;
  for (const policy::Policy& one : files.policies) {
    names.push_back(one.name);
  }
  return names;
}

std::string error_of(const std::vector<std::string>& paths) {
  const auto read = read_policies(paths);
  if (read) {
    return "read";
  }
  EXPECT_EQ(read.error().kind, ErrorKind::config);
  return read.error().message;
}

TEST(PolicyFolder, FilesInTheOrderOfTheirNames) {
  const Folder folder;
  folder.write("20-b.yaml", policy("b"));
  folder.write("10-c.yml", policy("c"));
  folder.write("30-a.yaml", policy("a1") + "---\n" + policy("a2"));
  folder.write(".hidden.yaml", "{");
  folder.write("20-b.yaml~", "{");
  folder.write("README", "{");
  const auto read = read_policies({folder.path()});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(names_of(*read), ElementsAre("c", "b", "a1", "a2"));
  EXPECT_EQ(read->files.size(), 3U);
  EXPECT_EQ(summary_of(*read), "4 policies with 4 rules from 3 files");
  const auto file = read_policies({folder.path("30-a.yaml"), folder.path("10-c.yml")});
  ASSERT_TRUE(file);
  EXPECT_THAT(names_of(*file), ElementsAre("a1", "a2", "c")) << "as they are given";
}

TEST(PolicyFolder, AnEmptyOneHasNone) {
  const Folder folder;
  const auto read = read_policies({folder.path()});
  ASSERT_TRUE(read);
  EXPECT_THAT(read->policies, IsEmpty());
}

TEST(PolicyFolder, AllErrorsOfAllFilesAreTold) {
  const Folder folder;
  folder.write("1.yaml", "name: a b\nrules: 1\n");
  folder.write("2.yaml", policy("good"));
  folder.write("3.yaml", "name: [\n");
  fs::create_directory(folder.path("4.yaml"));
  fs::create_symlink("nowhere", folder.path("5.yaml"));
  const std::string error = error_of({folder.path(), folder.path("missing.yaml")});
  EXPECT_THAT(error, HasSubstr("6 errors in the policies; none of them is used\n"));
  EXPECT_THAT(error, HasSubstr("\n" + folder.path("1.yaml") + ":1:7: name: "));
  EXPECT_THAT(error, HasSubstr("\n" + folder.path("1.yaml") + ":2:8: rules: "));
  EXPECT_THAT(error, HasSubstr("\n" + folder.path("3.yaml") + ":3:1: "));
  EXPECT_THAT(error, HasSubstr("\ncannot read " + folder.path("4.yaml") + ": Is a directory"));
  EXPECT_THAT(error, HasSubstr("\ncannot read " + folder.path("5.yaml") + ": No such file or directory"));
  EXPECT_THAT(error, HasSubstr("\ncannot read " + folder.path("missing.yaml") + ": No such file"));
}

TEST(PolicyFolder, ANameInTwoFilesIsAnError) {
  const Folder folder;
  folder.write("1.yaml", policy("p"));
  folder.write("2.yaml", policy("p"));
  EXPECT_THAT(error_of({folder.path()}),
              HasSubstr("2.yaml:1:1: a second policy with the name \"p\"; the first is in " +
                        folder.path("1.yaml") + ":1"));
  EXPECT_THAT(error_of({folder.path("1.yaml"), folder.path("1.yaml")}), HasSubstr("a second policy"));
}

TEST(PolicyFolder, AFileMustNotBeTooLarge) {
  const Folder folder;
  const std::string path = folder.write("1.yaml", std::string((1 << 20) + 1, '#'));
  EXPECT_THAT(error_of({path}), HasSubstr("it is larger than 1048576 bytes"));
}

// --- isoscope policy ... ---

struct Outcome {
  int status = 0;
  std::string out;
  std::string error;
};

Outcome run(base::Result<base::Ok> (*command)(const config::Config&), std::vector<std::string> arguments) {
  config::Config config;
  config.arguments = std::move(arguments);
  ::testing::internal::CaptureStdout();
  const auto done = command(config);
  std::fflush(stdout);
  return {done ? 0 : static_cast<int>(done.error().kind), ::testing::internal::GetCapturedStdout(),
          done ? "" : done.error().message};
}

const std::string recorded = ISOSCOPE_TEST_DATA "/golden/streamed.ndjson";

TEST(PolicyTest, PassesWhereWhatFiresIsExpected) {
  const Folder folder;
  const std::string file =
      folder.write("p.yaml", policy("p", "{event: crossing, direction: escape}", "expect: r\n"));
  const Outcome outcome = run(policy_test, {file, recorded});
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  EXPECT_EQ(outcome.out,
            "line 7  2024-05-01T10:00:01.623456789Z  deny high p/r: nsenter left container alpha for host "
            "(mnt) by setns\n"
            "7 events judged; 18 records, 7 of them of other types\n")
      << "the violation records have a crossing that was judged already";
}

TEST(PolicyTest, FailsOnSurprises) {
  const Folder folder;
  const auto error = [&](const std::string& rule, const std::string& expect) {
    const Outcome outcome = run(policy_test, {folder.write("p.yaml", policy("p", rule, expect)), recorded});
    EXPECT_EQ(outcome.status, 3);
    return outcome.error;
  };
  EXPECT_EQ(error("{event: crossing}", ""), "the test failed:\np/r fired 2 times and is not in expect");
  EXPECT_EQ(error("{direction: nest}", "expect: [r]\n"),
            "the test failed:\np/r is in expect and did not fire");
  EXPECT_EQ(error("{event: crossing}", "expect: [{rule: r, count: 1}]\n"),
            "the test failed:\np/r fired 2 times, and expect says once");
}

TEST(PolicyTest, WhatIsAllowedNeedNotBeExpected) {
  const Folder folder;
  const auto status = [&](const std::string& expect) {
    const std::string text =
        "name: p\nrules: [{name: r, on: {event: crossing}, effect: allow},"
        " {name: never, on: {event: crossing}, effect: audit}]\n" +
        expect;
    return run(policy_test, {folder.write("p.yaml", text), recorded}).status;
  };
  EXPECT_EQ(status(""), 0);
  EXPECT_EQ(status("expect: [r]\n"), 0);
  EXPECT_EQ(status("expect: [never]\n"), 3);
}

TEST(PolicyTest, ALineThatIsNoRecordIsAnError) {
  const Folder folder;
  const std::string file = folder.write("p.yaml", policy("p"));
  const std::string unit = "{\"schema\":\"isoscope.v1\",\"type\":\"unit\"}\n";
  const std::string torn = folder.write("torn.ndjson", unit + unit + "{\"schema\":\"isosc");
  const Outcome outcome = run(policy_test, {file, torn});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.error, HasSubstr("torn.ndjson:3: not a record of isoscope: no JSON: "));
  EXPECT_EQ(run(policy_test, {file, folder.write("blank.ndjson", unit + "\n")}).status, 1);
  EXPECT_EQ(run(policy_test, {file, folder.path("missing")}).status, 1);
  EXPECT_EQ(run(policy_test, {file, folder.path()}).status, 1) << "a folder";
  EXPECT_EQ(run(policy_test, {folder.write("bad.yaml", "x"), recorded}).status, 6);
  EXPECT_EQ(run(policy_test, {folder.write("none.yaml", "# x\n"), recorded}).status, 6);
}

TEST(PolicyValidate, TellsWhatIsThere) {
  const Folder folder;
  const std::string a = folder.write("a.yaml", policy("a") + "---\n" + policy("b"));
  const std::string b = folder.write("b.yaml", "# nothing\n");
  const Outcome outcome = run(policy_validate, {folder.path()});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out,
            a + ": 2 policies with 2 rules from 1 file\n" + b + ": 0 policies with 0 rules from 1 file\n");
  EXPECT_EQ(run(policy_validate, {folder.write("c.yaml", "x")}).status, 6);
}

TEST(PolicyExplain, YoursBeforeTheBuiltIn) {
  const Folder folder;
  const std::string text =
      "name: mine\nrules: [{name: r, on: {event: crossing, direction: escape}, effect: allow}]\n";
  const Outcome outcome = run(policy_explain, {folder.write("a.yaml", text)});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_LT(outcome.out.find("policy mine (" + folder.path("a.yaml") + ":1)"),
            outcome.out.find("policy no-escape (built-in:"));
  EXPECT_THAT(outcome.out,
              HasSubstr("\n  mine/r comes before escape-to-host, rewritten-namespaces of no-escape\n"));
  const Outcome built_in = run(policy_explain, {folder.write("b.yaml", "")});
  EXPECT_THAT(built_in.out, Not(HasSubstr("comes before")));
}

}  // namespace
}  // namespace isoscope::agent
