// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "config/config.h"

namespace isoscope::agent {

// Each subcommand does its work and returns; an Error's kind is the exit code.
base::Result<base::Ok> run(const config::Config& config);
base::Result<base::Ok> check(const config::Config& config);
base::Result<base::Ok> version(const config::Config& config);

}  // namespace isoscope::agent
