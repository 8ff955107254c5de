// SPDX-License-Identifier: Apache-2.0
#include "sink/sink.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "sink/metrics_server.h"
#include "sink/ndjson.h"
#include "sink/otlp.h"
#include "sink/prom.h"
#include "sink/table.h"

namespace isoscope::sink {

namespace {

constexpr std::size_t enough_to_write = std::size_t{64} << 10;

bool may_wait(const Report& report) {
  return std::holds_alternative<VmExitReport>(report) || std::holds_alternative<SwitchReport>(report) ||
         std::holds_alternative<CgroupReport>(report);
}

bool use_color(config::ColorMode mode, const OutputFile& output) {
  return mode == config::ColorMode::always || (mode == config::ColorMode::automatic && output.is_terminal());
}

}  // namespace

void Sink::take(const Report& report) {
  if (const auto* violation = std::get_if<policy::Violation>(&report)) {
    violations_.add(*violation);
  }
  format(report);
  if (!may_wait(report) || text_.size() >= enough_to_write) {
    flush();
  }
}

void Sink::finish(const aggregate::Snapshot& summary) {
  format_summary(summary);
  flush();
}

void Sink::flush() {
  output_.write(text_);
  text_.clear();
  output_.tidy();
}

base::Result<OutputFile> open_output(const config::Output& output) {
  return output.format == config::Format::prom ? OutputFile::create_replaced(output.path)
                                               : OutputFile::create(output.path, output.rotate);
}

base::Result<OutputFile> open_listener(const std::string& address) {
  auto server = MetricsServer::create(address);
  if (!server) {
    return server.error();
  }
  const std::shared_ptr<MetricsServer> shared = std::move(*server);
  return OutputFile::create_published(shared->address(),
                                      [shared](std::string_view text) { shared->publish(text); });
}

std::unique_ptr<Sink> make_sink(std::optional<config::Format> format, OutputFile output,
                                const base::WallClock& clock, const Settings& settings) {
  const config::Format usual = output.is_terminal() ? config::Format::table : config::Format::ndjson;
  switch (format.value_or(usual)) {
    case config::Format::table: {
      const bool color = use_color(settings.color, output);
      return std::make_unique<TableSink>(std::move(output), clock, settings, color);
    }
    case config::Format::prom:
      return std::make_unique<PromSink>(std::move(output), clock, settings);
    case config::Format::otlp:
      return std::make_unique<OtlpSink>(std::move(output), clock, settings, OtlpSink::Signals::both);
    case config::Format::otlp_logs:
      return std::make_unique<OtlpSink>(std::move(output), clock, settings, OtlpSink::Signals::logs);
    case config::Format::otlp_metrics:
      return std::make_unique<OtlpSink>(std::move(output), clock, settings, OtlpSink::Signals::metrics);
    case config::Format::ndjson:
      break;
  }
  return std::make_unique<NdjsonSink>(std::move(output), clock, settings.host);
}

base::Result<std::vector<OutputFile>> open_outputs(const std::vector<config::Output>& outputs,
                                                   const std::string& listen) {
  std::vector<OutputFile> files;
  for (const config::Output& output : outputs) {
    auto file = open_output(output);
    if (!file) {
      return file.error();
    }
    const auto same = std::find_if(files.begin(), files.end(),
                                   [&](const OutputFile& other) { return file->is_same_file(other); });
    if (same != files.end()) {
      const std::string& first = outputs[static_cast<std::size_t>(same - files.begin())].path;
      return base::Error{base::ErrorKind::usage,
                         fmt::format("two outputs, {} and {}, are the same file", base::printable(first),
                                     base::printable(output.path))};
    }
    files.push_back(std::move(*file));
  }
  if (!listen.empty()) {
    auto listener = open_listener(listen);
    if (!listener) {
      return listener.error();
    }
    base::log::verbose("metrics are served at {}", listener->path());
    files.push_back(std::move(*listener));
  }
  return files;
}

}  // namespace isoscope::sink
