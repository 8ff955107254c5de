// SPDX-License-Identifier: Apache-2.0
#include "aggregate/exits.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace isoscope::aggregate {

namespace {

// min and max are exact where the cell was last touched in this window. An exit that finishes between the
// last reading and the change of the window number leaves its min and max to the window before: the buckets
// that the durations fell into then bound them.
void bound_min_max(DurationStats& stats, const isoscope_exit_cell& cell, std::uint32_t window) {
  const auto first = std::find_if(stats.buckets.begin(), stats.buckets.end(), [](auto n) { return n > 0; });
  const auto last = std::find_if(stats.buckets.rbegin(), stats.buckets.rend(), [](auto n) { return n > 0; });
  const auto low = static_cast<std::size_t>(first - stats.buckets.begin());
  const auto high = static_cast<std::size_t>(stats.buckets.rend() - last);
  // One exit alone; unless a reading in the middle of it has its bucket and not its time.
  if (stats.count == 1 && bucket_of(stats.sum_ns) == low) {
    stats.min_ns = stats.max_ns = stats.sum_ns;
    return;
  }
  const auto low_ns = static_cast<std::uint64_t>(bucket_floor_ns(low + 1));
  const auto high_ns = static_cast<std::uint64_t>(bucket_floor_ns(high - 1));
  const bool exact = cell.window == window;
  // The last bucket has no end: its boundary above says nothing of a minimum.
  const bool bounded = low + 1 < stats.buckets.size();
  stats.min_ns = exact ? (bounded ? std::min<std::uint64_t>(cell.min_ns, low_ns) : cell.min_ns) : low_ns;
  stats.max_ns = exact ? std::max<std::uint64_t>(cell.max_ns, high_ns) : high_ns;
  stats.max_ns = std::max(stats.max_ns, stats.min_ns);
}

DurationStats difference(const isoscope_exit_cell& now, const isoscope_exit_cell& before,
                         std::uint32_t window) {
  DurationStats stats;
  for (std::size_t i = 0; i < stats.buckets.size(); ++i) {
    stats.buckets[i] = static_cast<std::uint32_t>(now.buckets[i] - before.buckets[i]);
    stats.count += stats.buckets[i];
  }
  stats.sum_ns = now.sum_ns - before.sum_ns;
  if (stats.count > 0) {
    bound_min_max(stats, now, window);
  }
  return stats;
}

// The parts that belong to `sum_ns`, and `before` moved on by them. A reading may catch an exit when its
// parts are written and its duration is not: what exceeds the sum is the next window's.
event::Split take_split(const isoscope_split& now, isoscope_split& before, std::uint64_t sum_ns) {
  const auto take = [&](__u64 isoscope_split::*part) {
    const std::uint64_t taken = std::min<std::uint64_t>(now.*part - before.*part, sum_ns);
    before.*part += taken;
    sum_ns -= taken;
    return taken;
  };
  event::Split split;
  split.preempted_ns = take(&isoscope_split::preempted_ns);
  split.userspace_ns = take(&isoscope_split::userspace_ns);
  split.halted_ns = take(&isoscope_split::halted_ns);
  return split;
}

VmExitsRow row_of(const isoscope_vcpu& vcpu) {
  VmExitsRow row;
  row.vm.pid = vcpu.tgid;
  row.cgroup_id = vcpu.cgroup_id;
  row.vcpu_id = vcpu.vcpu_id;
  row.tid = vcpu.tid;
  row.isa = static_cast<event::Isa>(vcpu.isa);
  return row;
}

}  // namespace

bool in_row_order(const VmExitsRow& a, const VmExitsRow& b) {
  return std::tie(a.vm.pid, a.vcpu_id, a.tid, a.other, a.reason) <
         std::tie(b.vm.pid, b.vcpu_id, b.tid, b.other, b.reason);
}

void ExitWindows::close_vcpu(const probe::VcpuReading& reading, std::uint32_t window, Previous& previous,
                             Window& out) {
  const isoscope_vcpu& vcpu = reading.vcpu;
  for (const isoscope_exit_cell& cell : reading.cells) {
    isoscope_exit_cell& before = previous.cells[cell.reason];
    VmExitsRow row = row_of(vcpu);
    row.reason = cell.reason;
    row.stats = difference(cell, before, window);
    row.count = row.stats.count + static_cast<std::uint32_t>(cell.unfinished - before.unfinished);
    if (row.count == 0) {
      continue;  // what a reading in the middle of an exit has of it waits for its count
    }
    row.nested = static_cast<std::uint32_t>(cell.nested - before.nested);
    row.split = take_split(cell.split, before.split, row.stats.sum_ns);
    out.rows.push_back(std::move(row));
    const isoscope_split taken = before.split;
    before = cell;
    before.split = taken;
  }
  VmExitsRow other = row_of(vcpu);
  other.other = true;
  other.stats.count = vcpu.other_finished - previous.vcpu.other_finished;
  other.count = other.stats.count + (vcpu.other_unfinished - previous.vcpu.other_unfinished);
  other.stats.sum_ns = vcpu.other_sum_ns - previous.vcpu.other_sum_ns;
  out.unmatched_exits += vcpu.unmatched_exits - previous.vcpu.unmatched_exits;
  out.unmatched_entries += vcpu.unmatched_entries - previous.vcpu.unmatched_entries;
  isoscope_vcpu before = vcpu;
  before.other_split = previous.vcpu.other_split;
  before.other_sum_ns = previous.vcpu.other_sum_ns;
  if (other.count > 0) {
    other.split = take_split(vcpu.other_split, before.other_split, other.stats.sum_ns);
    before.other_sum_ns = vcpu.other_sum_ns;
    out.rows.push_back(std::move(other));
  }
  previous.vcpu = before;
}

ExitWindows::Window ExitWindows::close(std::span<const probe::VcpuReading> readings, std::uint32_t window) {
  Window out;
  for (const probe::VcpuReading& reading : readings) {
    Previous& previous = previous_[reading.index];
    if (previous.start_ns != reading.vcpu.start_ns) {
      previous = Previous{};
      previous.start_ns = reading.vcpu.start_ns;
    }
    previous.seen = true;
    close_vcpu(reading, window, previous, out);
  }
  for (auto entry = previous_.begin(); entry != previous_.end();) {
    const bool seen = std::exchange(entry->second.seen, false);
    entry = seen ? std::next(entry) : previous_.erase(entry);
  }
  std::sort(out.rows.begin(), out.rows.end(), in_row_order);
  return out;
}

}  // namespace isoscope::aggregate
