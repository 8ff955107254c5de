// SPDX-License-Identifier: Apache-2.0
#include "sink/table.h"

#include <fmt/format.h>

#include "sink/table_lines.h"
#include "sink/table_resources.h"
#include "sink/table_sections.h"
#include "sink/text.h"

namespace isoscope::sink {

namespace {

constexpr std::size_t recent_kept = 10;
// A host whose containers come and go must not make us grow; what is beyond is tallied together.
constexpr std::size_t units_tallied = 200;
constexpr std::size_t unit_width = 56;

}  // namespace

TableSink::TableSink(OutputFile output, const base::WallClock& clock, const Settings& settings, bool color)
    : Sink(std::move(output), clock), style_{color, settings.top, settings.sort, settings.filtered} {}

void TableSink::format(const Report& report) {
  std::visit([this](const auto& one) { add(one); }, report);
}

void TableSink::format_summary(const aggregate::Snapshot& summary) {
  const double span_ns = static_cast<double>(summary.end_mono_ns - summary.start_mono_ns);
  text() += fmt::format(
      "\n{}\n",
      style_.bold(fmt::format("summary  {} to {}, {}", time_of_day(wall_ns(summary.start_mono_ns), false),
                              time_of_day(wall_ns(summary.end_mono_ns), false), human_duration(span_ns))));
  append_vms(summary, style_, text());
  text() += "\n";
  append_units(summary, style_, text());
  text() += "\n";
  append_resources(summary, style_, text());
  text() += "\n";
  add_violations();
  append_ledger(summary, style_, text());
}

void TableSink::add(const aggregate::Snapshot& window) {
  const double span_ns = static_cast<double>(window.end_mono_ns - window.start_mono_ns);
  text() += fmt::format(
      "\n{}\n", style_.bold(fmt::format("{}  window {}, {}", time_of_day(wall_ns(window.end_mono_ns), false),
                                        window.window, human_duration(span_ns))));
  append_vms(window, style_, text());
  text() += "\n";
  append_units(window, style_, text());
  text() += "\n";
  append_resources(window, style_, text());
  text() += "\n";
  append_ledger(window, style_, text());
  text() += "\n";
}

void TableSink::add(const VmExitReport& report) {
  add_line(report.meta.ts_ns, describe(report));
}

void TableSink::add(const SwitchReport& report) {
  add_line(report.meta.ts_ns, describe(report));
}

void TableSink::add(const UnitReport& report) {
  add_line(report.ts_mono_ns, describe(report));
}

void TableSink::add(const CgroupReport& report) {
  add_line(report.meta.ts_ns, describe(report));
}

void TableSink::add(const policy::Crossing& crossing) {
  add_line(crossing.ts_mono_ns, describe(crossing));
}

void TableSink::add(const policy::Violation& violation) {
  const std::string what = describe(violation);
  add_line(violation.crossing.ts_mono_ns, style_.alarm("VIOLATION  " + what));

  const auto severity = static_cast<std::size_t>(violation.severity);
  ++violations_[severity];
  std::string unit = unit_label(violation.crossing.from);
  if (violations_by_unit_.size() >= units_tallied && !violations_by_unit_.contains(unit)) {
    unit = "other units";
  }
  ++violations_by_unit_[unit][severity];
  recent_violations_.push_back(time_of_day(wall_ns(violation.crossing.ts_mono_ns), true) + "  " + what);
  if (recent_violations_.size() > recent_kept) {
    recent_violations_.pop_front();
  }
}

void TableSink::add_line(std::uint64_t mono_ns, const std::string& what) {
  text() += fmt::format("{}  {}\n", style_.dim(time_of_day(wall_ns(mono_ns), true)), what);
}

// `2 critical, 1 low`; empty if there are none.
std::string TableSink::tally_text(const Tally& tally) const {
  std::string text;
  for (std::size_t i = tally.size(); i-- > 0;) {
    if (tally[i] > 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", human_count(tally[i]),
                          policy::to_string(static_cast<policy::Severity>(i)));
    }
  }
  return text;
}

void TableSink::add_violations() {
  const std::string total = tally_text(violations_);
  if (total.empty()) {
    text() += "no violations\n";
    return;
  }
  text() += style_.alarm(fmt::format("VIOLATIONS  {}", total)) + "\n";
  for (const auto& [unit, tally] : violations_by_unit_) {
    text() += fmt::format("  {}  {}\n", fit(unit, unit_width), tally_text(tally));
  }
  text() += "  most recent:\n";
  for (const std::string& line : recent_violations_) {
    text() += fmt::format("  {}\n", line);
  }
}

}  // namespace isoscope::sink
