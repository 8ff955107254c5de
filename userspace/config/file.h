// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "config/options.h"

namespace isoscope::config {

// Reads the configuration file at `path` into `draft`. Its keys are the long options, lists for the
// repeatable ones, and `outputs`, a list of paths or of {path, format}. Errors are of kind config and name
// the place, what was expected and the nearest right key.
base::Result<base::Ok> read_file(const std::string& path, Draft& draft);

// The same for text that was read already; `name` is what errors call it.
base::Result<base::Ok> read_text(const std::string& name, const std::string& text, Draft& draft);

// The text of a file of configuration or policies, at most 1 MiB. Errors are of kind config.
base::Result<std::string> read_whole(const std::string& path);

}  // namespace isoscope::config
