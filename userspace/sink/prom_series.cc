// SPDX-License-Identifier: Apache-2.0
#include "sink/prom_series.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "event/reason.h"
#include "sink/text.h"

namespace isoscope::sink {

namespace {

constexpr std::string_view other_word = "other";
constexpr std::string_view pid_prefix = "pid:";

// A histogram is a series for each bound, +Inf, the sum and the count.
constexpr std::size_t histogram_series = aggregate::classic_bounds + 3;
constexpr std::size_t exits_series = histogram_series + 4;  // and the parts of the time
constexpr std::size_t sched_series = histogram_series + 4;  // switches of two types, time on CPU, preempted
// `other` of VMs with its one reason, of units, and of rules by severity: their room is never given away.
constexpr std::size_t other_series = exits_series + 1 + sched_series + 8;
static_assert(other_series < PromSeries::least_series);

bool is_known_by_pid(const identity::UnitRef& unit) {
  return unit.kind == identity::UnitKind::vm && unit.id.starts_with(pid_prefix);
}

// The last figures of a VM may come with the window after the one in which it stopped.
constexpr int windows_after_a_stop = 3;

std::string label_id(const identity::UnitRef& unit) {
  return is_known_by_pid(unit) ? "" : base::printable(unit.id);
}

std::string label_name(const identity::UnitRef& unit) {
  return unit.kind == identity::UnitKind::vm && unit.name.starts_with(pid_prefix)
             ? "unnamed"
             : base::printable(unit.name);
}

PromSeries::OwnerKey key_of(const identity::UnitRef& unit) {
  std::string id = label_id(unit);
  std::string name = id.empty() ? label_name(unit) : "";
  return {identity::to_string(unit.kind), std::move(id), std::move(name)};
}

}  // namespace

PromSeries::PromSeries(std::uint32_t most) : most_(std::max(most, least_series)), used_(other_series) {
  other_.kind = other_.id = other_.name = other_word;
}

bool PromSeries::take(std::size_t series) {
  if (used_ + series > most_) {
    ++overflow_;
    return false;
  }
  used_ += series;
  return true;
}

// Whose counters `unit` adds to: its own, for which `series` more are taken where it `has` none yet, or
// other_.
PromSeries::Owner* PromSeries::find_or_add(const identity::UnitRef& unit, bool (*has)(const Owner&),
                                           std::size_t series) {
  OwnerKey key = key_of(unit);
  auto found = owners_.find(key);
  if ((found == owners_.end() || !has(found->second)) && !take(series)) {
    return &other_;
  }
  if (found == owners_.end()) {
    Owner fresh;
    fresh.kind = std::get<0>(key);
    fresh.id = std::get<1>(key);
    found = owners_.emplace(std::move(key), std::move(fresh)).first;
  }
  found->second.name = label_name(unit);
  return &found->second;
}

void PromSeries::add_exits(const aggregate::VmExitsRow& row, std::uint64_t end_ns) {
  const identity::UnitRef vm{identity::UnitKind::vm, row.vm.id, row.vm.name};
  Owner* owner = find_or_add(
      vm, [](const Owner& one) { return one.exits.has_value(); }, exits_series);
  owner->active_ns = end_ns;
  Exits& exits = owner->exits ? *owner->exits : owner->exits.emplace(Exits{});
  exits.split.add(row.split);
  exits.sum_ns += row.stats.sum_ns;
  const bool is_halt = !row.other && event::is_halt(row.isa, row.reason);
  if (!is_halt && has_distribution(row.stats)) {
    exits.durations.add(row.stats);
  }
  const std::string reason = owner == &other_ ? std::string(other_word)
                             : row.other      ? std::string(event::other_reasons)
                                              : event::reason_name(row.isa, row.reason);
  auto count = exits.by_reason.find(reason);
  if (count == exits.by_reason.end() && owner != &other_ && !take(1)) {
    Exits& others = other_.exits ? *other_.exits : other_.exits.emplace(Exits{});
    count = others.by_reason.try_emplace(std::string(other_word)).first;
  } else if (count == exits.by_reason.end()) {
    count = exits.by_reason.try_emplace(reason).first;
  }
  count->second += row.count;
}

void PromSeries::add_sched(const aggregate::SchedRow& row, std::uint64_t end_ns) {
  Owner* owner = find_or_add(
      row.unit, [](const Owner& one) { return one.sched.has_value(); }, sched_series);
  owner->active_ns = end_ns;
  Sched& sched = owner->sched ? *owner->sched : owner->sched.emplace(Sched{});
  sched.voluntary += row.voluntary;
  sched.involuntary += row.involuntary;
  sched.on_cpu_ns += row.on_cpu_ns;
  sched.preempted_ns += row.preempted_ns;
  sched.waits.add(row.run_queue);
}

void PromSeries::add(const aggregate::Snapshot& window) {
  for (const aggregate::VmExitsRow& row : window.vm_exits) {
    add_exits(row, window.end_mono_ns);
  }
  for (const aggregate::SchedRow& row : window.sched) {
    add_sched(row, window.end_mono_ns);
  }
  mark_stopped();
  forget_gone(window.end_mono_ns);
}

void PromSeries::mark_stopped() {
  for (auto it = stopped_.begin(); it != stopped_.end();) {
    if (const auto found = owners_.find(it->first); found != owners_.end()) {
      found->second.stopped = true;
    }
    it = --it->second == 0 ? stopped_.erase(it) : std::next(it);
  }
}

std::size_t PromSeries::series_of(const Owner& owner) {
  const std::size_t exits = owner.exits ? exits_series + owner.exits->by_reason.size() : 0;
  return exits + (owner.sched ? sched_series : 0);
}

void PromSeries::forget_gone(std::uint64_t end_ns) {
  for (auto it = owners_.begin(); it != owners_.end();) {
    const Owner& owner = it->second;
    const bool is_gone = owner.active_ns != end_ns && (owner.stopped || end_ns - owner.active_ns >= idle_ns);
    if (is_gone) {
      used_ -= series_of(owner);
      it = owners_.erase(it);
    } else {
      ++it;
    }
  }
}

void PromSeries::add(const identity::Unit& unit) {
  if (const auto found = owners_.find(key_of(unit.ref)); found != owners_.end()) {
    found->second.stopped = unit.state == identity::UnitState::stopped;
    found->second.name = label_name(unit.ref);
  }
  if (unit.state == identity::UnitState::stopped) {
    stopped_[key_of(unit.ref)] = windows_after_a_stop;
  } else {
    stopped_.erase(key_of(unit.ref));
  }
  // What ran in its cgroup before it was known as this unit was a plain cgroup's, which is no more. A VM may
  // share its cgroup with others.
  if (unit.ref.kind == identity::UnitKind::vm) {
    return;
  }
  const identity::UnitRef plain{identity::UnitKind::cgroup, unit.cgroup_path, unit.cgroup_path};
  if (const auto found = owners_.find(key_of(plain)); unit.ref != plain && found != owners_.end()) {
    found->second.stopped = true;
  }
}

void PromSeries::add(const policy::Violation& violation) {
  std::map<RuleKey, std::uint64_t>& rules = violation.effect == policy::Effect::deny ? violations_ : audits_;
  RuleKey key{base::printable(violation.policy), base::printable(violation.rule),
              policy::to_string(violation.severity)};
  if (!rules.contains(key) && !take(1)) {
    std::get<0>(key) = std::get<1>(key) = other_word;
  }
  rules[key] += violation.suppressed + 1;
}

// Both words are of short lists: without a bound of their own.
void PromSeries::add(const policy::Crossing& crossing) {
  ++crossings_[{policy::to_string(crossing.direction), event::to_string(crossing.mechanism)}];
}

}  // namespace isoscope::sink
