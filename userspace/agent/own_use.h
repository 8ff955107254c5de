// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace isoscope::agent {

// What this process has used: time on CPU since its start, user and system, and resident memory now (0 where
// /proc is not mounted).
std::uint64_t own_cpu_ns();
std::uint64_t own_resident_bytes();

}  // namespace isoscope::agent
