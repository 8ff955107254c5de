// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "policy/policy.h"

namespace isoscope::policy {

// The built-in policy, packaging/policies/default.yaml, as the build found it.
std::string_view default_policy_text();
const Policy& default_policy();

}  // namespace isoscope::policy
