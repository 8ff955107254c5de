// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "policy/engine.h"

namespace isoscope::policy {

// A policy in words, several lines: what each rule is about, and what follows.
std::string explain(const Policy& policy);

// The rules of the last resort that a rule comes before, since it allows or audits some of what they deny.
std::vector<std::string> overruled_by(const Rule& rule, const Policy& last_resort);

// The same of a set: `mine/debugging comes before escape-to-host of no-escape`.
std::vector<std::string> overruled(const PolicySet& policies);

}  // namespace isoscope::policy
