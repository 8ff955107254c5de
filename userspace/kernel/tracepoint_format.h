// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "kernel/features.h"

namespace isoscope::kernel {

// Offsets from the texts of events/kvm/{kvm_exit,kvm_vcpu_wakeup}/format in tracefs; empty if a field is
// missing. By name only: the common header is 8 bytes on most kernels and 12 on some, and fields have moved.
std::optional<ClassicKvm> parse_kvm_formats(std::string_view exit, std::string_view wakeup);

}  // namespace isoscope::kernel
