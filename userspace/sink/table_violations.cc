// SPDX-License-Identifier: Apache-2.0
#include "sink/table_violations.h"

#include <fmt/format.h>

#include <string_view>

#include "sink/table_lines.h"
#include "sink/text.h"

namespace isoscope::sink {

namespace {

constexpr std::size_t label_width = 56;

// `2 critical, 1 low`; empty if there are none.
std::string tally_text(const policy::Tally& tally) {
  std::string text;
  for (std::size_t i = tally.size(); i-- > 0;) {
    if (tally[i] > 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", human_count(tally[i]),
                          policy::to_string(static_cast<policy::Severity>(i)));
    }
  }
  return text;
}

std::string row(std::string_view label, const policy::Tally& tally) {
  return fmt::format("  {}  {}\n", fit(label, label_width), tally_text(tally));
}

}  // namespace

void append_violations(const policy::ViolationReport& report,
                       const std::function<std::string(std::uint64_t)>& time_of, const TableStyle& style,
                       std::string& out) {
  const std::string audited =
      report.audited() == 0 ? "" : fmt::format("; {} audited", human_count(report.audited()));
  if (report.empty()) {
    out += fmt::format("no violations{}\n", audited);
    return;
  }
  out += style.alarm(fmt::format("VIOLATIONS  {}", tally_text(report.by_severity()))) + audited + "\n";
  for (const auto& [key, unit] : report.by_unit()) {
    out += row(unit_label(unit.unit), unit.tally);
  }
  if (const std::string others = tally_text(report.other_units()); !others.empty()) {
    out += row("other units", report.other_units());
  }
  if (report.by_policy().size() > 1) {
    out += "  by policy:\n";
    for (const auto& [policy, tally] : report.by_policy()) {
      out += row(policy, tally);
    }
  }
  out += "  most recent:\n";
  for (const policy::Violation& violation : report.recent()) {
    out += fmt::format("  {}  {}\n", time_of(violation.incident().ts_mono_ns), describe(violation));
  }
}

}  // namespace isoscope::sink
