// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace isoscope::config {

// A configuration in the making: what depends on the order of options waits here.
struct Draft {
  Config config;
  std::vector<Output> outputs;                 // none given: the default one
  std::optional<Format> format;                // for the outputs that come next
  Rotation rotate;                             // of the outputs without one of their own
  bool format_came_last = false;               // no --output after it: it is meant for the last one
  std::vector<std::string_view> exit_reasons;  // see Environment
};

enum class Section { output, tracing, policy, filters, general };

// Subcommands as bits.
enum : unsigned {
  for_run = 1,
  for_check = 2,
  for_version = 4,
  for_policy = 8,
  for_matrix = 16,
  for_config = 32
};

// One option: the only place that lists them. The parser, the help text, the keys of the file and the
// suggestions all come from this table.
struct Option {
  const char* name;
  char letter;           // 0: none
  const char* argument;  // nullptr: takes none
  unsigned commands;
  bool in_file;     // a key of the configuration file, too
  bool repeatable;  // a list there
  Section section;
  const char* help;
  base::Result<base::Ok> (*apply)(Draft&, std::string_view value);
  // Drops what a source of lower rank gave; nullptr where apply overwrites it anyway.
  void (*reset)(Draft&);
  bool named = false;  // values are NAME=VALUE: a map in the file
};

std::span<const Option> options();
// Of these commands; names are unique within each.
const Option* find_option(std::string_view name, unsigned commands = ~0U);

struct OptionValue {
  const Option* option;
  std::string value;
};

// Applies the values of one source in order; each option's first value drops what sources before it gave. The
// error names option and value.
base::Result<base::Ok> apply_all(const std::vector<OptionValue>& values, Draft& draft);

// What every source has to say is in: settles outputs and colour.
Config finish(Draft draft, bool no_color);

const std::vector<std::pair<std::string_view, Format>>& formats();
const std::vector<std::pair<std::string_view, SortKey>>& sort_keys();
const std::vector<std::pair<std::string_view, ColorMode>>& color_modes();
const std::vector<std::pair<std::string_view, FailOn>>& severities();

}  // namespace isoscope::config
