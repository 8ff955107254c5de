// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"

namespace isoscope::policy {

// What a file gave. Where there are errors, the policies are not to be used.
struct Parsed {
  std::vector<Policy> policies;
  std::vector<base::Error> errors;  // of kind config: `file:line:column: what is wrong, what is right`
};

// The policies of one file, one in each YAML document. All that is wrong is told, not the first alone, but
// for what makes the text no YAML. `file` is what errors call it. The text is not trusted.
Parsed parse(const std::string& file, const std::string& text);

// An error for each policy that has the name of one before it.
std::vector<base::Error> check_names(const std::vector<Policy>& policies);

}  // namespace isoscope::policy
