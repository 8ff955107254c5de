// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "policy/violation_report.h"
#include "sink/table_style.h"

namespace isoscope::sink {

// The violations of a run: by severity, by unit, by policy if there are several, and the most recent with
// their times as `time_of` writes them.
void append_violations(const policy::ViolationReport& report,
                       const std::function<std::string(std::uint64_t)>& time_of, const TableStyle& style,
                       std::string& out);

}  // namespace isoscope::sink
