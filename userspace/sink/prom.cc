// SPDX-License-Identifier: Apache-2.0
#include "sink/prom.h"

#include "base/clock.h"

namespace isoscope::sink {

PromSink::PromSink(OutputFile output, const base::WallClock& clock, const Settings& settings)
    : Sink(std::move(output), clock),
      series_(settings.series),
      program_{settings.version, settings.started_wall_ns} {}

void PromSink::format(const Report& report) {
  std::visit([this](const auto& one) { add(one); }, report);
}

void PromSink::add(const aggregate::Snapshot& window) {
  series_.add(window);
  totals_.add_ledger_of(window);
  text() = prom_text(series_, totals_.summary().ledger, program_);
}

}  // namespace isoscope::sink
