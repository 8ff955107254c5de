// SPDX-License-Identifier: Apache-2.0
#include "config/help.h"

#include <fmt/format.h>

#include "config/options.h"

namespace isoscope::config {

namespace {

constexpr std::string_view main_help = R"(isoscope - what isolation costs on this host, and whether it holds

Usage: isoscope COMMAND [OPTION]...

  run        trace this host: VM exits, context switches, namespace crossings
  check      say what this kernel offers, and what stays off
  version    show the version, of the libraries too
  help       show this, or the help of a command: isoscope help run

Examples:
  isoscope run                          tables on the terminal until Ctrl-C
  isoscope run -d 30s -f ndjson         30 seconds as one JSON object per line
  isoscope check                        can it run here?

Exit status:
  0 ok   1 failure while running   2 wrong usage   4 permission missing
  5 kernel not supported   6 bad configuration
)";

constexpr std::string_view run_head = R"(isoscope run - trace this host until stopped

Usage: isoscope run [OPTION]...

)";

constexpr std::string_view run_tail = R"(
Filters of one kind are alternatives, different kinds must all hold.
A TIME is a number and a unit: ns, us, ms, s, m or h.

Examples:
  isoscope run -i 1s --vm web                 one VM, every second
  isoscope run --slow-exit 1ms                each VM exit of 1 ms or longer
  isoscope run --reason hlt,npf --vcpu 0-3    some reasons of some vCPUs
  isoscope run -o - -f ndjson -o run.ndjson   tables here, NDJSON into a file
  isoscope run --events crossings             every namespace crossing

SIGINT or SIGTERM prints the last window and the summary; SIGHUP reopens the
files.

Exit status: 0 ok, 1 failure while running, 2 wrong usage, 4 permission
missing, 5 kernel not supported, 6 bad configuration.
)";

constexpr std::string_view check_head =
    R"(isoscope check - what this kernel offers, and what stays off, in words

Usage: isoscope check [OPTION]...

)";

constexpr std::string_view check_tail = R"(
Exit status: 0 isoscope runs here, 2 wrong usage, 4 permission missing,
5 nothing can run on this kernel.
)";

constexpr std::string_view version_head =
    R"(isoscope version - the version of isoscope, its event format and its libraries

Usage: isoscope version [--json]

)";

std::string option_entry(const Option& option) {
  constexpr std::size_t column = 28;
  std::string left = option.letter != '\0' ? fmt::format("  -{}, --{}", option.letter, option.name)
                                           : fmt::format("      --{}", option.name);
  if (option.argument != nullptr) {
    left += fmt::format(" {}", option.argument);
  }
  std::string entry = fmt::format("{:<{}}", left, column);
  for (const char* c = option.help; *c != '\0'; ++c) {
    entry += *c;
    if (*c == '\n') {
      entry.append(column, ' ');
    }
  }
  return entry + "\n";
}

std::string option_list(unsigned command) {
  constexpr std::pair<Section, std::string_view> sections[] = {{Section::output, "Output"},
                                                               {Section::tracing, "What to trace"},
                                                               {Section::filters, "Only report"},
                                                               {Section::general, "General"}};
  std::string text;
  for (const auto& [section, title] : sections) {
    std::string entries;
    for (const Option& option : options()) {
      if (option.section == section && (option.commands & command) != 0) {
        entries += option_entry(option);
      }
    }
    if (!entries.empty()) {
      text += fmt::format("{}{}:\n{}", text.empty() ? "" : "\n", title, entries);
    }
  }
  return text;
}

}  // namespace

std::string help_text(Command command) {
  switch (command) {
    case Command::run:
      return fmt::format("{}{}{}", run_head, option_list(for_run), run_tail);
    case Command::check:
      return fmt::format("{}{}{}", check_head, option_list(for_check), check_tail);
    case Command::version:
      return fmt::format("{}{}", version_head, option_list(for_version));
    case Command::help:
      break;
  }
  return std::string(main_help);
}

}  // namespace isoscope::config
