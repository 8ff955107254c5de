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
  matrix     say what containers and VMs share with the host and one another
  policy     validate, test or explain policies
  config     show what options and a file come to, validate files, print schemas
  version    show the version, of the libraries too
  help       show this, or the help of a command: isoscope help run

Examples:
  isoscope run                          tables on the terminal until Ctrl-C
  isoscope run -d 30s -f ndjson         30 seconds as one JSON object per line
  isoscope run --fail-on high -- CMD    run CMD; 3 if it breaks out
  isoscope check                        can it run here?
  isoscope matrix                       who shares which namespace with whom

Exit status:
  0 ok   1 failure while running   2 wrong usage   3 policy violated
  4 permission missing   5 kernel not supported   6 bad configuration or policy
  isoscope run -- CMD otherwise has the status of CMD
)";

constexpr std::string_view run_head = R"(isoscope run - trace this host until stopped

Usage: isoscope run [OPTION]... [-- COMMAND [ARGUMENT]...]

With a COMMAND, until that ends: it starts when everything is attached, and its
exit status is that of isoscope.

)";

constexpr std::string_view run_tail = R"(
Filters of one kind are alternatives, different kinds must all hold.
A TIME is a number and a unit: ns, us, ms, s, m or h.

Examples:
  isoscope run -i 1s --vm web                 one VM, every second
  isoscope run --slow-exit 1ms                each VM exit of 1 ms or longer
  isoscope run --reason hlt,npf --vcpu 0-3    some reasons of some vCPUs
  isoscope run -o - -f ndjson -o run.ndjson   tables here, NDJSON into a file
  isoscope run -f prom -o /var/lib/prometheus/node-exporter/isoscope.prom
                                              for node_exporter to collect
  isoscope run --listen 127.0.0.1:9745        for Prometheus to scrape
  isoscope run --events crossings             every namespace crossing
  isoscope run --fail-on high -- make check   does a command, or what it starts,
                                              break out of a container?

SIGINT or SIGTERM prints the last window and the summary; SIGHUP reads the
policies again and reopens the files. Of policies with errors none is taken,
and those that were in force stay. A COMMAND gets SIGINT and SIGTERM, and its
end is that of the run.

Exit status: 0 ok, 1 failure while running, 2 wrong usage, 3 policy violated
(with --fail-on), 4 permission missing, 5 kernel not supported, 6 bad
configuration or policy. With a COMMAND: 3 if it, or what it started, violated a
policy (with --fail-on); else its own, 128 and the signal that killed it, 127 if
there is no such command, 126 if it cannot be executed.
)";

constexpr std::string_view check_head =
    R"(isoscope check - what this kernel offers, and what stays off, in words

Usage: isoscope check [OPTION]...

)";

constexpr std::string_view check_tail = R"(
Exit status: 0 isoscope runs here, 2 wrong usage, 4 permission missing,
5 nothing can run on this kernel.
)";

constexpr std::string_view matrix_head =
    R"(isoscope matrix - who shares which namespace with the host or with whom

Usage: isoscope matrix [OPTION]...

A unit is a container, or a VM: the process that runs its vCPUs. Each type of
its namespaces is private, host, or shared:X with the units of group X. Looks
once, at /proc and the cgroups; loads nothing into the kernel.

)";

constexpr std::string_view matrix_tail = R"(
Filters of one kind are alternatives, different kinds must all hold. What a
unit shares with others is said of all of them.

Examples:
  isoscope matrix                         all units, and what is found in them
  isoscope matrix --container web -f json one container, as JSON
  isoscope matrix -q --fail-on high       for a script

Exit status: 0 ok, 1 failure, 2 wrong usage, 3 a finding of the severity of
--fail-on or worse, 4 nothing could be read without more privileges.
)";

constexpr std::string_view policy_help = R"(isoscope policy - validate, test and explain policies

Usage: isoscope policy validate [PATH]...
       isoscope policy explain [PATH]...
       isoscope policy test POLICY.yaml RECORDED.ndjson

  validate   say what is wrong in policy files, with line and column
  explain    say in words what policies do
  test       run the policies of a file over the crossings of a recorded run;
             fails if a rule fires that its `expect` does not list, or if a
             listed one does not

A PATH is a file, or a folder of *.yaml and *.yml. Without one it is the folder
/etc/isoscope/policies.d, as for isoscope run. Nothing of this needs root.

Examples:
  isoscope policy validate /etc/isoscope/policies.d
  isoscope run -f ndjson --events crossings -d 1m -o run.ndjson
  isoscope policy test mine.yaml run.ndjson

Exit status: 0 ok, 1 the recorded run cannot be read, 2 wrong usage, 3 the test
failed, 6 bad policy.
)";

constexpr std::string_view config_help = R"(isoscope config - show or validate configuration, print schemas

Usage: isoscope config show [OPTION OF isoscope run]...
       isoscope config validate [FILE]...
       isoscope config schema [config|policy|events]

  show       print as YAML what a run with these options would do: the file of
             --config, the command line and the defaults together. Read as a
             file of configuration, it means the same
  validate   say what is wrong first in files of configuration, with line and column
             (default: /etc/isoscope/config.yaml)
  schema     print the JSON Schema (2020-12) of files of configuration, of
             policies, or of the records of ndjson, for editors and consumers

Nothing of this needs root, or looks at policies: isoscope policy validate.

Examples:
  isoscope config show -c /etc/isoscope/config.yaml
  isoscope config show -i 1s --vm web > config.yaml

Exit status: 0 ok, 2 wrong usage, 6 bad configuration.
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
                                                               {Section::policy, "What is allowed"},
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
    case Command::matrix:
      return fmt::format("{}{}{}", matrix_head, option_list(for_matrix), matrix_tail);
    case Command::version:
      return fmt::format("{}{}", version_head, option_list(for_version));
    case Command::policy:
    case Command::policy_validate:
    case Command::policy_test:
    case Command::policy_explain:
      return std::string(policy_help);
    case Command::config:
    case Command::config_show:
    case Command::config_validate:
    case Command::config_schema:
      return std::string(config_help);
    case Command::help:
      break;
  }
  return std::string(main_help);
}

}  // namespace isoscope::config
