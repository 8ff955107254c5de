// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "aggregate/classic_histogram.h"

namespace isoscope::sink {

// Metrics in Prometheus' text format 0.0.4, families in the order in which they are begun. One without a
// series is left out.
class Exposition {
 public:
  enum class Type { counter, gauge, histogram };
  using Labels = std::vector<std::pair<std::string, std::string>>;

  // `name` and `help` outlive the next begin(), and have neither line ends nor backslashes in them.
  void begin(Type type, const char* name, const char* help);
  void add(const Labels& labels, double value);
  // Durations in seconds.
  void add(const Labels& labels, const aggregate::ClassicHistogram& histogram);

  std::string take() { return std::move(text_); }

 private:
  void head();
  void line(const char* suffix, const Labels& labels, double value);

  std::string text_;
  Type type_ = Type::counter;
  const char* name_ = "";
  const char* help_ = nullptr;  // nullptr: the head is there already
};

}  // namespace isoscope::sink
