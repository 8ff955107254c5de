// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aggregate/histogram.h"

namespace isoscope::sink {

// `2024-05-01T10:00:00.123456789Z` from ns since the Unix epoch.
std::string rfc3339(std::uint64_t wall_ns);

// `10:00:00.123` in the local time zone; without milliseconds for headings.
std::string time_of_day(std::uint64_t wall_ns, bool with_ms);

// Three significant digits and a unit that keeps them readable: `59 ns`, `1.24 us`, `12.4 ms`, `999 s`. From
// 1000 s on `16 m 40 s`, then `2 h 46 m`.
std::string human_duration(double ns);

// `12,345`; from a thousand million on SI: `1.23 G`.
std::string human_count(std::uint64_t count);

// `12.4 MiB`, three significant digits; whole bytes below one KiB.
std::string human_bytes(std::uint64_t bytes);

// `71.2 %`, `<0.1 %` for what would round to nothing, `-` if there is no whole.
std::string human_share(double part, double whole);

// Printable and at most `width` columns wide, cut with an ellipsis; padded on the right to exactly `width` if
// `pad`. Characters that terminals show two columns wide count as two.
std::string fit(std::string_view bytes, std::size_t width, bool pad = true);

// False if only the count and the sum are known: no minimum, maximum or percentile.
bool has_distribution(const aggregate::DurationStats& stats);

}  // namespace isoscope::sink
