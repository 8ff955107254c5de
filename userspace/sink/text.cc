// SPDX-License-Identifier: Apache-2.0
#include "sink/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/text.h"

namespace isoscope::sink {

namespace {

constexpr std::uint64_t ns_per_second = 1'000'000'000;
constexpr char32_t ellipsis = 0x2026;

struct Span {
  char32_t first;
  char32_t last;
};

// East Asian wide and fullwidth, and emoji: coarse, as the C library's own tables need a locale.
constexpr Span wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},  {0xac00, 0xd7a3},
                         {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},  {0xffe0, 0xffe6},
                         {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

std::size_t columns(char32_t character) {
  const bool is_wide = std::any_of(std::begin(wide), std::end(wide), [&](const Span& span) {
    return character >= span.first && character <= span.last;
  });
  return is_wide ? 2 : 1;
}

// Three significant digits of a value below 1000.
std::string three_digits(double value) {
  return value < 9.995   ? fmt::format("{:.2f}", value)
         : value < 99.95 ? fmt::format("{:.1f}", value)
                         : fmt::format("{:.0f}", value);
}

}  // namespace

std::string rfc3339(std::uint64_t wall_ns) {
  const auto seconds = static_cast<std::time_t>(wall_ns / ns_per_second);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, wall_ns % ns_per_second);
}

std::string time_of_day(std::uint64_t wall_ns, bool with_ms) {
  const auto seconds = static_cast<std::time_t>(wall_ns / ns_per_second);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::string text = fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
  if (with_ms) {
    text += fmt::format(".{:03}", wall_ns % ns_per_second / 1'000'000);
  }
  return text;
}

std::string human_duration(double ns) {
  if (ns < 999.5) {
    return fmt::format("{:.0f} ns", ns);
  }
  constexpr std::pair<double, const char*> units[] = {{1e3, "us"}, {1e6, "ms"}, {1e9, "s"}};
  for (const auto& [size, name] : units) {
    if (ns / size < 999.5) {
      return fmt::format("{} {}", three_digits(ns / size), name);
    }
  }
  const auto seconds = static_cast<std::uint64_t>(std::llround(ns / 1e9));
  if (seconds < 3600) {
    return fmt::format("{} m {} s", seconds / 60, seconds % 60);
  }
  return fmt::format("{} h {} m", seconds / 3600, seconds % 3600 / 60);
}

std::string human_count(std::uint64_t count) {
  if (count < 1'000'000'000) {
    std::string digits = fmt::format("{}", count);
    for (std::size_t place = digits.size(); place > 3; place -= 3) {
      digits.insert(place - 3, ",");
    }
    return digits;
  }
  const double value = static_cast<double>(count);
  constexpr std::pair<double, char> units[] = {{1e9, 'G'}, {1e12, 'T'}, {1e15, 'P'}};
  for (const auto& [size, name] : units) {
    if (value / size < 999.5) {
      return fmt::format("{} {}", three_digits(value / size), name);
    }
  }
  return fmt::format("{:.3g} E", value / 1e18);
}

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) {
    return fmt::format("{} B", bytes);
  }
  double value = static_cast<double>(bytes) / 1024;
  constexpr const char* units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  for (const char* const unit : units) {
    if (value < 999.5) {
      return fmt::format("{} {}", three_digits(value), unit);
    }
    value /= 1024;
  }
  return fmt::format("{:.3g} EiB", value);
}

std::string human_share(double part, double whole) {
  if (whole <= 0) {
    return "-";
  }
  const double percent = 100 * part / whole;
  if (percent > 0 && percent < 0.05) {
    return "<0.1 %";
  }
  return fmt::format("{:.1f} %", percent);
}

std::string fit(std::string_view bytes, std::size_t width, bool pad) {
  const std::string safe = base::printable(bytes);
  std::string out;
  std::size_t used = 0;
  std::size_t before_last = 0;  // length of `out` when one column was still free for the ellipsis
  std::size_t used_before_last = 0;
  for (std::string_view rest = safe; !rest.empty();) {
    const char32_t character = base::take_character(rest);
    if (used + 1 <= width) {
      before_last = out.size();
      used_before_last = used;
    }
    if (used + columns(character) > width) {
      out.resize(before_last);
      used = used_before_last;
      if (width > 0) {
        base::append_utf8(ellipsis, out);
        ++used;
      }
      break;
    }
    base::append_utf8(character, out);
    used += columns(character);
  }
  if (pad && used < width) {
    out.append(width - used, ' ');
  }
  return out;
}

bool has_distribution(const aggregate::DurationStats& stats) {
  return std::any_of(stats.buckets.begin(), stats.buckets.end(),
                     [](std::uint64_t count) { return count != 0; });
}

}  // namespace isoscope::sink
