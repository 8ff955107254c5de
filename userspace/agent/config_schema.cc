// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "agent/commands.h"
#include "agent/schema_text.h"
#include "base/text.h"

namespace isoscope::agent {

base::Result<base::Ok> config_schema(const config::Config& config) {
  constexpr struct {
    std::string_view name;
    std::string_view (*text)();
  } schemas[] = {
      {"config", config_schema_text}, {"policy", policy_schema_text}, {"events", events_schema_text}};
  const std::string_view wanted =
      config.arguments.empty() ? schemas[0].name : std::string_view(config.arguments.front());
  for (const auto& [name, text] : schemas) {
    if (name == wanted) {
      const std::string_view schema = text();
      std::fwrite(schema.data(), 1, schema.size(), stdout);
      return base::Ok{};
    }
  }
  return base::Error{base::ErrorKind::usage,
                     fmt::format("there is no schema of \"{}\"; there are config, policy and events\n"
                                 "see isoscope config --help",
                                 base::printable(std::string(wanted)))};
}

}  // namespace isoscope::agent
