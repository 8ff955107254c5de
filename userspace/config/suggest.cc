// SPDX-License-Identifier: Apache-2.0
#include "config/suggest.h"

#include <algorithm>

namespace isoscope::config {

namespace {

// Nothing we know is longer; a word that is would only cost time (the distance is quadratic).
constexpr std::size_t longest_word = 64;

}  // namespace

std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before_last(to.size() + 1);
  std::vector<std::size_t> last(to.size() + 1);
  std::vector<std::size_t> current(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) {
    last[j] = j;
  }
  for (std::size_t i = 1; i <= from.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        current[j] = std::min(current[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, current);
  }
  return last[to.size()];
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (word.size() > longest_word) {
    return {};
  }
  if (word.size() >= 3) {
    for (const std::string_view candidate : candidates) {
      if (candidate.starts_with(word)) {
        return candidate;
      }
    }
  }
  std::string_view best;
  std::size_t limit = std::max<std::size_t>(1, word.size() / 3);
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    // A word of one letter is one edit away from every other.
    if (distance < word.size() && (distance < limit || (best.empty() && distance == limit))) {
      best = candidate;
      limit = distance;
    }
  }
  return best;
}

std::string join_choices(const std::vector<std::string_view>& choices) {
  std::string text;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    text += i > 0 ? ", " : "";
    text += choices[i];
  }
  return text;
}

}  // namespace isoscope::config
