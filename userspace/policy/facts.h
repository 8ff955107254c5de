// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "event/record.h"
#include "identity/unit.h"
#include "policy/policy.h"
#include "policy/violation.h"

namespace isoscope::policy {

// What a rule can ask of an event, whatever kind of event it is.
struct Facts {
  EventKind event = EventKind::crossing;
  std::optional<Direction> direction;
  std::string mechanism;                         // of crossings and attempts, else empty
  std::vector<event::NamespaceType> namespaces;  // those that make up the direction
  identity::UnitRef unit;                        // the one that did it
  std::optional<identity::UnitRef> to;           // the one that it was done to
  Process process;
  std::vector<std::string> resources;
  std::string action;
  std::string path;  // of accesses
};

// A crossing is judged by its worst direction, and so by the namespaces that have that direction: who escapes
// with one namespace and makes another anew has escaped with the one.
Facts facts_of(const Crossing& crossing);
// The action of a ptrace check that only reads is `ptrace_read`.
Facts facts_of(const Access& access);
// What setns, unshare and clone were refused.
bool is_about_namespaces(event::AccessKind kind);
// It has neither direction nor namespaces, and nobody that it was done to.
Facts facts_of(const Breach& breach);
Facts facts_of(const Event& event);

// `host`, or kind and name: `container web`.
std::string describe(const identity::UnitRef& unit);

// The namespaces as one text: `mnt, net`.
std::string namespaces_of(const Facts& facts);

}  // namespace isoscope::policy
