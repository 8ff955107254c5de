// SPDX-License-Identifier: Apache-2.0
#include "event/reason.h"

#include <fmt/format.h>

#include "abi/event.h"

namespace isoscope::event {

namespace {

constexpr std::uint32_t svm_hlt = 0x78;
constexpr std::uint32_t svm_idle_hlt = 0xa6;
constexpr std::uint32_t vmx_hlt = 12;

bool is_failed_entry(Isa isa, std::uint32_t code) {
  return isa == Isa::vmx && (code & ISOSCOPE_REASON_FAILED_ENTRY) != 0;
}

std::string_view find_name(Isa isa, std::uint32_t code) {
  switch (isa) {
    case Isa::svm:
      return svm_reason(code);
    case Isa::vmx:
      return vmx_reason(code & ~ISOSCOPE_REASON_FAILED_ENTRY);
    case Isa::unknown:
      return {};
  }
  return {};
}

std::string number(Isa isa, std::uint32_t code) {
  if (isa == Isa::svm) {
    return fmt::format("{:#x}", code);
  }
  return fmt::format("{}", isa == Isa::vmx ? code & ~ISOSCOPE_REASON_FAILED_ENTRY : code);
}

}  // namespace

std::string reason_name(Isa isa, std::uint32_t code) {
  if (code == ISOSCOPE_REASON_UNREADABLE) {
    return "unreadable";
  }
  const std::string_view name = find_name(isa, code);
  std::string text = name.empty() ? number(isa, code) : std::string(name);
  if (is_failed_entry(isa, code)) {
    text += " (failed entry)";
  }
  return text;
}

bool is_known_reason(Isa isa, std::uint32_t code) {
  return code != ISOSCOPE_REASON_UNREADABLE && !find_name(isa, code).empty();
}

bool is_halt(Isa isa, std::uint32_t code) {
  switch (isa) {
    case Isa::svm:
      return code == svm_hlt || code == svm_idle_hlt;
    case Isa::vmx:
      return code == vmx_hlt;
    case Isa::unknown:
      return false;
  }
  return false;
}

}  // namespace isoscope::event
