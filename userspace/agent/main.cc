// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <optional>

#include "agent/commands.h"
#include "base/log.h"
#include "config/command_line.h"
#include "event/reason.h"

namespace {

using namespace isoscope;

void set_up_log(const config::Config& config) {
  base::log::Settings settings;
  settings.verbosity = config.verbosity;
  if (config.color != config::ColorMode::automatic) {
    settings.color = config.color == config::ColorMode::always;
  }
  base::log::set_up(settings);
}

base::Result<base::Ok> dispatch(const config::Config& config) {
  switch (config.command) {
    case config::Command::check:
      return agent::check(config);
    case config::Command::matrix:
      return agent::matrix(config);
    case config::Command::version:
      return agent::version(config);
    case config::Command::policy_validate:
      return agent::policy_validate(config);
    case config::Command::policy_test:
      return agent::policy_test(config);
    case config::Command::policy_explain:
      return agent::policy_explain(config);
    case config::Command::config_show:
      return agent::config_show(config);
    case config::Command::config_validate:
      return agent::config_validate(config);
    case config::Command::config_schema:
      return agent::config_schema(config);
    case config::Command::run:
    case config::Command::policy:
    case config::Command::config:
    case config::Command::help:
      break;
  }
  std::fputs(config.help_text.c_str(), stdout);
  return base::Ok{};
}

// The exit code.
base::Result<int> start(int argc, const char* const* argv) {
  config::Environment environment = config::current_environment();
  environment.exit_reasons = event::reason_names();
  const auto config = config::parse_command_line(argc, argv, environment);
  if (!config) {
    return config.error();
  }
  set_up_log(*config);
  if (config->command == config::Command::run) {
    return agent::run(*config);
  }
  if (const auto done = dispatch(*config); !done) {
    return done.error();
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto status = start(argc, argv);
    if (status) {
      return *status;
    }
    base::log::error("{}", status.error().message);
    return static_cast<int>(status.error().kind);
  } catch (const std::exception& error) {  // out of memory, or a library's bug
    base::log::error("internal error: {}", error.what());
    return static_cast<int>(base::ErrorKind::failure);
  }
}
