// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "identity/unit.h"
#include "policy/violation.h"

namespace isoscope::policy {

// Which crossings a rule denies: of these directions, by units of these kinds. An empty list matches all.
struct Rule {
  std::string name;
  std::vector<Direction> directions;
  std::vector<identity::UnitKind> from_kinds;
  Severity severity = Severity::critical;
};

// The first rule that matches decides.
struct Policy {
  std::string name;
  std::vector<Rule> rules;
};

// `no-escape`: no container or pod reaches the host or another unit, or leaves its cgroup.
const Policy& default_policy();

// What policies say of a crossing: at most one violation per policy.
std::vector<Violation> judge(const Crossing& crossing, const std::vector<Policy>& policies);
std::vector<Violation> judge(const Crossing& crossing);  // by the default policy

}  // namespace isoscope::policy
