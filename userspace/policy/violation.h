// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "event/record.h"
#include "identity/unit.h"

namespace isoscope::policy {

// Where a crossing leads, seen from the unit the task belongs to.
enum class Direction {
  escape,        // unit -> host
  lateral,       // unit -> another unit
  enter,         // host -> unit
  nest,          // unit -> a namespace nobody had
  own,           // unit -> back to a namespace of its own
  leave_cgroup,  // unit -> a cgroup outside its subtree
  host,          // host -> fresh, or back
};
const char* to_string(Direction direction);

// One type of namespace that changed.
struct NamespaceMove {
  event::NamespaceType type = event::NamespaceType::mnt;
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  identity::UnitRef to_owner;  // meaningful unless to_is_new
  bool to_is_new = false;      // nobody had it before
  Direction direction = Direction::host;
};

struct Process {
  std::uint32_t pid = 0;  // thread group
  std::uint32_t tid = 0;
  std::uint32_t parent_pid = 0;
  std::uint32_t uid = 0;
  std::string comm;
  std::string exe;  // empty if it was gone before it could be read
  std::uint64_t start_boot_ns = 0;
  std::uint64_t cap_effective = 0;
};

struct Crossing {
  std::uint64_t ts_mono_ns = 0;
  Process process;
  identity::UnitRef from;  // the unit the task belongs to
  identity::UnitRef to;  // the owner of the first namespace that makes up the direction, or the cgroup's unit
  Direction direction = Direction::host;  // the worst of the moves': escape, lateral, leave_cgroup, nest, ...
  event::Mechanism mechanism = event::Mechanism::unknown;
  event::SeenAt seen_at = event::SeenAt::commit;
  std::vector<NamespaceMove> moves;  // empty for cgroup moves
  std::string to_cgroup;             // path, for cgroup moves
};

enum class Severity { low, medium, high, critical };
const char* to_string(Severity severity);

struct Violation {
  std::string policy;
  std::string rule;
  Severity severity = Severity::critical;
  std::string message;
  std::string id;  // stable across restarts: same policy, rule, unit and process give the same id
  Crossing crossing;
};

}  // namespace isoscope::policy
