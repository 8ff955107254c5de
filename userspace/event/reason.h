// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "event/record.h"

namespace isoscope::event {

// Exit reasons by the names that the kernel's own tracepoint prints for the CPU vendor: `npf`, `io`, `hlt`;
// `EPT_VIOLATION`, `IO_INSTRUCTION`, `HLT`. Codes without a name stay numbers, as the vendor's manual writes
// them: hexadecimal for SVM (`0x1ff`), decimal for VMX and where the ISA is unknown. `HLT (failed entry)` is
// a VMX entry that failed; `unreadable` is a reason the BPF program could not read.
std::string reason_name(Isa isa, std::uint32_t code);

// Whether our tables have a name for it.
bool is_known_reason(Isa isa, std::uint32_t code);

// Exits in which the guest sleeps: their time is not work and counts apart.
bool is_halt(Isa isa, std::uint32_t code);

// One table per ISA; empty: no name.
std::string_view svm_reason(std::uint32_t code);
std::string_view vmx_reason(std::uint32_t basic_reason);

}  // namespace isoscope::event
