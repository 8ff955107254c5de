// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/violation.h"

namespace isoscope::agent {

// Sends SIGKILL to the process, if it is still the one that was seen. Never to pid 1 nor to ourselves. The
// record of an event comes after it: what the process did is done.
policy::Enforcement kill_process(const policy::Process& process);

}  // namespace isoscope::agent
