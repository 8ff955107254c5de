// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "aggregate/snapshot.h"
#include "config/config.h"

namespace isoscope::aggregate {

// The whole run: windows merged. Memory is bounded: beyond `capacity` rows of a kind, new VMs and units are
// merged into one row named `other`.
class Totals {
 public:
  static constexpr std::size_t usual_capacity = 2000;

  explicit Totals(std::size_t capacity = usual_capacity, const config::BottleneckThresholds& thresholds = {})
      : capacity_(capacity), thresholds_(thresholds) {}

  void add(const Snapshot& window);
  // Without its rows, where nobody will ask for them: memory then does not grow with the VMs that came by.
  void add_ledger_of(const Snapshot& window);
  // Snapshot number 0, from the start of the first window to the end of the last.
  Snapshot summary() const;

 private:
  using ExitKey = std::tuple<std::string, std::uint32_t, std::uint32_t, bool, std::uint32_t>;

  void add_exits(const VmExitsRow& row);
  void add_sched(const SchedRow& row);
  void add_resources(const ResourcesRow& row);
  void add_ledger(const Ledger& window);

  std::size_t capacity_;
  config::BottleneckThresholds thresholds_;
  Snapshot total_;
  bool begun_ = false;
  std::map<ExitKey, VmExitsRow> exits_;
  std::map<std::string, SchedRow> sched_;
  std::map<std::string, ResourcesRow> resources_;
};

}  // namespace isoscope::aggregate
