// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config/config.h"

namespace isoscope::config {

// What a run is told, as a file of configuration: read_text() makes the same of it. Everything that has a
// value is in it; what is off has no key.
std::string yaml_text(const Config& config);

}  // namespace isoscope::config
