// SPDX-License-Identifier: Apache-2.0
#include "policy/violation_report.h"

#include <gtest/gtest.h>

#include <string>

#include "policy_samples.h"

namespace isoscope::policy {
namespace {

Violation violation(Severity severity, const std::string& unit, std::uint64_t suppressed = 0,
                    const std::string& policy = "no-escape") {
  Violation one = judge(samples::escape()).at(0);
  one.severity = severity;
  std::get<policy::Crossing>(one.event).from.id = unit;
  one.suppressed = suppressed;
  one.policy = policy;
  return one;
}

TEST(ViolationReport, CountsBySeverityUnitAndPolicy) {
  ViolationReport report;
  EXPECT_TRUE(report.empty());
  report.add(violation(Severity::critical, "a"));
  report.add(violation(Severity::critical, "a", 41));
  report.add(violation(Severity::low, "b", 0, "mine"));
  EXPECT_EQ(report.total(), 44U);
  EXPECT_EQ(report.suppressed(), 41U);
  EXPECT_EQ(report.by_severity(), (Tally{1, 0, 0, 43}));
  ASSERT_EQ(report.by_unit().size(), 2U);
  EXPECT_EQ(report.by_unit().at({"container", "a"}).tally, (Tally{0, 0, 0, 43}));
  EXPECT_EQ(report.by_unit().at({"container", "b"}).unit.name, "shop/web");
  EXPECT_EQ(report.by_policy().at("mine"), (Tally{1, 0, 0, 0}));
  EXPECT_EQ(report.by_policy().at("no-escape"), (Tally{0, 0, 0, 43}));
}

TEST(ViolationReport, AuditsAreApart) {
  ViolationReport report;
  Violation audit = violation(Severity::high, "a", 2);
  audit.effect = Effect::audit;
  report.add(audit);
  EXPECT_TRUE(report.empty());
  EXPECT_EQ(report.audited(), 3U);
  EXPECT_TRUE(report.recent().empty());
}

TEST(ViolationReport, KeepsTheTenMostRecent) {
  ViolationReport report;
  for (int i = 0; i < 25; ++i) {
    report.add(violation(Severity::low, std::to_string(i)));
  }
  ASSERT_EQ(report.recent().size(), 10U);
  EXPECT_EQ(std::get<policy::Crossing>(report.recent().front().event).from.id, "15");
  EXPECT_EQ(std::get<policy::Crossing>(report.recent().back().event).from.id, "24");
}

TEST(ViolationReport, UnitsAreBounded) {
  ViolationReport report;
  for (std::size_t i = 0; i < ViolationReport::rows_kept + 50; ++i) {
    report.add(violation(Severity::medium, std::to_string(i)));
  }
  report.add(violation(Severity::medium, "0"));
  EXPECT_EQ(report.by_unit().size(), ViolationReport::rows_kept);
  EXPECT_EQ(report.by_unit().at({"container", "0"}).tally[1], 2U);
  EXPECT_EQ(report.other_units(), (Tally{0, 50, 0, 0}));
  EXPECT_EQ(report.total(), ViolationReport::rows_kept + 51);
}

}  // namespace
}  // namespace isoscope::policy
