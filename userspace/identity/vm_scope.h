// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "identity/unit.h"

namespace isoscope::identity {

// Whose a VMM is, from the path of its cgroup in the default hierarchy; empty where the path does not say.
std::optional<VmScope> parse_vm_scope(std::string_view cgroup_path);

}  // namespace isoscope::identity
