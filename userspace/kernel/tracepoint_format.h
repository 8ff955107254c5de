// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "kernel/features.h"

namespace isoscope::kernel {

// Offsets from the text of events/kvm/kvm_exit/format in tracefs; empty if a field is missing. By name only:
// the common header is 8 bytes on most kernels and 12 on some, and fields have moved.
std::optional<ClassicKvmExit> parse_kvm_exit_format(std::string_view text);

}  // namespace isoscope::kernel
