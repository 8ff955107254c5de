// SPDX-License-Identifier: Apache-2.0
#include "sink/table.h"

#include <fmt/format.h>

#include "sink/table_invariants.h"
#include "sink/table_lines.h"
#include "sink/table_resources.h"
#include "sink/table_sections.h"
#include "sink/table_violations.h"
#include "sink/text.h"

namespace isoscope::sink {

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
  append_violations(
      violations(), [this](std::uint64_t mono_ns) { return time_of_day(wall_ns(mono_ns), true); }, style_,
      text());
  append_invariants(summary.invariants, style_, text());
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
  append_invariants(window.invariants, style_, text());
  append_ledger(window, style_, text());
  text() += "\n";
}

void TableSink::add(const VmExitReport& report) {
  add_line(report.meta.ts_ns, describe(report));
}

void TableSink::add(const SwitchReport& report) {
  add_line(report.meta.ts_ns, describe(report));
}

// Services come by the hundred when the agent starts, and have their rows.
void TableSink::add(const UnitReport& report) {
  if (report.unit.ref.kind == identity::UnitKind::service) {
    return;
  }
  add_line(report.ts_mono_ns, describe(report));
}

void TableSink::add(const CgroupReport& report) {
  add_line(report.meta.ts_ns, describe(report));
}

void TableSink::add(const policy::Crossing& crossing) {
  add_line(crossing.ts_mono_ns, describe(crossing));
}

void TableSink::add(const policy::Access& access) {
  add_line(access.ts_mono_ns, describe(access));
}

void TableSink::add(const policy::Breach& breach) {
  add_line(breach.ts_mono_ns, describe(breach));
}

void TableSink::add(const policy::Violation& violation) {
  std::string what = describe(violation);
  if (const std::string ancestors = describe(violation.incident().ancestry); !ancestors.empty()) {
    what += fmt::format(", started by {}", ancestors);
  }
  const bool denied = violation.effect == policy::Effect::deny;
  add_line(violation.incident().ts_mono_ns,
           denied ? style_.alarm("VIOLATION  " + what) : "audit      " + what);
}

void TableSink::add_line(std::uint64_t mono_ns, const std::string& what) {
  text() += fmt::format("{}  {}\n", style_.dim(time_of_day(wall_ns(mono_ns), true)), what);
}

}  // namespace isoscope::sink
