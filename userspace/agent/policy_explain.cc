// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/commands.h"
#include "agent/policy_files.h"
#include "policy/engine.h"
#include "policy/explain.h"

namespace isoscope::agent {

base::Result<base::Ok> policy_explain(const config::Config& config) {
  auto read = read_policies(config.arguments);
  if (!read) {
    return read.error();
  }
  const policy::PolicySet policies(std::move(read->policies));
  for (const policy::Policy& policy : policies.policies()) {
    fmt::print("{}\n", policy::explain(policy));
  }
  if (!policies.policies().empty()) {
    fmt::print("Of these the strictest decides. Where no rule of them matches:\n\n");
  }
  fmt::print("{}", policy::explain(policies.last_resort()));
  const std::vector<std::string> overruled = policy::overruled(policies);
  if (!overruled.empty()) {
    fmt::print("\nWhat is allowed or audited though it is denied where nothing else matches:\n");
  }
  for (const std::string& line : overruled) {
    fmt::print("  {}\n", line);
  }
  return base::Ok{};
}

}  // namespace isoscope::agent
