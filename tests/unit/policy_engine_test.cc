// SPDX-License-Identifier: Apache-2.0
#include "policy/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/default_policy.h"
#include "policy/explain.h"
#include "policy_samples.h"

namespace isoscope::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// `policy/rule effect` of each ruling.
std::vector<std::string> rulings(const PolicySet& policies, const Facts& facts) {
  std::vector<std::string> texts;
  for (const Ruling& ruling : policies.judge(facts)) {
    texts.push_back(ruling.policy->name + "/" + ruling.rule->name + " " + to_string(ruling.rule->effect));
  }
  return texts;
}

std::vector<std::string> rulings(const std::string& yaml, const Facts& facts) {
  return rulings(PolicySet(samples::policies(yaml)), facts);
}

const Facts escape = facts_of(samples::escape());
const std::string head = "severity: high\nrules:\n";
const std::string allow =
    "name: allows\n" + head + "  - {name: r, on: {exe: /usr/bin/nsenter}, effect: allow}\n";
const std::string audit =
    "name: audits\n" + head + "  - {name: r, on: {exe: /usr/bin/nsenter}, effect: audit}\n";
const std::string deny =
    "name: denies\n" + head + "  - {name: r, on: {exe: /usr/bin/nsenter}, effect: deny}\n";
const std::string deny_too =
    "name: denies-too\n" + head + "  - {name: r, on: {process.uid: 1000}, effect: deny}\n";
const std::string of_others =
    "name: of-others\n" + head + "  - {name: r, on: {process.uid: 7}, effect: deny}\n";
const std::string next = "---\n";

TEST(PolicySet, TheFirstMatchingRuleOfAPolicyDecides) {
  const std::string yaml = "name: p\n" + head +
                           "  - {name: not-this, on: {direction: own}, effect: deny}\n"
                           "  - {name: this, on: {direction: escape}, effect: audit}\n"
                           "  - {name: too-late, on: {direction: escape}, effect: deny}\n";
  EXPECT_THAT(rulings(yaml, escape), ElementsAre("p/this audit"));
}

TEST(PolicySet, TheStrictestEffectWinsInAnyOrder) {
  EXPECT_THAT(rulings(allow + next + audit, escape), ElementsAre("audits/r audit"));
  EXPECT_THAT(rulings(audit + next + allow, escape), ElementsAre("audits/r audit"));
  EXPECT_THAT(rulings(allow + next + deny + next + audit, escape), ElementsAre("denies/r deny"));
  EXPECT_THAT(rulings(deny + next + audit + next + deny_too, escape),
              ElementsAre("denies/r deny", "denies-too/r deny"))
      << "all that deny speak";
}

TEST(PolicySet, TheBuiltInDecidesWhereNothingMatches) {
  EXPECT_THAT(rulings(PolicySet(), escape), ElementsAre("no-escape/escape-to-host deny"));
  EXPECT_THAT(rulings(of_others, escape), ElementsAre("no-escape/escape-to-host deny"));
  EXPECT_THAT(rulings(allow, escape), ElementsAre("allows/r allow")) << "allowed on purpose";
  EXPECT_THAT(rulings(audit, escape), ElementsAre("audits/r audit"));
  Facts of_no_rule = samples::ptrace();
  of_no_rule.action = "bpf";
  EXPECT_THAT(rulings(of_others, of_no_rule), IsEmpty()) << "nobody has a rule for it";
}

TEST(PolicySet, ItsNameReplacesTheBuiltIn) {
  const std::string own =
      "name: no-escape\n" + head + "  - {name: only-moves, on: {direction: leave-cgroup}, effect: deny}\n";
  EXPECT_THAT(rulings(own, escape), IsEmpty());
  EXPECT_THAT(rulings(own, facts_of(samples::moved_away())), ElementsAre("no-escape/only-moves deny"));
  EXPECT_THAT(rulings(own + next + allow, facts_of(samples::moved_away())), ElementsAre("allows/r allow"))
      << "it is the last resort, as the one that it replaces";
  EXPECT_TRUE(PolicySet(samples::policies(own)).policies().empty());
}

TEST(PolicySet, RulingsOutliveAMoveOfTheSet) {
  PolicySet set(samples::policies(deny));
  const PolicySet moved = std::move(set);
  ASSERT_EQ(moved.judge(escape).size(), 1U);
  EXPECT_EQ(moved.judge(escape)[0].policy->name, "denies");
}

TEST(Judge, AllowIsSilent) {
  EXPECT_THAT(judge(samples::escape(), PolicySet(samples::policies(allow))), IsEmpty());
}

