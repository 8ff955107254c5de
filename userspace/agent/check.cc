// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "agent/commands.h"
#include "kernel/features.h"
#include "probe/discover.h"
#include "sink/json.h"

namespace isoscope::agent {

namespace {

std::string as_json(const kernel::Features& features, const base::Result<base::Ok>& able) {
  sink::Json json;
  {
    sink::JsonObject object(json);
    object.text("kernel", features.release);
    object.boolean("runs", static_cast<bool>(able));
    if (!able) {
      object.text("reason", able.error().message);
    }
    object.key("capabilities");
    json.writer.StartArray();
    for (const kernel::Capability& capability : kernel::explain(features)) {
      sink::JsonObject line(json);
      line.text("name", capability.name);
      line.text("state", kernel::to_string(capability.state));
      line.text("words", capability.words);
    }
    json.writer.EndArray();
  }
  return std::string(json.text());
}

std::string as_table(const kernel::Features& features, const base::Result<base::Ok>& able) {
  std::string text = fmt::format("Linux {}: isoscope {}\n", features.release, able ? "runs" : "cannot run");
  if (!able) {
    return text;
  }
  text += '\n';
  for (const kernel::Capability& capability : kernel::explain(features)) {
    text += fmt::format("  {:<9} {:<33} {}\n", kernel::to_string(capability.state), capability.name,
                        capability.words);
  }
  return text;
}

}  // namespace

base::Result<base::Ok> check(const config::Config& config) {
  const kernel::Features features = probe::discover();
  auto able = kernel::require(features);
  const std::string text = config.json ? as_json(features, able) + "\n" : as_table(features, able);
  std::fputs(text.c_str(), stdout);
  return able;
}

}  // namespace isoscope::agent
