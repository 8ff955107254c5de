// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "aggregate/snapshot.h"
#include "event/record.h"

namespace isoscope::aggregate {

// Adds up single exits, as they come through the ring or from a recording, to the rows that ExitWindows makes
// of the maps.
class ExitStream {
 public:
  void add(const event::Meta& meta, const event::VmExit& exit);

  // Order and meaning as in ExitWindows::Window. A stream has finished exits only, so that count is
  // stats.count, and does not tell which of them were a nested guest's.
  std::vector<VmExitsRow> rows() const;

 private:
  // A thread is one vCPU of one process, as a rule; in the maps it is the last one that it ran.
  struct Key {
    std::uint32_t tgid = 0;
    std::uint32_t tid = 0;
    std::uint32_t vcpu_id = 0;
    event::Isa isa = event::Isa::unknown;
    std::uint32_t reason = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  struct Cell {
    std::uint64_t cgroup_id = 0;
    event::Split split;
    DurationStats stats;
  };

  std::unordered_map<Key, Cell, KeyHash> cells_;
};

}  // namespace isoscope::aggregate
