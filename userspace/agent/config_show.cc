// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "agent/commands.h"
#include "base/text.h"
#include "config/file.h"
#include "config/yaml_text.h"
#include "event/reason.h"

namespace isoscope::agent {

base::Result<base::Ok> config_show(const config::Config& config) {
  std::fputs(config::yaml_text(config).c_str(), stdout);
  return base::Ok{};
}

base::Result<base::Ok> config_validate(const config::Config& config) {
  const std::vector<std::string> usual = {config::usual_file};
  for (const std::string& file : config.arguments.empty() ? usual : config.arguments) {
    config::Draft draft;
    draft.exit_reasons = event::reason_names();
    if (const auto read = config::read_file(file, draft); !read) {
      return read.error();
    }
    fmt::print("{}: valid\n", base::printable(file));
  }
  return base::Ok{};
}

}  // namespace isoscope::agent
