// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace isoscope::config {

// What the process was given besides its arguments, and what the command line may name.
struct Environment {
  bool no_color = false;  // NO_COLOR is set and not empty, or TERM is `dumb`: no colour unless asked for
  // The names of exit reasons, of a room to the right of this one. They outlive the parsing.
  std::vector<std::string_view> exit_reasons = {};
};
Environment current_environment();

// The whole configuration: defaults, then the file of --config, then the command line. argv[0] is the
// program. Errors: usage (the command line; the message names option and value and ends with where to read
// more), or config (the file; `FILE:LINE:COLUMN: ...`). Help is a command, not an error.
base::Result<Config> parse_command_line(int argc, const char* const* argv, const Environment& environment);

}  // namespace isoscope::config
