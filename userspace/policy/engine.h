// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "policy/facts.h"
#include "policy/policy.h"
#include "policy/violation.h"

namespace isoscope::policy {

// What one policy says of an event. Both live as long as their PolicySet.
struct Ruling {
  const Policy* policy = nullptr;
  const Rule* rule = nullptr;
};

// The policies that hold together:
//
// - Of one policy the first rule that matches decides.
// - Of several the strictest effect does: deny before audit before allow. All that have it speak.
// - Where none has a rule that matches, the built-in policy decides. So an `allow` or `audit` of yours comes
//   before what is built in, but never before a `deny` of another policy of yours.
// - A policy with the name of the built-in one takes its place.
class PolicySet {
 public:
  // The built-in policy alone.
  PolicySet() : PolicySet(std::vector<Policy>{}) {}
  // Names differ (check_names).
  explicit PolicySet(std::vector<Policy> policies);

  // Empty: nothing matches.
  std::vector<Ruling> judge(const Facts& facts) const;

  const std::vector<Policy>& policies() const { return policies_; }  // without the last resort
  const Policy& last_resort() const { return last_resort_; }

 private:
  std::vector<Policy> policies_;
  Policy last_resort_;
};

// Whether a rule is about attempts by name: they are seen only if somebody asks for them.
bool asks_for_attempts(const PolicySet& policies);

// The first rule of the policy that is about the event; null: none.
const Rule* deciding_rule(const Policy& policy, const Facts& facts);

// What a ruling makes known of an event.
Violation violation_of(const Ruling& ruling, const Facts& facts, const Event& event);

// What policies make known of an event: nothing where it is allowed, or no rule is about it.
std::vector<Violation> judge(const Event& event, const PolicySet& policies);
std::vector<Violation> judge(const Event& event);  // by the built-in policy alone

}  // namespace isoscope::policy
