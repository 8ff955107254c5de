// SPDX-License-Identifier: Apache-2.0
#include "policy/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy_samples.h"

namespace isoscope::policy {
namespace {

using ::testing::HasSubstr;

std::string refused(std::string_view text) {
  const auto checked = check_template(text);
  return checked ? "accepted" : checked.error().message;
}

TEST(Message, FieldsOfTheEvent) {
  const Facts facts = facts_of(samples::escape());
  EXPECT_EQ(expand("{event}/{direction}/{mechanism}/{namespace}/{resource}/{action}", facts),
            "crossing/escape/setns/mnt, net/namespace/mnt, namespace/net/setns");
  EXPECT_EQ(expand("{unit}|{unit.kind}|{unit.name}|{unit.id}", facts),
            "container shop/web|container|shop/web|c0ffee");
  EXPECT_EQ(expand("{to.unit}|{to.unit.kind}|{to.unit.name}|{to.unit.id}", facts), "host|host|host|/");
  EXPECT_EQ(expand("{process.exe} {process.comm} {process.pid} {process.tid} {process.uid}", facts),
            "/usr/bin/nsenter nsenter 41 42 1000");
  EXPECT_EQ(expand("{{{unit.name}}} {{}}", facts), "{shop/web} {}");
  EXPECT_EQ(expand("no field", facts), "no field");
}

TEST(Message, WhatIsNotKnownIsSaidToBe) {
  Facts facts;
  facts.event = EventKind::invariant;
  EXPECT_EQ(expand("{process.exe} {to.unit} {direction} {namespace}", facts),
            "unknown unknown unknown unknown");
}

TEST(Message, ValuesAreNoTemplates) {
  Facts facts = facts_of(samples::escape());
  facts.process.comm = "{unit.id}";
  EXPECT_EQ(expand("{process.comm}", facts), "{unit.id}");
}

TEST(Message, TemplatesAreChecked) {
  EXPECT_EQ(refused("{unit.name} {{x}}"), "accepted");
  EXPECT_EQ(refused(""), "accepted");
  EXPECT_THAT(refused("{unit.nmae}"), HasSubstr("has {unit.nmae}, which is not one of event, "));
  EXPECT_THAT(refused("{unit.nmae}"), HasSubstr("did you mean unit.name?"));
  for (const char* text : {"{", "}", "a{unit.name", "unit.name}", "{unit{.name}}", "{{{", "}}}"}) {
    EXPECT_THAT(refused(text), HasSubstr("has a brace without its other one")) << text;
  }
}

TEST(Message, TheStandardSentences) {
  EXPECT_EQ(standard_message(facts_of(samples::escape())),
            "nsenter left container shop/web for host (mnt, net) by setns");
  EXPECT_EQ(standard_message(samples::ptrace()), "nsenter of container web reached container db by ptrace");
  Facts breach = samples::ptrace();
  breach.event = EventKind::invariant;
  breach.action = "I6";
  EXPECT_EQ(standard_message(breach), "nsenter of container web broke I6");
  Facts attempt = facts_of(samples::escape());
  attempt.event = EventKind::attempt;
  EXPECT_EQ(standard_message(attempt), "nsenter of container shop/web tried setns (mnt, net) towards host");
  attempt.to.reset();
  EXPECT_EQ(standard_message(attempt), "nsenter of container shop/web tried setns (mnt, net)");
}

}  // namespace
}  // namespace isoscope::policy
