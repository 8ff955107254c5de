// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/record.h"

namespace isoscope::event {

// Exit reasons by the names that the kernel's own tracepoint prints for the CPU vendor: `npf`, `io`, `hlt`;
// `EPT_VIOLATION`, `IO_INSTRUCTION`, `HLT`. Codes without a name stay numbers, as the vendor's manual writes
// them: hexadecimal for SVM (`0x1ff`), decimal for VMX and where the ISA is unknown. `HLT (failed entry)` is
// a VMX entry that failed; `unreadable` is a reason the BPF program could not read.
//
// Source: arch/x86/include/uapi/asm/svm.h and vmx.h up to Linux 6.18. The unit test compares with the headers
// of the system that builds; the scenario `reasons` with the format of kvm:kvm_exit of each kernel of the
// lab.
std::string reason_name(Isa isa, std::uint32_t code);

// Whether our tables have a name for it.
bool is_known_reason(Isa isa, std::uint32_t code);

// A VMX entry that failed, so that the guest did not run: the hardware sets bit 31 of the reason.
bool is_failed_entry(Isa isa, std::uint32_t code);

// Exits in which the guest sleeps: their time is not work and counts apart.
bool is_halt(Isa isa, std::uint32_t code);

// What the exits are called together that found no place of their own.
inline constexpr std::string_view other_reasons = "other";

// Every name that reason_name() gives, of both vendors, and other_reasons; numbers are beside them.
std::vector<std::string_view> reason_names();

// Whether a reason is the one a user asks for: by name or glob, in upper or lower case, or by number. A name
// and a number stand for failed entries too, a name with ` (failed entry)` for them alone.
bool matches_reason(const std::string& wanted, Isa isa, std::uint32_t code);

// Decimal, or hexadecimal behind `0x`; nothing else is a number.
std::optional<std::uint32_t> parse_reason_number(std::string_view text);

// One table per ISA; empty: no name.
std::string_view svm_reason(std::uint32_t code);
std::string_view vmx_reason(std::uint32_t basic_reason);
std::vector<std::string_view> svm_reason_names();
std::vector<std::string_view> vmx_reason_names();

}  // namespace isoscope::event
