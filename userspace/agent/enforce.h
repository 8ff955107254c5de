// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/violation.h"

namespace isoscope::agent {

// What becomes of an event that an enforced policy denies. The kernel side has killed already, or it is done
// here: where it had no answer, and where the kernel did not take its signal.
policy::Enforcement enforce(const policy::Event& event);

// Sends SIGKILL to the process, if it is still the one that was seen. Never to pid 1 nor to ourselves. The
// record of an event comes after it: what the process did is done.
policy::Enforcement kill_process(const policy::Process& process);

}  // namespace isoscope::agent
