// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aggregate/totals.h"
#include "sink/prom_series.h"
#include "sink/prom_text.h"
#include "sink/sink.h"

namespace isoscope::sink {

// The text format of Prometheus: with each window all there is to say, in sums since the start of the run.
// Single events count and are not written.
class PromSink final : public Sink {
 public:
  PromSink(OutputFile output, const base::WallClock& clock, const Settings& settings);

 private:
  void format(const Report& report) override;
  void format_summary(const aggregate::Snapshot&) override {}  // the last window has said it all

  void add(const aggregate::Snapshot& window);
  void add(const UnitReport& report) { series_.add(report.unit); }
  void add(const policy::Crossing& crossing) { series_.add(crossing); }
  void add(const policy::Violation& violation) { series_.add(violation); }
  template <typename Other>
  void add(const Other&) {}

  PromSeries series_;
  aggregate::Totals totals_;
  PromProgram program_;
};

}  // namespace isoscope::sink
