// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace isoscope::config {

// Edits that turn `from` into `to`: insert, delete, replace one character, or swap two neighbours (optimal
// string alignment distance).
std::size_t edit_distance(std::string_view from, std::string_view to);

// The candidate that was most likely meant: one that `word` begins (three characters or more), else the
// nearest within a third of the word's length (at least one edit). Empty if none is near; the first of
// equals.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// `a, b, c`
std::string join_choices(const std::vector<std::string_view>& choices);

}  // namespace isoscope::config
