// SPDX-License-Identifier: Apache-2.0
#include "policy/violation_report.h"

#include <numeric>

namespace isoscope::policy {

void ViolationReport::add(const Violation& violation) {
  const std::uint64_t count = violation.suppressed + 1;
  if (violation.effect != Effect::deny) {
    audited_ += count;
    return;
  }
  const auto severity = static_cast<std::size_t>(violation.severity);
  by_severity_[severity] += count;
  suppressed_ += violation.suppressed;
  // Policies are those of files: few, and named by root.
  by_policy_[violation.policy][severity] += count;
  const identity::UnitRef& unit = violation.incident().from;
  const UnitKey key{identity::to_string(unit.kind), unit.id};
  if (by_unit_.size() < rows_kept || by_unit_.contains(key)) {
    UnitRow& row = by_unit_[key];
    row.unit = unit;  // its name may have become known meanwhile
    row.tally[severity] += count;
  } else {
    other_units_[severity] += count;
  }
  recent_.push_back(violation);
  if (recent_.size() > recent_kept) {
    recent_.pop_front();
  }
}

std::uint64_t ViolationReport::total() const {
  return std::accumulate(by_severity_.begin(), by_severity_.end(), std::uint64_t{0});
}

}  // namespace isoscope::policy
