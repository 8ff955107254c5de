// SPDX-License-Identifier: Apache-2.0
#include "kernel/tracepoint_format.h"

#include <charconv>
#include <string>

namespace isoscope::kernel {

namespace {

// Offset of a 4-byte field, from a line like `\tfield:unsigned int
// exit_reason;\toffset:8;\tsize:4;\tsigned:0;`.
std::optional<std::uint32_t> offset_of(std::string_view text, std::string_view field) {
  const std::string declared = " " + std::string(field) + ";";
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.find(declared) == std::string_view::npos || line.find("size:4;") == std::string_view::npos) {
      continue;
    }
    constexpr std::string_view label = "offset:";
    const std::size_t at = line.find(label);
    if (at == std::string_view::npos) {
      return std::nullopt;
    }
    std::uint32_t offset = 0;
    const char* const first = line.data() + at + label.size();
    const auto [rest, error] = std::from_chars(first, line.data() + line.size(), offset);
    return error == std::errc{} ? std::optional(offset) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<ClassicKvmExit> parse_kvm_exit_format(std::string_view text) {
  const auto reason = offset_of(text, "exit_reason");
  const auto vcpu = offset_of(text, "vcpu_id");
  const auto isa = offset_of(text, "isa");
  if (!reason || !vcpu || !isa) {
    return std::nullopt;
  }
  return ClassicKvmExit{*reason, *vcpu, *isa};
}

}  // namespace isoscope::kernel
