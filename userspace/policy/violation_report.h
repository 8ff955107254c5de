// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "policy/violation.h"

namespace isoscope::policy {

// By severity, as the enum counts.
using Tally = std::array<std::uint64_t, 4>;

// The violations of a run: how many by severity, unit and policy, and the most recent. Those that were
// suppressed count; records that only audit are a number of their own.
class ViolationReport {
 public:
  static constexpr std::size_t recent_kept = 10;
  // A host whose containers come and go must not make us grow; what is beyond is tallied together.
  static constexpr std::size_t rows_kept = 200;
  using UnitKey = std::pair<std::string, std::string>;  // kind and id

  struct UnitRow {
    identity::UnitRef unit;
    Tally tally{};
  };

  void add(const Violation& violation);

  bool empty() const { return total() == 0; }
  std::uint64_t total() const;
  const Tally& by_severity() const { return by_severity_; }
  const std::map<UnitKey, UnitRow>& by_unit() const { return by_unit_; }
  const Tally& other_units() const { return other_units_; }
  const std::map<std::string, Tally>& by_policy() const { return by_policy_; }
  const std::deque<Violation>& recent() const { return recent_; }  // the oldest first
  std::uint64_t suppressed() const { return suppressed_; }
  std::uint64_t audited() const { return audited_; }

 private:
  Tally by_severity_{};
  std::map<UnitKey, UnitRow> by_unit_;
  Tally other_units_{};
  std::map<std::string, Tally> by_policy_;
  std::deque<Violation> recent_;
  std::uint64_t suppressed_ = 0;
  std::uint64_t audited_ = 0;
};

}  // namespace isoscope::policy
