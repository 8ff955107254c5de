// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sink/json.h"
#include "sink/ndjson.h"
#include "sink/otlp_json.h"
#include "sink/sink.h"

namespace isoscope::sink {

// OTLP/JSON, a line for each MetricsData or LogsData: windows are metrics, everything else is log records.
// Those are the records of ndjson in other words, so that what is told is told in one place.
class OtlpSink final : public Sink {
 public:
  // A file by the rules of OpenTelemetry has one kind of data; a collector picks what it wants from both.
  enum class Signals { both, logs, metrics };

  OtlpSink(OutputFile output, const base::WallClock& clock, const Settings& settings, Signals signals);

 private:
  void format(const Report& report) override;
  void format_summary(const aggregate::Snapshot& summary) override;

  void add_metrics(const aggregate::Snapshot& window);
  // What records_ has written, as one line.
  void add_logs(std::uint64_t mono_ns, std::string_view body);

  Signals signals_;
  OtlpOrigin origin_;
  Json json_;
  std::string written_;  // by records_
  NdjsonSink records_;
};

}  // namespace isoscope::sink
