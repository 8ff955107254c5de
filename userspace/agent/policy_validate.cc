// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "agent/commands.h"
#include "agent/policy_files.h"
#include "base/text.h"

namespace isoscope::agent {

base::Result<base::Ok> policy_validate(const config::Config& config) {
  const auto read = read_policies(config.arguments);
  if (!read) {
    return read.error();
  }
  for (const std::string& file : read->files) {
    PolicyFiles one{{file}, {}};
    std::copy_if(read->policies.begin(), read->policies.end(), std::back_inserter(one.policies),
                 [&](const policy::Policy& policy) { return policy.file == file; });
    fmt::print("{}: {}\n", base::printable(file), summary_of(one));
  }
  if (read->files.empty()) {
    fmt::print("no policy files: the built-in policy decides alone\n");
  }
  return base::Ok{};
}

}  // namespace isoscope::agent
