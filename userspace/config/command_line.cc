// SPDX-License-Identifier: Apache-2.0
#include "config/command_line.h"

#include <fmt/format.h>

#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <cstdlib>
#include <optional>
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
};

constexpr CommandName commands[] = {{"run", Command::run, for_run},
                                    {"check", Command::check, for_check},
                                    {"version", Command::version, for_version},
                                    {"help", Command::help, 0}};

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
    const std::string_view owner =
        (option->commands & for_run) != 0 ? "isoscope run" : "isoscope check and isoscope version";
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

Result<std::vector<OptionValue>> parse_arguments(const std::vector<std::string>& arguments,
                                                 const CommandName& command) {
  const po::options_description description = description_for(command);
  std::vector<OptionValue> values;
  try {
    const int style =
        po::command_line_style::unix_style & ~static_cast<int>(po::command_line_style::allow_guessing);
    const po::parsed_options parsed =
        po::command_line_parser(arguments).options(description).style(style).allow_unregistered().run();
    for (const po::option& option : parsed.options) {
      if (option.string_key.empty() || option.position_key >= 0) {
        const std::string word = option.value.empty() ? "" : option.value.front();
        return usage(fmt::format("unexpected argument \"{}\": isoscope {} takes options only",
                                 base::printable(word), command.name),
                     &command);
      }
      if (option.unregistered) {
        return unknown_option(option, command);
      }
      const Option* known = find_option(option.string_key);
      if (swallowed_an_option(option)) {
        return missing_value(*known, command);
      }
      values.push_back({known, option.value.empty() ? "" : option.value.front()});
    }
  } catch (const po::invalid_command_line_syntax& error) {
    return syntax_error(error, command);
  } catch (const std::exception& error) {
    return usage(base::printable(error.what()), &command);
  }
  return values;
}

Result<Config> parse_options(const std::vector<std::string>& arguments, const CommandName& command,
                             const Environment& environment) {
  Result<std::vector<OptionValue>> values = parse_arguments(arguments, command);
  if (!values) {
    return std::move(values.error());
  }
  const std::string* file = nullptr;
  for (const auto& [option, value] : *values) {
    if (option == find_option("help")) {
      return help_for(command.command);
    }
    file = option == find_option("config") ? &value : file;
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

Result<Config> parse_help(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front() == "--help" || arguments.front() == "-h") {
    return help_for(Command::help);
  }
  const CommandName* about = find_command(arguments.front());
  if (about == nullptr) {
    return unknown_command(arguments.front());
  }
  if (arguments.size() > 1) {
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
    return usage("no command given: run, check, version or help");
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
  return parse_options(arguments, *command, environment);
}

}  // namespace isoscope::config
