// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/config.h"

namespace isoscope::agent {

// To be called when everything is attached: drops every capability but those that the rest of the run needs,
// which are named with their reasons in privileges.cc. `has_command`: a command's cgroup is to be removed,
// whose parent may be a user's. A log line says so where it fails: the run goes on.
void drop_privileges(const config::Config& config, bool has_command);

}  // namespace isoscope::agent
