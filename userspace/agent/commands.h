// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "config/config.h"

namespace isoscope::agent {

// Each subcommand does its work and returns; an Error's kind is the exit code.

// The value is the exit code: 0, or that of the command that was run.
base::Result<int> run(const config::Config& config);
base::Result<base::Ok> check(const config::Config& config);
base::Result<base::Ok> matrix(const config::Config& config);
base::Result<base::Ok> version(const config::Config& config);
base::Result<base::Ok> policy_validate(const config::Config& config);
base::Result<base::Ok> policy_test(const config::Config& config);
base::Result<base::Ok> policy_explain(const config::Config& config);
base::Result<base::Ok> config_show(const config::Config& config);
base::Result<base::Ok> config_validate(const config::Config& config);
base::Result<base::Ok> config_schema(const config::Config& config);

}  // namespace isoscope::agent
