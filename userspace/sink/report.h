// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "aggregate/snapshot.h"
#include "event/record.h"
#include "identity/host.h"
#include "identity/unit.h"
#include "policy/violation.h"

namespace isoscope::sink {

using identity::Host;

// One streamed exit.
struct VmExitReport {
  event::Meta meta;
  event::VmExit exit;
  identity::Vm vm;
  identity::UnitRef unit;
};

// One streamed context switch; the units of the task that leaves the CPU and of the one that takes it.
struct SwitchReport {
  event::Meta meta;
  event::ContextSwitch change;
  identity::UnitRef prev;
  identity::UnitRef next;
};

struct UnitReport {
  std::uint64_t ts_mono_ns = 0;
  identity::Unit unit;
};

// A cgroup made, removed, or a task moved into it (--events cgroups).
struct CgroupReport {
  event::Meta meta;
  enum class Action { made, removed, attached } action = Action::made;
  std::uint64_t cgroup_id = 0;
  std::string path;  // empty if it was gone before it could be read
  std::uint32_t moved_pid = 0;
  std::uint32_t moved_tid = 0;
};

// What sinks take.
using Report = std::variant<aggregate::Snapshot, VmExitReport, SwitchReport, UnitReport, CgroupReport,
                            policy::Crossing, policy::Access, policy::Breach, policy::Violation>;

}  // namespace isoscope::sink
