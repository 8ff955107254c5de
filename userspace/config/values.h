// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace isoscope::config {

// The values that options take, as people write them. An Error's message says what is wrong and what is
// right, to stand after the option and the value: `needs a unit: ...`. Its kind is usage; readers of files
// change it.

// A decimal number and a unit without space between: ns, us, ms, s, m or h. More than 0; what is below one
// nanosecond is cut off.
base::Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// Bytes: a whole number, alone or with K, M or G (powers of 1024), also written KiB, MiB, GiB.
base::Result<std::uint64_t> parse_size(std::string_view text);

// A whole decimal number from `least` to `most`.
base::Result<std::uint32_t> parse_number(std::string_view text, std::uint32_t least, std::uint32_t most);

// `12.5%`, above 0 and up to 100: as a share of 1.
base::Result<double> parse_share(std::string_view text);

// `3`, or `0-3` with both ends.
base::Result<VcpuRange> parse_vcpus(std::string_view text);

// Where metrics are served: to this host alone.
struct Listen {
  std::string host;  // 127.0.0.1 or ::1
  std::uint16_t port = 0;
  std::string path;  // of a unix socket; empty: host and port
};

// `127.0.0.1:PORT`, `[::1]:PORT` or `unix:PATH`, the path from the root. Port 0: one that is free.
base::Result<Listen> parse_listen(std::string_view text);

// Whether `text` is the name of an exit reason in upper or lower case, a glob that matches one, or a number:
// decimal, or hexadecimal behind `0x`. Otherwise the error has the nearest name.
base::Result<base::Ok> check_reason(std::string_view text, const std::vector<std::string_view>& names);

base::Error value_error(std::string message);

// `is not one of table, ndjson; did you mean ndjson?`
base::Error choice_error(std::string_view text, const std::vector<std::string_view>& choices);

template <typename T>
base::Result<T> parse_choice(std::string_view text,
                             const std::vector<std::pair<std::string_view, T>>& choices) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : choices) {
    if (text == name) {
      return value;
    }
    names.push_back(name);
  }
  return choice_error(text, names);
}

}  // namespace isoscope::config
