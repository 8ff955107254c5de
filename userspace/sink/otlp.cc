// SPDX-License-Identifier: Apache-2.0
#include "sink/otlp.h"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "sink/otlp_logs.h"
#include "sink/otlp_metrics.h"
#include "sink/table_lines.h"

namespace isoscope::sink {

namespace {

// The object around all of one kind: {"resourceX":[{"resource":..,"scopeX":[{"scope":..,"Xs":[ ]}]}]}.
struct Frame {
  const char* outer;
  const char* middle;
  const char* inner;
};
constexpr Frame logs_frame{"resourceLogs", "scopeLogs", "logRecords"};
constexpr Frame metrics_frame{"resourceMetrics", "scopeMetrics", "metrics"};

template <typename AddItems>
void write_frame(Json& json, const Frame& frame, const OtlpOrigin& origin, AddItems add_items) {
  JsonObject line(json);
  line.key(frame.outer);
  json.writer.StartArray();
  {
    JsonObject outer(json);
    outer.raw("resource", origin.resource);
    outer.key(frame.middle);
    json.writer.StartArray();
    {
      JsonObject middle(json);
      middle.raw("scope", origin.scope);
      middle.key(frame.inner);
      json.writer.StartArray();
      add_items();
      json.writer.EndArray();
    }
    json.writer.EndArray();
  }
  json.writer.EndArray();
}

std::uint64_t time_of(const VmExitReport& report) {
  return report.meta.ts_ns;
}
std::uint64_t time_of(const SwitchReport& report) {
  return report.meta.ts_ns;
}
std::uint64_t time_of(const CgroupReport& report) {
  return report.meta.ts_ns;
}
std::uint64_t time_of(const UnitReport& report) {
  return report.ts_mono_ns;
}
std::uint64_t time_of(const policy::Incident& incident) {
  return incident.ts_mono_ns;
}
std::uint64_t time_of(const policy::Violation& violation) {
  return violation.incident().ts_mono_ns;
}

std::string body_of(const policy::Violation& violation) {
  return violation.message;
}
// A table has the first word padded to a column.
template <typename Other>
std::string body_of(const Other& report) {
  std::string body = describe(report);
  const std::size_t pad = std::min(body.find(' '), body.size());
  body.erase(pad, std::min(body.find_first_not_of(' ', pad), body.size()) - pad);
  return pad < body.size() ? body.insert(pad, " ") : body;
}

}  // namespace

OtlpSink::OtlpSink(OutputFile output, const base::WallClock& clock, const Settings& settings, Signals signals)
    : Sink(std::move(output), clock),
      signals_(signals),
      origin_(otlp_origin(settings.host, settings.version)),
      records_(OutputFile::create_published("records", [this](std::string_view lines) { written_ += lines; }),
               clock, settings.host) {}

void OtlpSink::format(const Report& report) {
  std::visit(
      [this, &report](const auto& one) {
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, aggregate::Snapshot>) {
          if (signals_ != Signals::logs) {
            add_metrics(one);
          }
        } else if (signals_ != Signals::metrics) {
          records_.take(report);
          records_.flush();
          add_logs(time_of(one), body_of(one));
        }
      },
      report);
}

void OtlpSink::format_summary(const aggregate::Snapshot& summary) {
  if (signals_ != Signals::metrics) {
    records_.finish(summary);
    add_logs(summary.end_mono_ns, "");
  }
}

void OtlpSink::add_metrics(const aggregate::Snapshot& window) {
  const OtlpSpan span{wall_ns(window.start_mono_ns), wall_ns(window.end_mono_ns)};
  json_.clear();
  write_frame(json_, metrics_frame, origin_, [&] { write_otlp_metrics(json_, span, window); });
  text().append(json_.text());
  text().push_back('\n');
}

void OtlpSink::add_logs(std::uint64_t mono_ns, std::string_view body) {
  json_.clear();
  write_frame(json_, logs_frame, origin_, [&] {
    for (std::string_view rest = written_; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size() - 1);
      write_otlp_log(json_, rest.substr(0, end), wall_ns(mono_ns), body);
      rest.remove_prefix(end + 1);
    }
  });
  written_.clear();
  text().append(json_.text());
  text().push_back('\n');
}

}  // namespace isoscope::sink
