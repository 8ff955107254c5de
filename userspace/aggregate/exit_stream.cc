// SPDX-License-Identifier: Apache-2.0
#include "aggregate/exit_stream.h"

#include <algorithm>
#include <utility>

#include "aggregate/exits.h"

namespace isoscope::aggregate {

std::size_t ExitStream::KeyHash::operator()(const Key& key) const {
  // A tid is in one process and has one vCPU, as a rule: it and the reason tell keys apart, equality looks at
  // the rest. The multiplier is 2^64 / golden ratio (Knuth, TAOCP 6.4), which spreads neighbours.
  const std::uint64_t both = (std::uint64_t{key.tid} << 32U) | key.reason;
  return static_cast<std::size_t>((both * 0x9e37'79b9'7f4a'7c15U) >> 20U);
}

void ExitStream::add(const event::Meta& meta, const event::VmExit& exit) {
  const Key key{meta.tgid, meta.tid, exit.vcpu_id, exit.isa, exit.reason};
  const auto [entry, fresh] = cells_.try_emplace(key);
  if (fresh) {
    entry->second.cgroup_id = meta.cgroup_id;
  }
  entry->second.split.add(exit.split);
  entry->second.stats.add(exit.duration_ns);
}

std::vector<VmExitsRow> ExitStream::rows() const {
  std::vector<VmExitsRow> rows;
  rows.reserve(cells_.size());
  for (const auto& [key, cell] : cells_) {
    VmExitsRow row;
    row.vm.pid = key.tgid;
    row.cgroup_id = cell.cgroup_id;
    row.vcpu_id = key.vcpu_id;
    row.tid = key.tid;
    row.isa = key.isa;
    row.reason = key.reason;
    row.count = cell.stats.count;
    row.stats = cell.stats;
    row.split = cell.split;
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end(), in_row_order);
  return rows;
}

}  // namespace isoscope::aggregate
