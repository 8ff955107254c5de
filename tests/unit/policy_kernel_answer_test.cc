// SPDX-License-Identifier: Apache-2.0
#include "policy/kernel_answer.h"

#include <gtest/gtest.h>

#include <string>

#include "policy/parse.h"

namespace isoscope::policy {
namespace {

const identity::UnitRef web{identity::UnitKind::container, "c0ffee", "shop/web"};
const identity::UnitRef host{identity::UnitKind::host, "/", "host"};

constexpr std::size_t setns = 1;
constexpr std::size_t unshare = 2;
constexpr std::size_t mnt = 1;  // sets of types
constexpr std::size_t net = 8;

KernelAnswers answers_to(const std::string& text) {
  Parsed parsed = parse("test.yaml", text);
  for (const base::Error& error : parsed.errors) {
    ADD_FAILURE() << error.message;
  }
  return kernel_answers(PolicySet(std::move(parsed.policies)), web, host);
}

std::string policy(const std::string& rules, const std::string& name = "mine") {
  return "name: " + name + "\nseverity: high\nenforce: true\nrules:\n" + rules;
}

TEST(KernelAnswer, NothingWhereNothingIsEnforced) {
  EXPECT_TRUE(answers_to("name: mine\nseverity: high\nrules:\n  - {name: a, on: {direction: escape}, effect: "
                         "deny}\n")
                  .empty());
  EXPECT_TRUE(kernel_answers(PolicySet(), web, host).empty());
}

TEST(KernelAnswer, EscapesOfEveryKind) {
  const KernelAnswers answers =
      answers_to(policy("  - {name: a, on: {direction: [escape, lateral]}, effect: deny}\n"));
  for (const auto& of_mechanism : answers.kill) {
    EXPECT_EQ(of_mechanism.count(), KernelAnswers::sets - 1) << "every set but that of no type";
    EXPECT_FALSE(of_mechanism[0]);
  }
  EXPECT_TRUE(answers.invariants.none());
}

TEST(KernelAnswer, TypesAndMechanismsThatTheRuleNames) {
  const KernelAnswers answers =
      answers_to(policy("  - {name: a, on: {namespace: mnt, mechanism: setns}, effect: deny}\n"));
  EXPECT_TRUE(answers.kill[setns][mnt]);
  EXPECT_TRUE(answers.kill[setns][mnt | net]) << "one of its types is enough";
  EXPECT_FALSE(answers.kill[setns][net]);
  EXPECT_FALSE(answers.kill[unshare][mnt]);
}

TEST(KernelAnswer, AnExceptionMustNameAllTypes) {
  const KernelAnswers answers =
      answers_to(policy("  - {name: a, on: {direction: escape}, except: {namespace: net}, effect: deny}\n"));
  EXPECT_FALSE(answers.kill[setns][net]);
  EXPECT_TRUE(answers.kill[setns][mnt]);
  EXPECT_TRUE(answers.kill[setns][mnt | net]);
}

TEST(KernelAnswer, OtherUnits) {
  EXPECT_TRUE(
      answers_to(policy("  - {name: a, on: {direction: escape, unit.name: \"bank/*\"}, effect: deny}\n"))
          .empty());
  EXPECT_FALSE(
      answers_to(policy("  - {name: a, on: {direction: escape, unit.name: \"shop/*\"}, effect: deny}\n"))
          .empty());
}

// Whether it is this process, only userspace can tell.
TEST(KernelAnswer, WhatDependsOnTheProcessIsLeftToUserspace) {
  const char* const allowed_first =
      "  - {name: a, on: {exe: /usr/bin/runc}, effect: allow}\n"
      "  - {name: b, on: {direction: escape}, effect: deny}\n";
  for (const char* rules :
       {"  - {name: a, on: {direction: escape, exe: /usr/bin/nsenter}, effect: deny}\n",
        "  - {name: a, on: {direction: escape, process.uid: 0}, effect: deny}\n",
        "  - {name: a, on: {direction: escape, capability: sys_admin}, effect: deny}\n",
        "  - {name: a, on: {direction: escape}, except: {exe: /usr/bin/runc}, effect: deny}\n",
        allowed_first}) {
    EXPECT_TRUE(answers_to(policy(rules)).empty()) << rules;
  }
}

TEST(KernelAnswer, TheFirstRuleThatMatchesDecides) {
  EXPECT_TRUE(answers_to(policy("  - {name: a, on: {direction: escape}, effect: allow}\n"
                                "  - {name: b, on: {direction: escape}, effect: deny}\n"))
                  .empty());
  EXPECT_FALSE(answers_to(policy("  - {name: a, on: {direction: lateral, exe: /bin/sh}, effect: allow}\n"
                                 "  - {name: b, on: {direction: escape}, effect: deny}\n"))
                   .empty());
}

TEST(KernelAnswer, InvariantsThatARunningTaskBreaks) {
  const KernelAnswers answers = answers_to(policy("  - {name: a, on: {event: invariant}, effect: deny}\n"));
  EXPECT_EQ(answers.invariants.count(), 8U);
  EXPECT_FALSE(answers.invariants[7]) << "who leaves a cgroup need not be the one that runs";
  for (const auto& of_mechanism : answers.kill) {
    EXPECT_TRUE(of_mechanism.none());
  }
}

// It takes the built-in policy's place, and so speaks only where no other has a word to say.
TEST(KernelAnswer, TheLastResortSpeaksLast) {
  const std::string last = policy("  - {name: a, on: {direction: escape}, effect: deny}\n", "no-escape");
  EXPECT_FALSE(answers_to(last).empty());
  const std::string other =
      "---\nname: other\nrules:\n  - {name: a, on: {direction: escape, exe: /bin/sh}, effect: allow}\n";
  EXPECT_TRUE(answers_to(last + other).empty()) << "perhaps it is that program";
}

}  // namespace
}  // namespace isoscope::policy
