// SPDX-License-Identifier: Apache-2.0
#include "agent/guard.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/enforce.h"
#include "agent/policy_files.h"
#include "base/log.h"
#include "policy/explain.h"

namespace isoscope::agent {

namespace {

using base::Ok;
using base::Result;

// Says what was read, and what of it changes more than one might expect.
policy::PolicySet take_policies(PolicyFiles files) {
  if (files.files.empty()) {
    base::log::verbose("no policy files: the built-in policy decides alone");
  } else {
    base::log::info("{}", summary_of(files));
  }
  for (const policy::Policy& policy : files.policies) {
    base::log::verbose("policy {} of {}", policy.name, policy.file);
    if (policy.enforce) {
      base::log::warning("policy {} is enforced: processes that violate it are killed", policy.name);
    }
  }
  policy::PolicySet policies(std::move(files.policies));
  for (const std::string& line : policy::overruled(policies)) {
    base::log::info("{}, which is silent where that matches", line);
  }
  return policies;
}

}  // namespace

Result<Guard> Guard::create(std::vector<std::string> paths) {
  auto files = read_policies(paths);
  if (!files) {
    return files.error();
  }
  return Guard(std::move(paths), take_policies(*std::move(files)));
}

std::vector<policy::Violation> Guard::judge(const policy::Event& event) {
  std::vector<policy::Violation> violations = policy::judge(event, policies_);
  for (policy::Violation& violation : violations) {
    if (violation.enforce) {  // of each one, reported or not
      violation.enforcement = enforce(violation.event);
    }
  }
  return violations;
}

std::vector<policy::Violation> Guard::take(std::vector<policy::Violation> violations, bool counts) {
  std::vector<policy::Violation> due;
  for (policy::Violation& violation : violations) {
    if (counts && violation.effect == policy::Effect::deny) {
      worst_ = std::max(worst_.value_or(policy::Severity::low), violation.severity);
    }
    if (auto one = fold_.take(std::move(violation))) {
      due.push_back(*std::move(one));
    }
  }
  return due;
}

void Guard::reload() {
  auto read = read_policies(paths_);
  if (!read) {
    base::log::error("{}\nthe policies that were in force stay", read.error().message);
    return;
  }
  base::log::info("policies reloaded");
  policies_ = take_policies(*std::move(read));
}

Result<Ok> Guard::verdict(config::FailOn fail_on) const {
  if (fail_on == config::FailOn::never || !worst_) {
    return Ok{};
  }
  // FailOn has `never` before the severities.
  const auto least = static_cast<policy::Severity>(static_cast<int>(fail_on) - 1);
  if (*worst_ < least) {
    return Ok{};
  }
  return base::Error{base::ErrorKind::violated,
                     fmt::format("there were violations, the worst of {} severity (--fail-on {})",
                                 policy::to_string(*worst_), policy::to_string(least))};
}

}  // namespace isoscope::agent
