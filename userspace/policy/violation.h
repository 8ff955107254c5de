// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "event/record.h"
#include "identity/ancestry.h"
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
  event::Exe exe_file = {};  // the kernel told it, so that it is known also of who is gone
};

// What crossings, accesses and breaches have in common.
struct Incident {
  std::uint64_t ts_mono_ns = 0;
  Process process;
  identity::Ancestry ancestry;  // of the process; empty where nobody asked, or nothing was left to read
  identity::UnitRef from;       // the unit the task belongs to
  identity::UnitRef to;         // whose it went for
  Direction direction = Direction::host;
  event::Answer answer = event::Answer::none;  // of the kernel side
};

// A task came into other namespaces, or out of its container's cgroup. Its direction is the worst of the
// moves': escape, lateral, leave_cgroup, nest, ...; `to` is the owner of the first namespace that makes it
// up, or the cgroup's unit.
struct Crossing : Incident {
  event::Mechanism mechanism = event::Mechanism::unknown;
  event::SeenAt seen_at = event::SeenAt::commit;
  std::vector<NamespaceMove> moves;  // empty for cgroup moves
  std::string to_cgroup;             // path, for cgroup moves
  bool initial = false;              // its nsproxy is the kernel's first
};

// A task of a unit reached out of it: its direction is escape or lateral. Refused, it is an attempt; that may
// also be an unshare or a clone, whose direction is nest.
struct Access : Incident {
  event::AccessKind kind = event::AccessKind::ptrace;
  std::uint32_t detail = 0;      // see event::Access
  std::uint32_t error = 0;       // errno; 0: it was not refused
  std::string path;              // of what it is about, where that has one
  std::uint32_t target_pid = 0;  // 0: it is not about a process
};

// A task of a unit is what no legal path makes of it. It has no direction, and nobody that it went for.
struct Breach : Incident {
  event::Invariant invariant = event::Invariant::pid_namespace;
  event::CapabilitySet set = event::CapabilitySet::none;
  std::uint64_t before = 0;  // see event::Breach
  std::uint64_t now = 0;
  event::SeenAt seen_at = event::SeenAt::commit;
};

using Event = std::variant<Crossing, Access, Breach>;

enum class Severity { low, medium, high, critical };
const char* to_string(Severity severity);

// What becomes of an event; the later is the stricter.
enum class Effect { allow, audit, deny };
const char* to_string(Effect effect);

// What became of a policy's `enforce: true`. The action itself is done in any case.
struct Enforcement {
  // The program that saw it kills within the system call or before the process comes back to a CPU; we do
  // when we have read the record.
  enum class By { agent, kernel };

  bool sent = false;  // SIGKILL, to the process
  std::string why_not = {};
  By by = By::agent;
  bool kernel_refused = false;  // the program had tried
  bool ran_on = true;           // the process could go on with what it had done before it was sent
};
const char* to_string(Enforcement::By by);

// What a rule makes known: a violation where it denies, a mere record where it audits.
struct Violation {
  std::string policy;
  std::string rule;
  Effect effect = Effect::deny;
  Severity severity = Severity::critical;
  std::string message;
  bool has_own_message = false;  // the rule's, not the standard sentence
  std::string id;        // stable across restarts: same policy, rule, unit and process give the same id
  bool enforce = false;  // its policy wants the process killed
  std::optional<Enforcement> enforcement;
  std::uint64_t suppressed = 0;  // like it, and not reported since the last one that was
  Event event;

  const Incident& incident() const {
    return std::visit([](const auto& one) -> const Incident& { return one; }, event);
  }
};

}  // namespace isoscope::policy
