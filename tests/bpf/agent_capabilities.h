// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/capability.h>

#include <vector>

namespace isoscope::live {

// What the agent keeps when everything is attached: agent_test.cc sees that these are the ones, kvm_test.cc
// that they are enough.
inline const std::vector<unsigned> agent_capabilities = {CAP_BPF,        CAP_PERFMON,         CAP_SYS_ADMIN,
                                                         CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_KILL};

}  // namespace isoscope::live
