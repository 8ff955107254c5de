// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"

namespace isoscope::agent {

// Where policies are looked for if nobody says where.
inline constexpr const char* usual_policy_folder = "/etc/isoscope/policies.d";

struct PolicyFiles {
  std::vector<std::string> files;  // that were read, in their order
  std::vector<policy::Policy> policies;
};

// The policies of files, and of the `*.yaml` and `*.yml` of folders by their names; hidden files are left
// out. No paths: the usual folder, if it is there. Error: config, with all that is wrong in all files.
base::Result<PolicyFiles> read_policies(const std::vector<std::string>& paths);

// `3 policies with 7 rules from 2 files`
std::string summary_of(const PolicyFiles& files);

}  // namespace isoscope::agent
