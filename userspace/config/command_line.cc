// SPDX-License-Identifier: Apache-2.0
#include "config/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <cstdlib>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "base/text.h"
#include "config/file.h"
#include "config/help.h"
#include "config/options.h"
#include "config/suggest.h"

namespace isoscope::config {

namespace {

namespace po = boost::program_options;

using base::Error;
using base::Ok;
using base::Result;

struct CommandName {
  std::string_view name;
  Command command;
  unsigned bit;
  // What it takes besides options.
  std::size_t least_arguments = 0;
  std::size_t most_arguments = 0;
  const char* arguments = nullptr;
};

constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();

constexpr CommandName commands[] = {{"run", Command::run, for_run, 0, 0, "options, and a command behind --"},
                                    {"check", Command::check, for_check},
                                    {"matrix", Command::matrix, for_matrix},
                                    {"policy", Command::policy, for_policy},
                                    {"config", Command::config, for_config},
                                    {"version", Command::version, for_version},
                                    {"help", Command::help, 0}};

constexpr CommandName policy_commands[] = {
    {"policy validate", Command::policy_validate, for_policy, 0, any_number, "[PATH]..."},
    {"policy test", Command::policy_test, for_policy, 2, 2, "POLICY.yaml RECORDED.ndjson"},
    {"policy explain", Command::policy_explain, for_policy, 0, any_number, "[PATH]..."}};

// `show` takes the options of a run, and says what they come to.
constexpr CommandName config_commands[] = {
    {"config show", Command::config_show, for_run},
    {"config validate", Command::config_validate, for_config, 0, any_number, "[FILE]..."},
    {"config schema", Command::config_schema, for_config, 0, 1, "one of config, policy, events"}};

const CommandName* find_command(std::string_view name) {
  for (const CommandName& command : commands) {
    if (command.name == name) {
      return &command;
    }
  }
  return nullptr;
}

Error usage(const std::string& message, const CommandName* command = nullptr) {
  const std::string_view where = command == nullptr || command->command == Command::help ? "" : command->name;
  return {base::ErrorKind::usage,
          fmt::format("{}\nsee isoscope {}{}--help", message, where, where.empty() ? "" : " ")};
}

Config help_for(Command command) {
  Config config;
  config.command = Command::help;
  config.help_text = help_text(command);
  return config;
}

po::options_description description_for(const CommandName& command) {
  po::options_description description;
  for (const Option& option : options()) {
    if ((option.commands & command.bit) == 0) {
      continue;
    }
    const std::string name =
        option.letter == '\0' ? std::string(option.name) : fmt::format("{},{}", option.name, option.letter);
    if (option.argument == nullptr) {
      description.add_options()(name.c_str(), "");
    } else {
      description.add_options()(name.c_str(), po::value<std::string>(), "");
    }
  }
  return description;
}

std::vector<std::string_view> option_names(unsigned commands_bits) {
  std::vector<std::string_view> names;
  for (const Option& option : options()) {
    if ((option.commands & commands_bits) != 0) {
      names.emplace_back(option.name);
    }
  }
  return names;
}

// The option that `token` spells (`--name`, `--name=value`, `-n`, `-nvalue`), whichever command it belongs
// to.
const Option* spelled_option(std::string_view token) {
  if (token.starts_with("--")) {
    return find_option(token.substr(2, token.find('=') - 2));
  }
  if (token.size() < 2 || token.front() != '-') {
    return nullptr;
  }
  for (const Option& option : options()) {
    if (option.letter == token[1]) {
      return &option;
    }
  }
  return nullptr;
}

Error unknown_option(const po::option& parsed, const CommandName& command) {
  const std::string& token =
      parsed.original_tokens.empty() ? parsed.string_key : parsed.original_tokens.front();
  if (const Option* option = spelled_option(token); option != nullptr) {
    if ((option->commands & command.bit) != 0) {  // `-vx`: it is the x that is unknown
      const std::size_t letter = std::min(parsed.string_key.find_first_not_of('-'), parsed.string_key.size());
      return usage(fmt::format("unknown option -{} in {}",
                               base::printable(parsed.string_key.substr(letter, 1)), base::printable(token)),
                   &command);
    }
    const std::string_view owner = (option->commands & for_run) != 0 ? "isoscope run"
                                   : (option->commands & for_matrix) != 0
                                       ? "isoscope matrix"
                                       : "isoscope check and isoscope version";
    return usage(
        fmt::format("isoscope {} has no option --{}: it belongs to {}", command.name, option->name, owner),
        &command);
  }
  // A single dash before a whole word is a common slip: look for the word, and name the letter only after
  // that.
  const std::string whole = token.substr(0, token.find('='));
  const std::string_view word =
      std::string_view(whole).substr(std::min(whole.find_first_not_of('-'), whole.size()));
  const std::string_view near = nearest(word, option_names(command.bit));
  if (!near.empty()) {
    return usage(fmt::format("unknown option {}; did you mean --{}?", base::printable(whole), near),
                 &command);
  }
  return usage(
      fmt::format("unknown option {}", base::printable(whole.starts_with("--") ? whole : whole.substr(0, 2))),
      &command);
}

Error missing_value(const Option& option, const CommandName& command) {
  return usage(fmt::format("--{0} needs a value: --{0} {1}", option.name, option.argument), &command);
}

Error syntax_error(const po::invalid_command_line_syntax& error, const CommandName& command) {
  using Syntax = po::invalid_syntax;
  const std::string name = error.get_option_name();
  const Option* option = spelled_option(name);
  if (option == nullptr) {
    return usage(base::printable(error.what()), &command);
  }
  if (error.kind() == Syntax::extra_parameter || option->argument == nullptr) {
    return usage(fmt::format("--{} takes no value", option->name), &command);
  }
  return missing_value(*option, command);
}

// Boost takes whatever follows an option as its value, another option too: `-i --top 3`.
bool swallowed_an_option(const po::option& parsed) {
  return parsed.original_tokens.size() == 2 && !parsed.value.empty() &&
         parsed.value.front() == parsed.original_tokens[1] && spelled_option(parsed.value.front()) != nullptr;
}

Error unexpected_argument(const std::string& word, const CommandName& command) {
  const std::string takes =
      command.arguments == nullptr ? "takes options only" : fmt::format("takes {}", command.arguments);
  return usage(
      fmt::format("unexpected argument \"{}\": isoscope {} {}", base::printable(word), command.name, takes),
      &command);
}

struct Arguments {
  std::vector<OptionValue> options;
  std::vector<std::string> others;
};

Result<Arguments> parse_arguments(const std::vector<std::string>& arguments, const CommandName& command) {
  const po::options_description description = description_for(command);
  Arguments values;
  try {
    const int style =
        po::command_line_style::unix_style & ~static_cast<int>(po::command_line_style::allow_guessing);
    const po::parsed_options parsed =
        po::command_line_parser(arguments).options(description).style(style).allow_unregistered().run();
    for (const po::option& option : parsed.options) {
      if (option.string_key.empty() || option.position_key >= 0) {
        values.others.push_back(option.value.empty() ? "" : option.value.front());
        if (values.others.size() > command.most_arguments) {
          return unexpected_argument(values.others.back(), command);
        }
        continue;
      }
      if (option.unregistered) {
        return unknown_option(option, command);
      }
      const Option* known = find_option(option.string_key, command.bit);
      if (swallowed_an_option(option)) {
        return missing_value(*known, command);
      }
      values.options.push_back({known, option.value.empty() ? "" : option.value.front()});
    }
  } catch (const po::invalid_command_line_syntax& error) {
    return syntax_error(error, command);
  } catch (const std::exception& error) {
    return usage(base::printable(error.what()), &command);
  }
  return values;
}

// `isoscope run [OPTION]... -- PROGRAM [ARGUMENT]...`: takes what stands from the -- on off the arguments.
// The program's own options are none of ours, and must not be looked at.
Result<std::vector<std::string>> take_program(std::vector<std::string>& arguments,
                                              const CommandName& command) {
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  if (command.command != Command::run || separator == arguments.end()) {
    return std::vector<std::string>{};
  }
  std::vector<std::string> program(separator + 1, arguments.end());
  arguments.erase(separator, arguments.end());
  if (program.empty() || program.front().empty()) {
    return usage("-- needs a command behind it: isoscope run -- COMMAND [ARGUMENT]...", &command);
  }
  return program;
}

Result<Config> parse_options(std::vector<std::string> arguments, const CommandName& command,
                             const Environment& environment) {
  Result<std::vector<std::string>> program = take_program(arguments, command);
  if (!program) {
    return std::move(program.error());
  }
  Result<Arguments> parsed = parse_arguments(arguments, command);
  if (!parsed) {
    return std::move(parsed.error());
  }
  const std::vector<OptionValue>* const values = &parsed->options;
  const std::string* file = nullptr;
  for (const auto& [option, value] : *values) {
    if (std::string_view(option->name) == "help") {
      return help_for(command.command);
    }
    file = option == find_option("config") ? &value : file;
  }
  if (parsed->others.size() < command.least_arguments) {
    return usage(fmt::format("isoscope {0} needs {1}", command.name, command.arguments), &command);
  }
  // The command line is judged first, alone: its mistakes are reported whatever the file says.
  Draft alone;
  alone.exit_reasons = environment.exit_reasons;
  if (Result<Ok> applied = apply_all(*values, alone); !applied) {
    return usage(applied.error().message, &command);
  }
  Draft draft;
  draft.exit_reasons = environment.exit_reasons;
  if (file != nullptr) {
    if (Result<Ok> read = read_file(*file, draft); !read) {
      return std::move(read.error());
    }
    if (Result<Ok> applied = apply_all(*values, draft); !applied) {
      return usage(applied.error().message, &command);
    }
  } else {
    draft = std::move(alone);
  }
  draft.config.command = command.command;
  draft.config.arguments = std::move(command.command == Command::run ? *program : parsed->others);
  return finish(std::move(draft), environment.no_color);
}

Error unknown_command(const std::string& word) {
  std::vector<std::string_view> names;
  for (const CommandName& command : commands) {
    names.push_back(command.name);
  }
  const std::string_view near = nearest(word, names);
  return usage(fmt::format("unknown command \"{}\"; {}", base::printable(word),
                           near.empty() ? fmt::format("the commands are {}", join_choices(names))
                                        : fmt::format("did you mean {}?", near)));
}

// A command that has commands: `isoscope policy` and what stands behind it.
Result<Config> parse_group(const CommandName& group, std::span<const CommandName> members,
                           const std::vector<std::string>& arguments, const Environment& environment) {
  const std::string_view given = arguments.empty() ? "" : std::string_view(arguments.front());
  if (given == "--help" || given == "-h") {
    return help_for(group.command);
  }
  std::vector<std::string_view> names;
  for (const CommandName& command : members) {
    names.push_back(command.name.substr(command.name.find(' ') + 1));
    if (given == names.back()) {
      return parse_options({arguments.begin() + 1, arguments.end()}, command, environment);
    }
  }
  const std::string_view near = nearest(given, names);
  const std::string known = near.empty() ? fmt::format("there are {}", join_choices(names))
                                         : fmt::format("did you mean isoscope {} {}?", group.name, near);
  return usage(given.empty()
                   ? fmt::format("isoscope {} needs a command: {}", group.name, join_choices(names))
                   : fmt::format("unknown command \"{} {}\"; {}", group.name, base::printable(given), known),
               &group);
}

Result<Config> parse_help(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front() == "--help" || arguments.front() == "-h") {
    return help_for(Command::help);
  }
  const CommandName* about = find_command(arguments.front());
  if (about == nullptr) {
    return unknown_command(arguments.front());
  }
  if (arguments.size() > 1 && about->command != Command::policy && about->command != Command::config) {
    return usage(fmt::format("unexpected argument \"{}\"", base::printable(arguments[1])));
  }
  return help_for(about->command);
}

}  // namespace

