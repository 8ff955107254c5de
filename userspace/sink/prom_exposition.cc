// SPDX-License-Identifier: Apache-2.0
#include "sink/prom_exposition.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>

namespace isoscope::sink {

namespace {

const char* word_of(Exposition::Type type) {
  switch (type) {
    case Exposition::Type::counter:
      return "counter";
    case Exposition::Type::gauge:
      return "gauge";
    case Exposition::Type::histogram:
      break;
  }
  return "histogram";
}

// 16 digits: counts are exact up to 2^53.
std::string number_text(double value) {
  return std::isinf(value) ? (value > 0 ? "+Inf" : "-Inf") : fmt::format("{:.16g}", value);
}

void append_escaped(std::string_view value, std::string& out) {
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') {
      out += '\\';
    }
    out += c;
  }
}

}  // namespace

void Exposition::begin(Type type, const char* name, const char* help) {
  type_ = type;
  name_ = name;
  help_ = help;
}

void Exposition::head() {
  if (help_ != nullptr) {
    fmt::format_to(std::back_inserter(text_), "# HELP {0} {1}\n# TYPE {0} {2}\n", name_, help_,
                   word_of(type_));
    help_ = nullptr;
  }
}

void Exposition::line(const char* suffix, const Labels& labels, double value) {
  text_ += name_;
  text_ += suffix;
  char before = '{';
  for (const auto& [name, text] : labels) {
    text_ += before;
    text_ += name;
    text_ += "=\"";
    append_escaped(text, text_);
    text_ += '"';
    before = ',';
  }
  text_ += labels.empty() ? " " : "} ";
  text_ += number_text(value);
  text_ += '\n';
}

void Exposition::add(const Labels& labels, double value) {
  head();
  line("", labels, value);
}

void Exposition::add(const Labels& labels, const aggregate::ClassicHistogram& histogram) {
  head();
  line("_count", labels, static_cast<double>(histogram.count));
  line("_sum", labels, static_cast<double>(histogram.sum_ns) / 1e9);
  Labels with_bound = labels;
  with_bound.emplace_back("le", "");
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < histogram.buckets.size(); ++i) {
    below += histogram.buckets[i];
    with_bound.back().second = number_text(aggregate::classic_bound_seconds(i));
    line("_bucket", with_bound, static_cast<double>(below));
  }
  with_bound.back().second = number_text(std::numeric_limits<double>::infinity());
  line("_bucket", with_bound, static_cast<double>(histogram.count));
}

}  // namespace isoscope::sink
