// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "aggregate/classic_histogram.h"
#include "aggregate/snapshot.h"
#include "event/record.h"
#include "identity/unit.h"
#include "policy/violation.h"

namespace isoscope::sink {

// What a scraper is shown of VMs, units and policies: sums since each of them came, of everything that was
// taken. All text is valid UTF-8 without control characters before it becomes a key, so that no two series
// can have the same labels whatever a process is called.
//
// Whom we know by a pid alone has no series of its own, since a pid is not a label: VMs without a uuid have
// no id, and those of one name are one; those without a name are together in `unnamed`.
class PromSeries {
 public:
  struct Exits {
    std::map<std::string, std::uint64_t> by_reason;
    event::Split split;
    std::uint64_t sum_ns = 0;
    // Of exits that are no halts: a guest that sleeps is not slow.
    aggregate::ClassicHistogram durations;
  };
  struct Sched {
    std::uint64_t voluntary = 0;
    std::uint64_t involuntary = 0;
    std::uint64_t on_cpu_ns = 0;
    std::uint64_t preempted_ns = 0;
    aggregate::ClassicHistogram waits;
  };
  struct Owner {
    std::string kind;
    std::string id;  // empty: none that outlives a process
    std::string name;
    std::optional<Exits> exits;
    std::optional<Sched> sched;
    std::uint64_t active_ns = 0;  // end of the last window that had something of it
    bool stopped = false;
  };
  // Kind, id, and the name of who has no id.
  using OwnerKey = std::tuple<std::string, std::string, std::string>;
  using RuleKey = std::tuple<std::string, std::string, std::string>;  // policy, rule, severity
  using CrossingKey = std::tuple<std::string, std::string>;           // direction, mechanism

  static constexpr std::uint32_t least_series = 100;
  // A unit that was not told to have stopped, and did nothing for so long, is taken for gone: its record may
  // have been lost. If it comes back its counters begin at 0, which scrapers understand.
  static constexpr std::uint64_t idle_ns = 3'600'000'000'000;

  // At most `most` series (least_series or more); what finds no place is added to `other` and counted.
  explicit PromSeries(std::uint32_t most);

  // Adds a window, then forgets who has stopped and was not in it.
  void add(const aggregate::Snapshot& window);
  void add(const identity::Unit& unit);
  void add(const policy::Violation& violation);
  void add(const policy::Crossing& crossing);

  const std::map<OwnerKey, Owner>& owners() const { return owners_; }
  const Owner& other() const { return other_; }
  const std::map<RuleKey, std::uint64_t>& violations() const { return violations_; }
  const std::map<RuleKey, std::uint64_t>& audits() const { return audits_; }
  const std::map<CrossingKey, std::uint64_t>& crossings() const { return crossings_; }
  // Additions to `other`.
  std::uint64_t overflow() const { return overflow_; }
  std::size_t series() const { return used_; }

 private:
  bool take(std::size_t series);
  Owner* find_or_add(const identity::UnitRef& unit, bool (*has)(const Owner&), std::size_t series);
  void add_exits(const aggregate::VmExitsRow& row, std::uint64_t end_ns);
  void add_sched(const aggregate::SchedRow& row, std::uint64_t end_ns);
  void forget_gone(std::uint64_t end_ns);
  void mark_stopped();
  static std::size_t series_of(const Owner& owner);

  std::size_t most_;
  std::size_t used_ = 0;
  std::map<OwnerKey, Owner> owners_;
  // Units that have stopped, for some windows: the first figures of a short one come after its end was told.
  std::map<OwnerKey, int> stopped_;
  Owner other_;
  std::map<RuleKey, std::uint64_t> violations_;
  std::map<RuleKey, std::uint64_t> audits_;
  std::map<CrossingKey, std::uint64_t> crossings_;
  std::uint64_t overflow_ = 0;
};

}  // namespace isoscope::sink
