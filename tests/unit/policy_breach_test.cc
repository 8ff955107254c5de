// SPDX-License-Identifier: Apache-2.0
// Who broke an invariant, which of them a crossing breaks, and what the built-in policy says of it.
#include "policy/breach.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "identity_world.h"
#include "policy/engine.h"
#include "policy/facts.h"

namespace isoscope::policy {
namespace {

using event::Invariant;
using event::Mechanism;
using identity::UnitKind;
using identity::testing::id_a;
using identity::testing::Task;
using identity::testing::World;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Breaches : public ::testing::Test {
 protected:
  std::optional<Breach> broken_by(const Task& task, event::Breach breach) {
    breach.home_cgroup_id = task.home;
    breach.comm = task.comm;
    return resolve_breach({.ts_ns = 7, .cgroup_id = task.cgroup, .tgid = task.pid, .tid = task.pid, .cpu = 0},
                          breach, world_.units);
  }

  World world_;
  Task one_ = world_.run_container("/docker/" + id_a);
  Task sshd_ = world_.spawn("sshd", world_.mkdirs("/system.slice/ssh.service"));
};

TEST_F(Breaches, AreTheirUnits) {
  const auto breach = broken_by(one_, {.invariant = Invariant::capabilities,
                                       .set = event::CapabilitySet::bounding,
                                       .before = 1,
                                       .now = 3,
                                       .seen_at = event::SeenAt::context_switch,
                                       .uid = 5});
  ASSERT_TRUE(breach);
  EXPECT_EQ(breach->from.id, id_a);
  EXPECT_EQ(breach->process.pid, one_.pid);
  EXPECT_EQ(breach->process.uid, 5U);
  EXPECT_EQ(breach->set, event::CapabilitySet::bounding);
  EXPECT_EQ(breach->before, 1U);
  EXPECT_EQ(breach->now, 3U);
  EXPECT_EQ(breach->ts_mono_ns, 7U);
}

TEST_F(Breaches, HostSoftwareHasNone) {
  EXPECT_FALSE(broken_by(sshd_, {.invariant = Invariant::initial_credentials}));
  EXPECT_FALSE(broken_by(world_.spawn("cron"), {.invariant = Invariant::initial_credentials}));
}

TEST_F(Breaches, TheBuiltInPolicyDeniesThemByTheirNumber) {
  for (const Invariant invariant :
       {Invariant::pid_namespace, Invariant::user_namespace, Invariant::capabilities, Invariant::no_new_privs,
        Invariant::seccomp, Invariant::initial_credentials}) {
    const auto breach = broken_by(one_, {.invariant = invariant});
    ASSERT_TRUE(breach);
    const auto violations = judge(*breach);
    ASSERT_EQ(violations.size(), 1U) << event::to_string(invariant);
    EXPECT_EQ(violations[0].rule, "broken-invariant");
    EXPECT_EQ(violations[0].severity, Severity::critical);
    EXPECT_EQ(violations[0].effect, Effect::deny);
    EXPECT_EQ(facts_of(violations[0].event).action, event::to_string(invariant));
  }
  const auto first = judge(*broken_by(one_, {.invariant = Invariant::capabilities}));
  const auto second = judge(*broken_by(one_, {.invariant = Invariant::initial_credentials}));
  EXPECT_NE(first[0].id, second[0].id) << "two breaches, two violations";
}

std::vector<Invariant> broken_by_crossing(Crossing crossing) {
  std::vector<Invariant> result;
  for (const Breach& breach : breaches_of(crossing)) {
    EXPECT_EQ(breach.from, crossing.from);
    EXPECT_EQ(breach.process.tid, crossing.process.tid);
    EXPECT_THAT(judge(breach), IsEmpty()) << "the crossing is a violation already";
    result.push_back(breach.invariant);
  }
  return result;
}

TEST(BreachesOfCrossings, AreThoseOfUnits) {
  Crossing crossing;
  crossing.from = {UnitKind::container, id_a, "web"};
  crossing.process.tid = 42;
  crossing.direction = Direction::escape;
  crossing.mechanism = Mechanism::setns;
  EXPECT_THAT(broken_by_crossing(crossing), IsEmpty());
  crossing.mechanism = Mechanism::unknown;
  EXPECT_THAT(broken_by_crossing(crossing), IsEmpty()) << "nobody watched";
  crossing.initial = true;
  EXPECT_THAT(broken_by_crossing(crossing), ElementsAre(Invariant::initial_namespaces));
  crossing.mechanism = Mechanism::none;
  EXPECT_THAT(broken_by_crossing(crossing),
              ElementsAre(Invariant::system_call, Invariant::initial_namespaces));
  crossing.from.kind = UnitKind::service;
  EXPECT_THAT(broken_by_crossing(crossing), IsEmpty());
  crossing = Crossing{};
  crossing.from = {UnitKind::container, id_a, "web"};
  crossing.direction = Direction::leave_cgroup;
  crossing.mechanism = Mechanism::cgroup_attach;
  EXPECT_THAT(broken_by_crossing(crossing), ElementsAre(Invariant::cgroup));
}

}  // namespace
}  // namespace isoscope::policy
