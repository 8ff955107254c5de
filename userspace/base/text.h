// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace isoscope::base {

// What stands in for a byte that belongs to no well-formed UTF-8 sequence: U+FFFD.
inline constexpr char32_t replacement_character = 0xfffd;

// Takes one character off the front of `bytes`, which must not be empty. A byte that starts no well-formed
// sequence (Unicode 15, table 3-7: no overlong forms, no surrogates) is taken alone and gives U+FFFD.
char32_t take_character(std::string_view& bytes);

void append_utf8(char32_t character, std::string& out);

// True for what would do something to a terminal instead of showing: C0, DEL, C1, line and paragraph
// separators, and the invisible characters that reorder or hide text around them.
bool is_control(char32_t character);

// `bytes` as valid UTF-8 in which each control character is a `?`: names come from processes that may be
// hostile, and an escape sequence must not reach the terminal of whoever reads about them.
std::string printable(std::string_view bytes);

}  // namespace isoscope::base
