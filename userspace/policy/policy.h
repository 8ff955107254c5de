// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/yaml_tree.h"
#include "event/record.h"
#include "identity/unit.h"
#include "policy/violation.h"

namespace isoscope::policy {

// What rules are about.
enum class EventKind {
  crossing,   // a task came into other namespaces, or out of its container's cgroup
  access,     // a task of one unit reached into another: ptrace, signals, sockets, ...
  attempt,    // a crossing that the kernel refused
  invariant,  // what never changes did change
};
const char* to_string(EventKind kind);

// What `on` and `except` ask for. All fields must agree, of each one of its values; an empty one agrees with
// everything. Words are those of policy/vocabulary.h.
struct Match {
  std::vector<EventKind> events;
  std::vector<Direction> directions;
  std::vector<std::string> mechanisms;
  std::vector<event::NamespaceType> namespaces;
  std::vector<identity::UnitKind> unit_kinds;
  std::vector<std::string> unit_names;  // globs
  std::vector<identity::UnitKind> to_kinds;
  std::vector<std::string> to_names;  // globs
  std::vector<std::string> exes;      // globs
  std::vector<std::uint32_t> uids;
  std::vector<unsigned> capabilities;  // numbers of the kernel
  std::vector<std::string> resources;  // globs
  std::vector<std::string> actions;
  std::vector<std::string> paths;  // globs; of accesses
};

// `expect`: a rule that fires when the policy is tested.
struct Expectation {
  std::string rule;
  std::optional<std::uint32_t> count;  // empty: once or more often
};

struct Rule {
  std::string name;
  Match on;
  std::vector<Match> except;  // the rule is not about what one of these matches
  Effect effect = Effect::deny;
  Severity severity = Severity::low;
  std::string message;  // template; empty: the standard sentence (policy/message.h)
};

// One document of a policy file.
struct Policy {
  std::string name;
  std::string description;
  bool enforce = false;
  std::vector<Rule> rules;  // the first that matches decides
  std::vector<Expectation> expect;
  std::string file;  // where it stands
  config::Place place;
};

}  // namespace isoscope::policy
