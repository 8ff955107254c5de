// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "event/record.h"
#include "identity/unit_registry.h"
#include "policy/violation.h"

namespace isoscope::policy {

// A breach by a task of a container, pod or VM; nothing, for others. process.exe is left empty: this room
// reads nothing.
std::optional<Breach> resolve_breach(const event::Meta& meta, const event::Breach& breach,
                                     const identity::UnitRegistry& units);

// The invariants that a crossing breaks, as events of their own for rules that ask for them; none, where host
// software crosses:
//
//   I6  no system call did it (mechanism `none`); not known without fentry
//   I7  it left the unit's cgroup
//   I8  it came to the kernel's first nsproxy
//
// The crossing itself is a violation already by the built-in policy.
std::vector<Breach> breaches_of(const Crossing& crossing);

// `its own pid namespace changed`.
const char* describe(event::Invariant invariant);

}  // namespace isoscope::policy