TEST(Judge, AnAuditIsNoViolation) {
  const auto said = judge(samples::escape(), PolicySet(samples::policies(audit)));
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].effect, Effect::audit);
  EXPECT_EQ(said[0].severity, Severity::high);
}

TEST(Judge, AViolationHasAllThatIsKnown) {
  const auto own = samples::policy("direction: escape", "deny",
                                   "severity: medium, message: \"{process.exe} left {unit.name}\"");
  const auto said = judge(samples::escape(), PolicySet({own}));
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].policy, "p");
  EXPECT_EQ(said[0].rule, "r");
  EXPECT_EQ(said[0].effect, Effect::deny);
  EXPECT_EQ(said[0].severity, Severity::medium);
  EXPECT_EQ(said[0].message, "/usr/bin/nsenter left shop/web");
  EXPECT_TRUE(said[0].has_own_message);
  EXPECT_EQ(said[0].suppressed, 0U);
  EXPECT_EQ(std::get<policy::Crossing>(said[0].event).process.pid, 41U);
  EXPECT_EQ(said[0].id.size(), 16U);
  EXPECT_NE(said[0].id, judge(samples::escape(), PolicySet(samples::policies(deny)))[0].id);
}

TEST(Judge, WhatIsToBeEnforced) {
  const std::string yaml = "name: p\nenforce: true\n" + head +
                           "  - {name: e, on: {direction: escape}, effect: deny}\n"
                           "  - {name: m, on: {direction: leave-cgroup}, effect: audit}\n";
  const PolicySet set(samples::policies(yaml));
  EXPECT_TRUE(judge(samples::escape(), set).at(0).enforce);
  EXPECT_FALSE(judge(samples::moved_away(), set).at(0).enforce) << "an audit lets it be";
  EXPECT_FALSE(judge(samples::escape()).at(0).enforce) << "off unless it is asked for";
}

TEST(Explain, InWords) {
  const std::string yaml = "name: mine\ndescription: \"What is ours.\\nAll of it.\\n\"\nenforce: true\n" +
                           head +
                           "  - name: a\n    on: {direction: [escape, lateral], namespace: [mnt, net, pid]}\n"
                           "    except: [{exe: /bin/x}, {process.uid: 0, unit.kind: pod}]\n    effect: deny\n"
                           "    message: \"{unit} left\"\n"
                           "  - {name: b, on: {capability: cap_bpf}, effect: audit, severity: low}\n"
                           "  - {name: c, on: {unit.name: 'db-*', namespace: net}, effect: allow}\n";
  EXPECT_EQ(explain(samples::policies(yaml).at(0)),
            "policy mine (t.yaml:1)\n"
            "  What is ours.\n"
            "  All of it.\n"
            "  1. a\n"
            "     if its direction is escape or lateral, and a namespace is mnt, net or pid\n"
            "     unless the executable is /bin/x\n"
            "     unless the unit's kind is pod, and the user id is 0\n"
            "     deny: a violation of high severity, and the process is killed\n"
            "     saying \"{unit} left\"\n"
            "  2. b\n"
            "     else if a capability held is cap_bpf\n"
            "     audit: a record of low severity, no violation\n"
            "  3. c\n"
            "     else if each namespace is net, and the unit's name or id is db-*\n"
            "     allow: nothing is reported\n");
}

TEST(Explain, WhatOverrulesTheBuiltIn) {
  const auto overruled = [](const std::string& on, const std::string& effect) {
    return overruled_by(samples::policy(on, effect).rules.at(0), default_policy());
  };
  EXPECT_THAT(overruled("event: crossing, direction: [escape, own]", "allow"),
              ElementsAre("escape-to-host", "rewritten-namespaces"));
  EXPECT_THAT(overruled("event: crossing, exe: /usr/bin/x", "audit"),
              ElementsAre("escape-to-host", "lateral-move", "rewritten-namespaces", "leave-cgroup"));
  EXPECT_THAT(overruled("direction: escape", "deny"), IsEmpty());
  EXPECT_THAT(overruled("direction: escape, unit.kind: host", "allow"), IsEmpty());
  EXPECT_THAT(overruled("direction: nest", "allow"), ElementsAre("rewritten-namespaces"));
  EXPECT_THAT(overruled("direction: nest, mechanism: unshare", "allow"), IsEmpty());
  EXPECT_THAT(overruled("action: ptrace", "allow"), ElementsAre("ptrace-across"));
  EXPECT_THAT(overruled("action: bpf", "allow"), IsEmpty());
  EXPECT_THAT(overruled("action: I3", "allow"), ElementsAre("broken-invariant"));
  EXPECT_THAT(overruled("action: I6", "audit"), IsEmpty());
}

}  // namespace
}  // namespace isoscope::policy