Environment current_environment() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return {(no_color != nullptr && *no_color != '\0') ||
              (terminal != nullptr && std::string_view(terminal) == "dumb"),
          {}};
}

Result<Config> parse_command_line(int argc, const char* const* argv, const Environment& environment) {
  if (argc < 2) {
    return usage("no command given: run, check, matrix, policy, config, version or help");
  }
  const std::string first = argv[1];
  const std::vector<std::string> arguments(argv + 2, argv + argc);
  if (first == "--help" || first == "-h") {
    return help_for(Command::help);
  }
  if (first == "--version") {
    return parse_options(arguments, *find_command("version"), environment);
  }
  if (first.starts_with('-')) {
    if (spelled_option(first) == nullptr) {
      const std::string_view near = nearest(
          std::string_view(first).substr(std::min<std::size_t>(2, first.size())), {"version", "help"});
      return usage(near.empty()
                       ? fmt::format("unknown option {}", base::printable(first))
                       : fmt::format("unknown option {}; did you mean --{}?", base::printable(first), near));
    }
    return usage(fmt::format("{} before the command: options follow it, as in isoscope run {}",
                             base::printable(first), base::printable(first)));
  }
  const CommandName* command = find_command(first);
  if (command == nullptr) {
    return unknown_command(first);
  }
  if (command->command == Command::help) {
    return parse_help(arguments);
  }
  if (command->command == Command::policy) {
    return parse_group(*command, policy_commands, arguments, environment);
  }
  if (command->command == Command::config) {
    return parse_group(*command, config_commands, arguments, environment);
  }
  return parse_options(arguments, *command, environment);
}

}  // namespace isoscope::config
