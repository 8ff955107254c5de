// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.h"

namespace isoscope::sink {

// How tables look. Text is padded before it is coloured: escape sequences have no width.
struct TableStyle {
  bool color = false;
  std::uint32_t top = 10;  // rows per section; 0: all
  config::SortKey sort = config::SortKey::time;
  bool filtered = false;  // by the user: an empty section does not mean that nothing happened

  std::string bold(std::string_view text) const { return painted("1", text); }
  std::string dim(std::string_view text) const { return painted("2", text); }
  std::string alarm(std::string_view text) const { return painted("1;31", text); }

  // The line of a section without rows.
  std::string none(std::string_view what) const {
    return dim("no " + std::string(what) + (filtered ? " that the filters let through" : ""));
  }

  // Of `rows` rows, how many are shown.
  std::size_t shown(std::size_t rows) const { return top == 0 || rows <= top ? rows : top; }

 private:
  // Line by line: a pager shows each on its own.
  std::string painted(std::string_view code, std::string_view text) const {
    if (!color) {
      return std::string(text);
    }
    const std::string begin = "\x1b[" + std::string(code) + "m";
    std::string out = begin;
    for (const char byte : text) {
      out += byte == '\n' ? "\x1b[0m\n" + begin : std::string(1, byte);
    }
    return out + "\x1b[0m";
  }
};

}  // namespace isoscope::sink
