// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sink/json.h"
#include "sink/sink.h"

namespace isoscope::sink {

inline constexpr std::string_view record_schema = "isoscope.v1";

// One JSON object per line, schema `isoscope.v1`. Members are only ever added.
class NdjsonSink final : public Sink {
 public:
  NdjsonSink(OutputFile output, const base::WallClock& clock, const Host& host);

 private:
  void format(const Report& report) override;
  void format_summary(const aggregate::Snapshot& summary) override;

  void add(const aggregate::Snapshot& window);
  void add(const aggregate::Snapshot& window, const aggregate::SchedRow& row);
  void add(const VmExitReport& report);
  void add(const SwitchReport& report);
  void add(const UnitReport& report);
  void add(const CgroupReport& report);
  void add(const policy::Crossing& crossing);
  void add(const policy::Access& access);
  void add(const policy::Breach& breach);
  void add(const policy::Violation& violation);
  void add_violations(const aggregate::Snapshot& summary);
  void add_invariants(const aggregate::Snapshot& window, bool final_one);
  void add_ledger(const aggregate::Snapshot& window, bool final_one);

  // One line: what every record has, then what `members` adds to the object.
  template <typename Members>
  void line(const char* type, std::uint64_t mono_ns, Members members);

  Json json_;
  std::string host_json_;
  std::uint64_t next_seq_ = 0;
};

}  // namespace isoscope::sink
