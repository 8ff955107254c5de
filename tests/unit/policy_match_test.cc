// SPDX-License-Identifier: Apache-2.0
#include "policy/match.h"

#include <gtest/gtest.h>

#include <string>

#include "policy_samples.h"

namespace isoscope::policy {
namespace {

using samples::policy;

// Whether a rule with this `on` is about the event.
bool is_about(const std::string& on, const Facts& facts, const std::string& effect = "deny",
              const std::string& more = "") {
  return deciding_rule(policy(on, effect, more), facts) != nullptr;
}

TEST(Match, EachFieldAsksForSomething) {
  const Facts escape = facts_of(samples::escape());
  const struct {
    const char* yes;
    const char* no;
  } fields[] = {
      {"event: crossing", "event: [access, attempt, invariant]"},
      {"direction: [lateral, escape]", "direction: [lateral, own]"},
      {"mechanism: setns", "mechanism: [unshare, none, unknown]"},
      {"namespace: [pid, net]", "namespace: [pid, user]"},
      {"unit.kind: [pod, container]", "unit.kind: [pod, host]"},
      {"unit.name: shop/*", "unit.name: shop"},
      {"unit.name: web", "unit.name: we"},
      {"unit.name: c0ff*", "unit.name: C0FF*"},
      {"to.unit.kind: host", "to.unit.kind: container"},
      {"to.unit.name: 'h?st'", "to.unit.name: 'h?t'"},
      {"process.exe: [/bin/x, /usr/bin/ns*]", "process.exe: /usr/bin/nsente"},
      {"exe: '*/nsenter'", "exe: '*/runc'"},
      {"process.uid: [0, 1000]", "process.uid: [0, 1]"},
      {"capability: [net_admin, sys_admin]", "capability: net_admin"},
      {"resource: namespace/*", "resource: [cgroup, namespace/uts]"},
      {"action: setns", "action: [unshare, ptrace, I6]"},
  };
  for (const auto& field : fields) {
    EXPECT_TRUE(is_about(field.yes, escape)) << field.yes;
    EXPECT_FALSE(is_about(field.no, escape)) << field.no;
  }
}

TEST(Match, AllFieldsMustAgree) {
  const Facts escape = facts_of(samples::escape());
  EXPECT_TRUE(is_about("direction: escape, unit.kind: container, process.uid: 1000", escape));
  EXPECT_FALSE(is_about("direction: escape, unit.kind: container, process.uid: 0", escape));
  EXPECT_FALSE(is_about("direction: own, unit.kind: container, process.uid: 1000", escape));
}

TEST(Match, NamespacesAreThoseOfTheDirection) {
  const Facts escape = facts_of(samples::escape());
  EXPECT_FALSE(is_about("namespace: uts", escape)) << "it went home with that one";
  EXPECT_FALSE(is_about("resource: namespace/uts", escape));
}

TEST(Match, AMoveBetweenCgroupsHasNoNamespaces) {
  const Facts moved = facts_of(samples::moved_away());
  EXPECT_TRUE(is_about("direction: leave-cgroup, resource: cgroup, action: cgroup-attach", moved));
  EXPECT_FALSE(is_about("namespace: [mnt, uts, ipc, net, pid, cgroup, time, user]", moved));
  EXPECT_FALSE(is_about("namespace: mnt", moved, "allow"));
}

TEST(Match, WhatLetsThroughMustNameAll) {
  const Facts escape = facts_of(samples::escape());  // by mnt and net
  EXPECT_TRUE(is_about("namespace: net", escape, "deny"));
  EXPECT_TRUE(is_about("namespace: net", escape, "audit"));
  EXPECT_FALSE(is_about("namespace: net", escape, "allow")) << "mnt would slip through";
  EXPECT_TRUE(is_about("namespace: [net, mnt]", escape, "allow"));
  EXPECT_FALSE(is_about("resource: namespace/net", escape, "allow"));
  // An exception from a deny lets through as well; one from an allow stops.
  EXPECT_TRUE(is_about("event: crossing", escape, "deny", "except: {namespace: net}"));
  EXPECT_FALSE(is_about("event: crossing", escape, "deny", "except: {namespace: [mnt, net]}"));
  EXPECT_FALSE(is_about("event: crossing", escape, "allow", "except: {namespace: net}"));
}

TEST(Match, ExceptionsAreAlternatives) {
  const Facts escape = facts_of(samples::escape());
  EXPECT_TRUE(is_about("event: crossing", escape, "deny", "except: {exe: /usr/bin/nsenter, process.uid: 0}"))
      << "all of one exception must hold";
  EXPECT_FALSE(
      is_about("event: crossing", escape, "deny", "except: [{process.uid: 0}, {exe: /usr/bin/nsenter}]"));
}

TEST(Match, OtherFamiliesOfEvents) {
  const Facts access = samples::ptrace();
  EXPECT_TRUE(is_about("event: access, action: ptrace", access));
  EXPECT_TRUE(is_about("event: access, direction: lateral, to.unit.name: db, resource: process", access));
  EXPECT_FALSE(is_about("event: crossing", access));
  EXPECT_FALSE(is_about("mechanism: setns", access));
  EXPECT_FALSE(is_about("namespace: mnt", access));
  Facts breach;
  breach.event = EventKind::invariant;
  breach.action = "I6";
  EXPECT_TRUE(is_about("event: invariant, action: [I6, I9]", breach));
  EXPECT_FALSE(is_about("event: invariant, action: I1", breach));
  EXPECT_FALSE(is_about("direction: escape", breach)) << "it has none";
  EXPECT_FALSE(is_about("to.unit.name: '*'", breach)) << "nobody is known";
}

TEST(Match, Globs) {
  EXPECT_TRUE(glob_matches("/usr/*", "/usr/bin/nsenter")) << "* matches / as well";
  EXPECT_TRUE(glob_matches("web-[0-9]?", "web-1a"));
  EXPECT_FALSE(glob_matches("web-[!0-9]", "web-1"));
  EXPECT_TRUE(glob_matches("\\*", "*"));
  EXPECT_FALSE(glob_matches("\\*", "x"));
  EXPECT_FALSE(glob_matches("/bin/*", "")) << "a process that was gone before it could be read";
}

}  // namespace
}  // namespace isoscope::policy
