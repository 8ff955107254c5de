// SPDX-License-Identifier: Apache-2.0
#include "kernel/tracepoint_format.h"

#include <charconv>
#include <string>

namespace isoscope::kernel {

namespace {

// Offset of a field of `bytes`, from a line like `\tfield:unsigned int
// exit_reason;\toffset:8;\tsize:4;\tsigned:0;`.
std::optional<std::uint32_t> offset_of(std::string_view text, std::string_view field, std::uint32_t bytes) {
  const std::string declared = " " + std::string(field) + ";";
  const std::string size = "size:" + std::to_string(bytes) + ";";
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.find(declared) == std::string_view::npos || line.find(size) == std::string_view::npos) {
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

std::optional<ClassicKvm> parse_kvm_formats(std::string_view exit, std::string_view wakeup) {
  const auto reason = offset_of(exit, "exit_reason", 4);
  const auto vcpu = offset_of(exit, "vcpu_id", 4);
  const auto isa = offset_of(exit, "isa", 4);
  const auto rip = offset_of(exit, "guest_rip", 8);
  const auto halt_ns = offset_of(wakeup, "ns", 8);
  if (!reason || !vcpu || !isa || !rip || !halt_ns) {
    return std::nullopt;
  }
  return ClassicKvm{*reason, *vcpu, *isa, *rip, *halt_ns};
}

}  // namespace isoscope::kernel
