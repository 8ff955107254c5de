// SPDX-License-Identifier: Apache-2.0
#include "aggregate/totals.h"

#include <algorithm>

#include "aggregate/invariants.h"
#include "aggregate/resources.h"
#include "aggregate/sched.h"

namespace isoscope::aggregate {

namespace {

constexpr const char* other_name = "other";

}  // namespace

void Totals::add_exits(const VmExitsRow& row) {
  ExitKey key{row.vm.id, row.vcpu_id, static_cast<std::uint32_t>(row.isa), row.other, row.reason};
  auto found = exits_.find(key);
  if (found == exits_.end()) {
    VmExitsRow fresh = row;
    if (exits_.size() >= capacity_) {
      fresh.vm = identity::Vm{other_name, other_name, "", "", 0};
      fresh.unit = identity::UnitRef{identity::UnitKind::vm, other_name, other_name};
      fresh.vcpu_id = 0;
      fresh.tid = 0;
      key = ExitKey{other_name, 0, static_cast<std::uint32_t>(row.isa), row.other, row.reason};
    }
    fresh.count = 0;
    fresh.nested = 0;
    fresh.stats = DurationStats{};
    fresh.split = event::Split{};
    found = exits_.try_emplace(key, std::move(fresh)).first;
  }
  found->second.count += row.count;
  found->second.nested += row.nested;
  found->second.stats.merge(row.stats);
  found->second.split.add(row.split);
}

void Totals::add_sched(const SchedRow& row) {
  const std::string key = row.unit.id;
  auto found = sched_.find(key);
  if (found == sched_.end()) {
    SchedRow fresh;
    fresh.unit = row.unit;
    std::string fresh_key = key;
    if (sched_.size() >= capacity_) {
      fresh.unit = identity::UnitRef{identity::UnitKind::cgroup, other_name, other_name};
      fresh_key = other_name;
    }
    found = sched_.try_emplace(fresh_key, std::move(fresh)).first;
  }
  if (found->first == key) {
    found->second.unit.name = row.unit.name;  // which may have become known since
  }
  // The threads of two windows are mostly the same ones: of the run it is the most in one window.
  const std::uint64_t threads = std::max(found->second.threads, row.threads);
  merge_into(found->second, row);
  found->second.threads = threads;
  if (row.steal_ns) {
    found->second.steal_ns = found->second.steal_ns.value_or(0) + *row.steal_ns;
  }
  // Pairs of units that are long gone must not add up over the days of a run.
  std::vector<PreemptedBy>& preemptors = found->second.preempted_by;
  preemptors.resize(std::min(preemptors.size(), 4 * most_preemptors));
}

// Units inside of one another are in each other's figures: a row of others would count them twice, so that
// those beyond the capacity are left out.
void Totals::add_resources(const ResourcesRow& row) {
  if (const auto found = resources_.find(row.unit.id); found != resources_.end()) {
    merge(found->second, row, thresholds_);
  } else if (resources_.size() < capacity_) {
    resources_.emplace(row.unit.id, row);
  }
}

void Totals::add_ledger(const Ledger& window) {
  Ledger& sum = total_.ledger;
  if (sum.classes.empty()) {
    sum = window;
    return;
  }
  for (std::size_t i = 0; i < sum.classes.size() && i < window.classes.size(); ++i) {
    sum.classes[i].made += window.classes[i].made;
    sum.classes[i].handled += window.classes[i].handled;
    sum.classes[i].dropped += window.classes[i].dropped;
  }
  for (std::size_t i = 0; i < sum.causes.size() && i < window.causes.size(); ++i) {
    sum.causes[i].count += window.causes[i].count;
  }
  sum.maps = window.maps;
  sum.recheck.count += window.recheck.count;
  sum.recheck.tasks += window.recheck.tasks;
  sum.recheck.found += window.recheck.found;
  sum.recheck.open_ns += window.recheck.open_ns;
  sum.recheck.complete = window.recheck.complete;
  sum.undecodable += window.undecodable;
  sum.unmatched_exits += window.unmatched_exits;
  sum.unmatched_entries += window.unmatched_entries;
  sum.unknown_reasons += window.unknown_reasons;
  sum.task_collisions += window.task_collisions;
  sum.namespace_checks += window.namespace_checks;
  sum.credential_checks += window.credential_checks;
  sum.accesses_folded += window.accesses_folded;
  sum.waits_unknown += window.waits_unknown;
  sum.write_errors += window.write_errors;
  sum.agent_cpu_ns += window.agent_cpu_ns;
  sum.agent_resident_bytes = window.agent_resident_bytes;
}

void Totals::add(const Snapshot& window) {
  add_ledger_of(window);
  for (const VmExitsRow& row : window.vm_exits) {
    add_exits(row);
  }
  for (const SchedRow& row : window.sched) {
    add_sched(row);
  }
  for (const ResourcesRow& row : window.resources) {
    add_resources(row);
  }
}

void Totals::add_ledger_of(const Snapshot& window) {
  if (!begun_) {
    total_.start_mono_ns = window.start_mono_ns;
    begun_ = true;
  }
  total_.end_mono_ns = window.end_mono_ns;
  add_ledger(window.ledger);
  merge_into(total_.invariants, window.invariants);
}

Snapshot Totals::summary() const {
  Snapshot out = total_;
  for (const auto& [key, row] : exits_) {
    out.vm_exits.push_back(row);
  }
  for (const auto& [key, row] : sched_) {
    out.sched.push_back(row);
  }
  for (const auto& [key, row] : resources_) {
    out.resources.push_back(row);
  }
  return out;
}

}  // namespace isoscope::aggregate
