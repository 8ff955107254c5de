// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "policy/violation_report.h"
#include "sink/output.h"
#include "sink/report.h"

namespace isoscope::sink {

struct Settings {
  Host host;
  std::uint32_t top = 10;  // rows per table section; 0: all
  config::SortKey sort = config::SortKey::time;
  config::ColorMode color = config::ColorMode::automatic;
  bool filtered = false;  // reports are missing that nobody asked for
  // Of prom.
  std::uint32_t series = 5000;
  std::string version;                // of the program
  std::uint64_t started_wall_ns = 0;  // and when it began to count
};

// Turns reports into text of one format on one output.
class Sink {
 public:
  virtual ~Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // Windows, units, crossings and violations are written at once; streamed exits, switches and cgroup records
  // wait for the next of those, for flush(), or for the buffer to fill.
  void take(const Report& report);
  // The end of the run: `summary` is the snapshot of all of it. Nothing may be taken after it.
  void finish(const aggregate::Snapshot& summary);
  // Writes what waits. To be called when the rings have been drained, so that streams are live.
  void flush();

  // Whether finish() shows more of the summary than its ledger.
  virtual bool shows_sums() const { return false; }

  OutputFile& output() { return output_; }
  const OutputFile& output() const { return output_; }

 protected:
  Sink(OutputFile output, const base::WallClock& clock) : output_(std::move(output)), clock_(clock) {}

  // Append whole lines to text().
  virtual void format(const Report& report) = 0;
  virtual void format_summary(const aggregate::Snapshot& summary) = 0;

  std::string& text() { return text_; }
  std::uint64_t wall_ns(std::uint64_t mono_ns) const { return clock_.wall_ns(mono_ns); }
  // Of all that was taken.
  const policy::ViolationReport& violations() const { return violations_; }

 private:
  OutputFile output_;
  const base::WallClock& clock_;
  std::string text_;
  policy::ViolationReport violations_;
};

// Opens what a sink of this output writes to.
base::Result<OutputFile> open_output(const config::Output& output);

// What a sink of prom writes to that is served over HTTP; its path is the address. As metrics_server.h has
// it.
base::Result<OutputFile> open_listener(const std::string& address);

// All of a run: those of `outputs`, then the listener, unless `listen` is empty. Error: usage, if two of them
// would write to one file, by whatever names: they would cut each other's lines.
base::Result<std::vector<OutputFile>> open_outputs(const std::vector<config::Output>& outputs,
                                                   const std::string& listen);

// `clock` is borrowed for the life of the sink. No format: table on a terminal, ndjson elsewhere.
std::unique_ptr<Sink> make_sink(std::optional<config::Format> format, OutputFile output,
                                const base::WallClock& clock, const Settings& settings);

}  // namespace isoscope::sink
