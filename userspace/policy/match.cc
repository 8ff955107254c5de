// SPDX-License-Identifier: Apache-2.0
#include "policy/match.h"

#include <fnmatch.h>

#include <algorithm>
#include <iterator>

namespace isoscope::policy {

namespace {

using identity::UnitKind;
using identity::UnitRef;

template <typename T>
bool has(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

template <typename T>
bool agrees(const std::vector<T>& wanted, const T& value) {
  return wanted.empty() || has(wanted, value);
}

// As many of `values` as the reach demands are what `is_wanted` says; there is at least one.
template <typename T, typename Predicate>
bool enough(const std::vector<T>& values, Reach reach, Predicate is_wanted) {
  return reach == Reach::one ? std::any_of(values.begin(), values.end(), is_wanted)
                             : !values.empty() && std::all_of(values.begin(), values.end(), is_wanted);
}

bool has_match(const std::vector<std::string>& globs, const std::string& text) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& glob) { return glob_matches(glob, text); });
}

// By name or by id; a container of a pod is called POD/NAME, and its own name alone will do.
bool names_unit(const std::vector<std::string>& globs, const UnitRef& unit) {
  const std::size_t slash = unit.name.rfind('/');
  const bool has_pod = unit.kind == UnitKind::container && slash != std::string::npos;
  return has_match(globs, unit.name) || has_match(globs, unit.id) ||
         (has_pod && has_match(globs, unit.name.substr(slash + 1)));
}

bool agrees_on_unit(const std::vector<UnitKind>& kinds, const std::vector<std::string>& names,
                    const UnitRef* unit) {
  if (unit == nullptr) {
    return kinds.empty() && names.empty();
  }
  return agrees(kinds, unit->kind) && (names.empty() || names_unit(names, *unit));
}

bool agrees_on_process(const Match& match, const Process& process) {
  const auto held = [&](unsigned capability) { return (process.cap_effective >> capability & 1) != 0; };
  return (match.exes.empty() || has_match(match.exes, process.exe)) && agrees(match.uids, process.uid) &&
         (match.capabilities.empty() ||
          std::any_of(match.capabilities.begin(), match.capabilities.end(), held));
}

}  // namespace

bool glob_matches(const std::string& glob, const std::string& text) {
  return ::fnmatch(glob.c_str(), text.c_str(), 0) == 0;
}

bool matches(const Match& match, const Facts& facts, Reach reach) {
  const auto is_named = [&](event::NamespaceType type) { return has(match.namespaces, type); };
  const auto is_resource = [&](const std::string& resource) { return has_match(match.resources, resource); };
  return agrees(match.events, facts.event) &&
         (match.directions.empty() || (facts.direction && has(match.directions, *facts.direction))) &&
         agrees(match.mechanisms, facts.mechanism) && agrees(match.actions, facts.action) &&
         (match.namespaces.empty() || enough(facts.namespaces, reach, is_named)) &&
         (match.resources.empty() || enough(facts.resources, reach, is_resource)) &&
         (match.paths.empty() || (!facts.path.empty() && has_match(match.paths, facts.path))) &&
         agrees_on_unit(match.unit_kinds, match.unit_names, &facts.unit) &&
         agrees_on_unit(match.to_kinds, match.to_names, facts.to ? &*facts.to : nullptr) &&
         agrees_on_process(match, facts.process);
}

bool applies(const Rule& rule, const Facts& facts) {
  const bool allows = rule.effect == Effect::allow;
  return matches(rule.on, facts, allows ? Reach::all : Reach::one) &&
         std::none_of(rule.except.begin(), rule.except.end(), [&](const Match& except) {
           return matches(except, facts, allows ? Reach::one : Reach::all);
         });
}

}  // namespace isoscope::policy
