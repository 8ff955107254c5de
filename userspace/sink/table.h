// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "sink/sink.h"
#include "sink/table_style.h"

namespace isoscope::sink {

// For people: a block of tables per window, a line per streamed record, a summary at the end.
class TableSink final : public Sink {
 public:
  TableSink(OutputFile output, const base::WallClock& clock, const Settings& settings, bool color);

 private:
  // By severity, as the enum counts.
  using Tally = std::array<std::uint64_t, 4>;

  void format(const Report& report) override;
  void format_summary(const aggregate::Snapshot& summary) override;

  void add(const aggregate::Snapshot& window);
  void add(const VmExitReport& report);
  void add(const SwitchReport& report);
  void add(const UnitReport& report);
  void add(const CgroupReport& report);
  void add(const policy::Crossing& crossing);
  void add(const policy::Violation& violation);

  void add_line(std::uint64_t mono_ns, const std::string& what);
  void add_violations();
  std::string tally_text(const Tally& tally) const;

  TableStyle style_;
  Tally violations_{};
  std::map<std::string, Tally> violations_by_unit_;
  std::deque<std::string> recent_violations_;
};

}  // namespace isoscope::sink
