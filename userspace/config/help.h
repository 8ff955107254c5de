// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config/config.h"

namespace isoscope::config {

// What `isoscope help` (Command::help) and `isoscope COMMAND --help` print.
std::string help_text(Command command);

}  // namespace isoscope::config
