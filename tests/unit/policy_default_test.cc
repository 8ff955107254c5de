// SPDX-License-Identifier: Apache-2.0
#include "policy/default_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "policy/engine.h"
#include "policy/parse.h"

namespace isoscope::policy {
namespace {

using event::Mechanism;
using event::NamespaceType;
using identity::UnitKind;
using identity::UnitRef;
using ::testing::IsEmpty;

NamespaceMove move(NamespaceType type, Direction direction) {
  return {.type = type, .from = 1, .to = 2, .to_owner = {}, .to_is_new = false, .direction = direction};
}

Crossing crossing(Direction direction, UnitKind from = UnitKind::container) {
  Crossing c;
  c.from = {from, "c0ffee", "web"};
  c.direction = direction;
  c.mechanism = Mechanism::setns;
  c.process.tid = 42;
  c.process.start_boot_ns = 1000;
  c.process.comm = "nsenter";
  c.moves = {move(NamespaceType::mnt, direction), move(NamespaceType::uts, Direction::own),
             move(NamespaceType::net, direction)};
  return c;
}

constexpr Direction directions[] = {Direction::escape, Direction::lateral, Direction::enter,
                                    Direction::nest,   Direction::own,     Direction::leave_cgroup,
                                    Direction::host};
constexpr UnitKind kinds[] = {UnitKind::host, UnitKind::container, UnitKind::pod,
                              UnitKind::vm,   UnitKind::service,   UnitKind::cgroup};

TEST(DefaultPolicy, DeniesWaysOutOfContainersAndPods) {
  const std::map<Direction, std::string> rules{{Direction::escape, "escape-to-host"},
                                               {Direction::lateral, "lateral-move"},
                                               {Direction::leave_cgroup, "leave-cgroup"}};
  for (const Direction direction : directions) {
    for (const UnitKind kind : kinds) {
      const auto violations = judge(crossing(direction, kind));
      const bool denied = rules.contains(direction) && (kind == UnitKind::container || kind == UnitKind::pod);
      EXPECT_EQ(violations.size(), denied ? 1u : 0u) << to_string(direction) << " of " << to_string(kind);
      for (const Violation& violation : violations) {
        EXPECT_EQ(violation.policy, "no-escape");
        EXPECT_EQ(violation.rule, rules.at(direction));
        EXPECT_EQ(violation.severity, Severity::critical);
        EXPECT_EQ(std::get<policy::Crossing>(violation.event).from.id, "c0ffee");
      }
    }
  }
}

TEST(DefaultPolicy, DeniesWhatNoSystemCallDidOnceWhereverItLeads) {
  for (const Direction direction : directions) {
    for (const UnitKind kind : kinds) {
      Crossing rewritten = crossing(direction, kind);
      rewritten.mechanism = Mechanism::none;
      const bool bounded = kind == UnitKind::container || kind == UnitKind::pod || kind == UnitKind::vm;
      EXPECT_EQ(judge(rewritten).size(), bounded ? 1u : 0u)
          << to_string(direction) << " of " << to_string(kind);
    }
  }
}

std::string message(const Crossing& c) {
  return judge(c).at(0).message;
}

TEST(DefaultPolicy, Messages) {
  Crossing escape = crossing(Direction::escape);
  EXPECT_EQ(message(escape), "nsenter left container web for host (mnt, net) by setns");
  escape.mechanism = Mechanism::none;
  EXPECT_EQ(message(escape), "nsenter left container web for host (mnt, net) without a system call");
  escape.mechanism = Mechanism::unknown;
  EXPECT_EQ(message(escape), "nsenter left container web for host (mnt, net)");
  Crossing lateral = crossing(Direction::lateral, UnitKind::pod);
  lateral.to = {UnitKind::container, "x", "db"};
  EXPECT_EQ(message(lateral), "nsenter left pod web for container db (mnt, net) by setns");
}

TEST(DefaultPolicy, MessageOfAMoveBetweenCgroups) {
  Crossing c = crossing(Direction::leave_cgroup);
  c.mechanism = Mechanism::cgroup_attach;
  c.moves.clear();
  c.to = {UnitKind::cgroup, "/user.slice", "/user.slice"};
  EXPECT_EQ(message(c), "nsenter left container web for cgroup /user.slice by a move between cgroups");
}

std::string id(const Crossing& c) {
  return judge(c).at(0).id;
}

TEST(DefaultPolicy, TheIdIsTheSameForEver) {
  EXPECT_EQ(id(crossing(Direction::escape)),
            "665faa2bbb1efd61");  // published: outputs refer to it across restarts
  Crossing later = crossing(Direction::escape);
  later.ts_mono_ns = 99;
  later.process.comm = "renamed";
  later.process.exe = "/bin/x";
  later.seen_at = event::SeenAt::exit;
  EXPECT_EQ(id(later), id(crossing(Direction::escape)));
}

TEST(DefaultPolicy, TheIdTellsViolationsApart) {
  std::set<std::string> ids{id(crossing(Direction::escape)), id(crossing(Direction::lateral)),
                            id(crossing(Direction::escape, UnitKind::pod))};
  Crossing other = crossing(Direction::escape);
  other.from.id = "c0ffef";
  ids.insert(id(other));
  other = crossing(Direction::escape);
  other.process.tid++;
  ids.insert(id(other));
  other = crossing(Direction::escape);
  other.process.start_boot_ns++;
  ids.insert(id(other));
  other = crossing(Direction::escape);
  other.moves.pop_back();
  ids.insert(id(other));
  EXPECT_EQ(ids.size(), 7u);
}

TEST(DefaultPolicy, IsTheFileThatIsShipped) {
  std::ifstream file(ISOSCOPE_TEST_DATA "/../../packaging/policies/default.yaml");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(default_policy_text(), text);
  const Parsed parsed = parse("default.yaml", text);
  EXPECT_THAT(parsed.errors, IsEmpty());
  ASSERT_EQ(parsed.policies.size(), 1u);
  EXPECT_EQ(parsed.policies[0].name, default_policy().name);
  EXPECT_FALSE(default_policy().enforce);
}

TEST(Policies, Words) {
  EXPECT_STREQ(to_string(Direction::leave_cgroup), "leave_cgroup");
  EXPECT_STREQ(to_string(Severity::critical), "critical");
}

}  // namespace
}  // namespace isoscope::policy
