// SPDX-License-Identifier: Apache-2.0
#include "config/values.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "config/suggest.h"

namespace isoscope::config {

namespace {

using base::Result;

constexpr std::string_view duration_forms =
    "a number with a unit (ns, us, ms, s, m or h), such as 500ms or 1.5s";

struct Digits {
  std::string_view whole;
  std::string_view fraction;
  std::string_view unit;
  bool has_point = false;
};

std::string_view take_digits(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  return digits;
}

Digits split(std::string_view text) {
  Digits parts;
  parts.whole = take_digits(text);
  if (text.starts_with('.')) {
    parts.has_point = true;
    text.remove_prefix(1);
    parts.fraction = take_digits(text);
  }
  parts.unit = text;
  return parts;
}

std::optional<std::int64_t> unit_ns(std::string_view unit) {
  constexpr std::pair<std::string_view, std::int64_t> units[] = {
      {"ns", 1},
      {"us", 1'000},
      {"ms", 1'000'000},
      {"s", 1'000'000'000},
      {"m", 60'000'000'000},
      {"h", 3'600'000'000'000},
  };
  for (const auto& [name, ns] : units) {
    if (unit == name) {
      return ns;
    }
  }
  return std::nullopt;
}

template <typename T>
bool to_number(std::string_view digits, T& value, int base = 10) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  return error == std::errc{} && end == digits.data() + digits.size();
}

// Names of reasons are ASCII.
std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

// The vendors have some names in common, which differ in their letters' case alone: one of them is enough.
std::string_view nearest_reason(std::string_view text, const std::vector<std::string_view>& names) {
  std::vector<std::string> folded(names.size());
  std::transform(names.begin(), names.end(), folded.begin(), lower);
  const std::string_view near = nearest(lower(text), {folded.begin(), folded.end()});
  const auto found = std::find(folded.begin(), folded.end(), near);
  return near.empty() || found == folded.end() ? std::string_view()
                                               : names[static_cast<std::size_t>(found - folded.begin())];
}

}  // namespace

base::Error value_error(std::string message) {
  return {base::ErrorKind::usage, std::move(message)};
}

base::Error choice_error(std::string_view text, const std::vector<std::string_view>& choices) {
  std::string message = fmt::format("is not one of {}", join_choices(choices));
  if (const std::string_view near = nearest(text, choices); !near.empty()) {
    message += fmt::format("; did you mean {}?", near);
  }
  return value_error(std::move(message));
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const Digits parts = split(text);
  if (parts.whole.empty() || (parts.has_point && parts.fraction.empty())) {
    return value_error(fmt::format("is not a duration: {}", duration_forms));
  }
  if (parts.unit.empty()) {
    return value_error(fmt::format("needs a unit: {0}ns, {0}us, {0}ms, {0}s, {0}m or {0}h", text));
  }
  const std::optional<std::int64_t> unit = unit_ns(parts.unit);
  if (!unit) {
    return value_error(fmt::format("is not a duration: {}", duration_forms));
  }
  std::int64_t whole = 0;
  std::int64_t total = 0;
  if (!to_number(parts.whole, whole) || __builtin_mul_overflow(whole, *unit, &total)) {
    return value_error("is too long: the limit is 292 years");
  }
  std::int64_t place = *unit;
  for (const char digit : parts.fraction) {
    place /= 10;
    if (__builtin_add_overflow(total, place * (digit - '0'), &total)) {
      return value_error("is too long: the limit is 292 years");
    }
  }
  if (total == 0) {
    return value_error("is too short: it must be 1ns or more");
  }
  return std::chrono::nanoseconds(total);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = text;
  const std::string_view digits = take_digits(rest);
  const std::size_t power = rest.empty() ? 0 : std::string_view("KMG").find(rest.front()) + 1;
  const bool has_suffix = rest.size() == 3 && rest.substr(1) == "iB";
  if (digits.empty() || (rest.size() > 1 && !has_suffix) || (!rest.empty() && power == 0)) {
    return value_error("is not a size: a whole number of bytes, or one with K, M or G, such as 4M");
  }
  std::uint64_t value = 0;
  std::uint64_t bytes = 0;
  if (!to_number(digits, value) || __builtin_mul_overflow(value, std::uint64_t{1} << (10 * power), &bytes)) {
    return value_error("is too large");
  }
  return bytes;
}

Result<std::uint32_t> parse_number(std::string_view text, std::uint32_t least, std::uint32_t most) {
  std::uint32_t value = 0;
  if (!to_number(text, value) || value < least || value > most) {
    return value_error(fmt::format("is not a whole number from {} to {}", least, most));
  }
  return value;
}

Result<Listen> parse_listen(std::string_view text) {
  constexpr std::string_view unix_prefix = "unix:";
  if (text.starts_with(unix_prefix)) {
    const std::string_view path = text.substr(unix_prefix.size());
    if (!path.starts_with('/')) {
      return value_error("needs a path from the root: unix:/run/isoscope.sock");
    }
    return Listen{"", 0, std::string(path)};
  }
  const std::size_t colon = text.rfind(':');
  const std::string_view host = text.substr(0, colon);
  if (colon == std::string_view::npos || (host != "127.0.0.1" && host != "[::1]")) {
    return value_error(
        "is not of this host alone: metrics name what runs here, and are served without encryption and "
        "without a password. Use 127.0.0.1:PORT, [::1]:PORT or unix:PATH, and a proxy before it");
  }
  constexpr std::uint32_t largest_port = 65'535;
  const Result<std::uint32_t> port = parse_number(text.substr(colon + 1), 0, largest_port);
  if (!port) {
    return value_error(fmt::format("has a port that {}", port.error().message));
  }
  return Listen{host == "[::1]" ? "::1" : std::string(host), static_cast<std::uint16_t>(*port), ""};
}

Result<double> parse_share(std::string_view text) {
  const Digits parts = split(text);
  // Digits alone: from_chars would take `inf` and `1e3`.
  const std::size_t length = parts.whole.size() + (parts.has_point ? 1 + parts.fraction.size() : 0);
  double percent = 0;
  if (parts.whole.empty() || (parts.has_point && parts.fraction.empty()) || parts.unit != "%") {
    return value_error("is not a share: a number with %, such as 10% or 2.5%");
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + length, percent);
  if (error != std::errc{} || percent <= 0 || percent > 100) {
    return value_error("is not a share: above 0% and at most 100%");
  }
  return percent / 100;
}

Result<VcpuRange> parse_vcpus(std::string_view text) {
  // KVM_MAX_VCPU_IDS of x86: four times KVM_MAX_NR_VCPUS, which is 4096 at most.
  constexpr std::uint32_t largest_id = 16'383;
  const std::size_t dash = std::min(text.find('-'), text.size());
  const bool is_range = dash < text.size();
  VcpuRange range;
  const bool is_number = to_number(text.substr(0, dash), range.first) &&
                         (!is_range || to_number(text.substr(dash + 1), range.last));
  range.last = is_range ? range.last : range.first;
  if (!is_number || range.first > largest_id || range.last > largest_id) {
    return value_error(
        fmt::format("is not a vCPU: a number from 0 to {}, or a range such as 0-3", largest_id));
  }
  if (range.last < range.first) {
    return value_error("ends before it begins");
  }
  return range;
}

Result<base::Ok> check_reason(std::string_view text, const std::vector<std::string_view>& names) {
  std::uint32_t number = 0;
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  if (to_number(text.substr(hexadecimal ? 2 : 0), number, hexadecimal ? 16 : 10)) {
    return base::Ok{};
  }
  const std::string pattern(text);
  if (std::any_of(names.begin(), names.end(), [&](std::string_view name) {
        return ::fnmatch(pattern.c_str(), std::string(name).c_str(), FNM_CASEFOLD) == 0;
      })) {
    return base::Ok{};
  }
  if (text.find_first_of("*?[") != std::string_view::npos) {
    return value_error("matches no exit reason");
  }
  const std::string_view near = nearest_reason(text, names);
  return value_error(
      near.empty() ? "is not an exit reason: a name as the kernel has it (npf, EPT_VIOLATION), or a number"
                   : fmt::format("is not an exit reason; did you mean {}?", near));
}

}  // namespace isoscope::config
