// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "sink/sink.h"
#include "sink/table_style.h"

namespace isoscope::sink {

// For people: a block of tables per window, a line per streamed record, a summary at the end.
class TableSink final : public Sink {
 public:
  TableSink(OutputFile output, const base::WallClock& clock, const Settings& settings, bool color);

  bool shows_sums() const override { return true; }

 private:
  void format(const Report& report) override;
  void format_summary(const aggregate::Snapshot& summary) override;

  void add(const aggregate::Snapshot& window);
  void add(const VmExitReport& report);
  void add(const SwitchReport& report);
  void add(const UnitReport& report);
  void add(const CgroupReport& report);
  void add(const policy::Crossing& crossing);
  void add(const policy::Access& access);
  void add(const policy::Breach& breach);
  void add(const policy::Violation& violation);

  void add_line(std::uint64_t mono_ns, const std::string& what);

  TableStyle style_;
};

}  // namespace isoscope::sink
