// SPDX-License-Identifier: Apache-2.0
#include "event/reason.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <charconv>

#include "abi/event.h"

namespace isoscope::event {

namespace {

constexpr std::uint32_t svm_hlt = 0x78;
constexpr std::uint32_t svm_idle_hlt = 0xa6;
constexpr std::uint32_t vmx_hlt = 12;

constexpr std::string_view unreadable = "unreadable";
constexpr std::string_view failed_entry = " (failed entry)";

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

std::string basic_name(Isa isa, std::uint32_t code) {
  if (code == ISOSCOPE_REASON_UNREADABLE) {
    return std::string(unreadable);
  }
  const std::string_view name = find_name(isa, code);
  return name.empty() ? number(isa, code) : std::string(name);
}

// Kept, as reason_names() gives views.
const std::vector<std::string>& failed_entry_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const std::string_view name : vmx_reason_names()) {
      all.push_back(std::string(name) + std::string(failed_entry));
    }
    return all;
  }();
  return names;
}

}  // namespace

std::string reason_name(Isa isa, std::uint32_t code) {
  std::string text = basic_name(isa, code);
  if (is_failed_entry(isa, code)) {
    text += failed_entry;
  }
  return text;
}

bool is_failed_entry(Isa isa, std::uint32_t code) {
  return isa == Isa::vmx && (code & ISOSCOPE_REASON_FAILED_ENTRY) != 0;
}

std::vector<std::string_view> reason_names() {
  std::vector<std::string_view> names = svm_reason_names();
  const std::vector<std::string_view> vmx = vmx_reason_names();
  names.insert(names.end(), vmx.begin(), vmx.end());
  names.insert(names.end(), failed_entry_names().begin(), failed_entry_names().end());
  names.push_back(unreadable);
  names.push_back(other_reasons);
  return names;
}

std::optional<std::uint32_t> parse_reason_number(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  text.remove_prefix(hexadecimal ? 2 : 0);
  std::uint32_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

bool matches_reason(const std::string& wanted, Isa isa, std::uint32_t code) {
  if (const auto number = parse_reason_number(wanted)) {
    const bool failed = is_failed_entry(isa, code);
    return *number == code || (failed && *number == (code & ~ISOSCOPE_REASON_FAILED_ENTRY));
  }
  const auto matches = [&wanted](const std::string& name) {
    return ::fnmatch(wanted.c_str(), name.c_str(), FNM_CASEFOLD) == 0;
  };
  return matches(basic_name(isa, code)) || matches(reason_name(isa, code));
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
