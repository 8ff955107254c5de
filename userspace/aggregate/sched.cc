// SPDX-License-Identifier: Apache-2.0
#include "aggregate/sched.h"

#include <algorithm>
#include <map>
#include <utility>

namespace isoscope::aggregate {

namespace {

// min and max are not kept in the kernel, where several CPUs would have to agree on them: the boundaries of
// the buckets stand for them.
void bound_by_buckets(DurationStats& stats) {
  for (std::size_t i = 0; i < stats.buckets.size(); ++i) {
    if (stats.buckets[i] == 0) {
      continue;
    }
    if (stats.max_ns == 0) {
      stats.min_ns = static_cast<std::uint64_t>(bucket_floor_ns(i));
    }
    stats.max_ns = static_cast<std::uint64_t>(bucket_floor_ns(i + 1));
  }
}

AccountChange difference(const isoscope_sched_cell& now, const isoscope_sched_cell& before) {
  AccountChange change;
  change.account = now.account;
  change.voluntary = now.voluntary - before.voluntary;
  change.involuntary = now.involuntary - before.involuntary;
  change.migrations = now.migrations - before.migrations;
  change.threads = now.threads - before.threads;
  change.preempted_ns = now.preempted_ns - before.preempted_ns;
  if (now.own_preempted_ns != before.own_preempted_ns) {
    change.preempted_by.push_back({now.account, now.own_preemptions - before.own_preemptions,
                                   now.own_preempted_ns - before.own_preempted_ns});
  }
  for (std::size_t i = 0; i < change.waits.buckets.size(); ++i) {
    change.waits.buckets[i] = static_cast<std::uint32_t>(now.wait_buckets[i] - before.wait_buckets[i]);
    change.waits.count += change.waits.buckets[i];
  }
  change.waits.sum_ns = now.waits_ns - before.waits_ns;
  // A reading may catch a wait whose bucket is written and the other count is not, or the other way round.
  change.wakeups =
      change.waits.count - std::min<std::uint64_t>(change.waits.count, now.resumed - before.resumed);
  bound_by_buckets(change.waits);
  return change;
}

// What runs at the moment of the reading, by account.
struct Running {
  std::uint64_t ran_ns = 0;
  std::uint64_t whole_window = 0;  // threads that came before the window began
};

std::unordered_map<std::uint64_t, Running> running_by_account(const probe::SchedReading& reading,
                                                              std::uint64_t window_start_ns) {
  std::unordered_map<std::uint64_t, Running> by_account;
  for (const isoscope_cpu_run& run : reading.running) {
    if (run.account == 0 || run.since_ns == 0 || run.since_ns > reading.taken_ns) {
      continue;
    }
    Running& sum = by_account[run.account];
    sum.ran_ns += reading.taken_ns - run.since_ns;
    sum.whole_window += run.since_ns <= window_start_ns ? 1 : 0;
  }
  return by_account;
}

std::unordered_map<std::uint64_t, std::vector<AccountChange::Preemption>> preemptions_by_account(
    const probe::SchedReading& reading) {
  std::unordered_map<std::uint64_t, std::vector<AccountChange::Preemption>> by_account;
  for (const auto& [key, value] : reading.preemptions) {
    by_account[key.account].push_back({key.by, value.count, value.waited_ns});
  }
  return by_account;
}

}  // namespace

std::vector<AccountChange> SchedWindows::close(const probe::SchedReading& reading,
                                               std::uint64_t window_start_ns) {
  std::vector<AccountChange> out;
  std::unordered_map<std::uint64_t, Previous> current;
  current.reserve(reading.cells.size());
  const auto running = running_by_account(reading, window_start_ns);
  const auto preemptions = preemptions_by_account(reading);
  for (const isoscope_sched_cell& cell : reading.cells) {
    const auto found = previous_.find(cell.account);
    Previous before = found != previous_.end() ? found->second : Previous{};
    if (cell.voluntary < before.cell.voluntary || cell.involuntary < before.cell.involuntary) {
      before = Previous{};  // given back and made again
    }
    // Two CPUs may both be making the entry of a new account: the loser's is empty, and given back at once.
    Previous& kept = current[cell.account];
    if (cell.voluntary + cell.involuntary < kept.cell.voluntary + kept.cell.involuntary) {
      continue;
    }
    kept.cell = cell;
    AccountChange change = difference(cell, before.cell);
    kept.on_cpu_ns = cell.on_cpu_ns;
    if (const auto runs = running.find(cell.account); runs != running.end()) {
      kept.on_cpu_ns += runs->second.ran_ns;
      change.threads += runs->second.whole_window;
    }
    // A run that ends during the reading may be missing in it: then it is the next window's.
    kept.on_cpu_ns = std::max(kept.on_cpu_ns, before.on_cpu_ns);
    change.on_cpu_ns = kept.on_cpu_ns - before.on_cpu_ns;
    if (change.voluntary + change.involuntary + change.threads + change.on_cpu_ns == 0) {
      continue;
    }
    if (const auto pushed = preemptions.find(cell.account); pushed != preemptions.end()) {
      change.preempted_by.insert(change.preempted_by.end(), pushed->second.begin(), pushed->second.end());
    }
    out.push_back(std::move(change));
  }
  previous_ = std::move(current);
  return out;
}

void SchedWindows::forget(std::uint64_t account) {
  previous_.erase(account);
}

std::optional<std::uint32_t> vmm_of_account(std::uint64_t account) {
  if ((account & ISOSCOPE_ACCOUNT_VM) == 0) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(account);
}

std::uint64_t steal_of(const std::string& vm_id, std::span<const VmExitsRow> exits) {
  std::uint64_t steal_ns = 0;
  for (const VmExitsRow& row : exits) {
    steal_ns += row.vm.id == vm_id ? row.split.preempted_ns : 0;
  }
  return steal_ns;
}

void merge_into(SchedRow& into, const SchedRow& from) {
  into.voluntary += from.voluntary;
  into.involuntary += from.involuntary;
  into.on_cpu_ns += from.on_cpu_ns;
  into.wakeups += from.wakeups;
  into.migrations += from.migrations;
  into.threads += from.threads;
  into.preempted_ns += from.preempted_ns;
  into.run_queue.merge(from.run_queue);
  for (const PreemptedBy& by : from.preempted_by) {
    const auto same = [&](const PreemptedBy& other) {
      return other.unit.has_value() == by.unit.has_value() &&
             (!by.unit || (other.unit->kind == by.unit->kind && other.unit->id == by.unit->id));
    };
    const auto found = std::find_if(into.preempted_by.begin(), into.preempted_by.end(), same);
    if (found == into.preempted_by.end()) {
      into.preempted_by.push_back(by);
    } else {
      found->count += by.count;
      found->waited_ns += by.waited_ns;
    }
  }
  std::stable_sort(into.preempted_by.begin(), into.preempted_by.end(),
                   [](const PreemptedBy& a, const PreemptedBy& b) { return a.waited_ns > b.waited_ns; });
}

std::vector<SchedRow> fold_by_unit(std::span<const AccountChange> changes, const UnitOfAccount& unit_of) {
  std::map<std::pair<identity::UnitKind, std::string>, SchedRow> by_unit;
  for (const AccountChange& change : changes) {
    SchedRow row;
    row.unit = unit_of(change.account);
    row.voluntary = change.voluntary;
    row.involuntary = change.involuntary;
    row.on_cpu_ns = change.on_cpu_ns;
    row.wakeups = change.wakeups;
    row.migrations = change.migrations;
    row.threads = change.threads;
    row.preempted_ns = change.preempted_ns;
    row.run_queue = change.waits;
    row.preempted_by.reserve(change.preempted_by.size());
    for (const AccountChange::Preemption& by : change.preempted_by) {
      PreemptedBy& entry = row.preempted_by.emplace_back();
      if (by.by != ISOSCOPE_ACCOUNT_IDLE) {
        entry.unit = unit_of(by.by);
      }
      entry.count = by.count;
      entry.waited_ns = by.waited_ns;
    }
    SchedRow& sum = by_unit[{row.unit.kind, row.unit.id}];
    sum.unit = row.unit;
    merge_into(sum, row);
  }
  std::vector<SchedRow> rows;
  rows.reserve(by_unit.size());
  for (auto& [key, row] : by_unit) {
    row.preempted_by.resize(std::min(row.preempted_by.size(), most_preemptors));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace isoscope::aggregate
