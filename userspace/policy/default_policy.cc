// SPDX-License-Identifier: Apache-2.0
#include "policy/default_policy.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "policy/parse.h"

namespace isoscope::policy {

const Policy& default_policy() {
  static const Policy policy = [] {
    Parsed parsed = parse("built-in", std::string(default_policy_text()));
    if (!parsed.errors.empty() || parsed.policies.size() != 1) {
      // A fault of the build that every test of policies finds, and nothing to go on without.
      throw std::logic_error("the built-in policy is malformed: " +
                             (parsed.errors.empty() ? "not one policy" : parsed.errors.front().message));
    }
    return std::move(parsed.policies.front());
  }();
  return policy;
}

}  // namespace isoscope::policy
