// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/policy.h"

namespace isoscope::policy {

// The words of policy files. `-` and `_` are the same in them: leave-cgroup is leave_cgroup.

template <typename T>
using Words = std::vector<std::pair<std::string_view, T>>;

const Words<EventKind>& event_words();
const Words<Direction>& direction_words();
const Words<event::NamespaceType>& namespace_words();
const Words<identity::UnitKind>& unit_kind_words();
const Words<Severity>& severity_words();
const Words<Effect>& effect_words();
// Without `cap_`: sys_admin.
const Words<unsigned>& capability_words();

// How crossings come about, also those that are attempts only.
const std::vector<std::string_view>& mechanism_words();
// What was done, in the word of the events of one kind: mechanisms of crossings, ways of access (ptrace,
// signal, ...), and invariants by their number (I1 to I9).
const Words<EventKind>& action_words();
// What it was done to: namespace/mnt, cgroup, process, ...
const std::vector<std::string_view>& resource_words();

// `text` with `_` for `-`.
std::string folded(std::string_view text);

// The words of `words`, for errors and suggestions.
template <typename T>
std::vector<std::string_view> names_of(const Words<T>& words) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : words) {
    names.push_back(name);
  }
  return names;
}

}  // namespace isoscope::policy
