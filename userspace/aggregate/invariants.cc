// SPDX-License-Identifier: Apache-2.0
#include "aggregate/invariants.h"

#include <algorithm>
#include <utility>

namespace isoscope::aggregate {

namespace {

using event::Invariant;

// Of a run that lasts for years.
constexpr std::size_t most_windows = 1000;

}  // namespace

Invariants InvariantBook::close(const probe::Counters& kernel, std::uint64_t units, std::uint64_t window,
                                bool gap) {
  const auto since = [&](std::size_t counter) { return kernel.at(counter) - previous_.at(counter); };
  const auto checks_of = [&](Invariant invariant) -> std::uint64_t {
    switch (invariant) {
      case Invariant::system_call:
      case Invariant::initial_namespaces:
        return since(ISOSCOPE_NAMESPACE_CHECKS);
      case Invariant::cgroup:
        return moves_;
      case Invariant::initial_credentials:
        return since(ISOSCOPE_INITIAL_CHECKS);
      default:
        return since(ISOSCOPE_CREDS_CHECKS);
    }
  };
  Invariants result;
  result.units = units;
  result.transitions = since(ISOSCOPE_NAMESPACE_CHANGES) + since(ISOSCOPE_CREDS_CHANGES);
  // Lifecycle too: moves between cgroups (I7), and the start of containers, whose tasks would be the host's.
  result.lost = since(ISOSCOPE_DROPPED_SECURITY) + since(ISOSCOPE_DROPPED_LIFECYCLE);
  result.not_followed = since(ISOSCOPE_TASK_FULL);
  for (std::size_t i = 0; i < event::invariants; ++i) {
    const auto invariant = static_cast<Invariant>(i + 1);
    const bool watched = invariant != Invariant::system_call || legal_paths_;
    result.rows.push_back(
        {invariant, watched, watched ? checks_of(invariant) : 0, std::exchange(breaches_.at(i), 0)});
  }
  if (result.lost > 0 || result.not_followed > 0 || gap) {
    result.incomplete = 1;
    result.in_windows = {window};
  }
  moves_ = 0;
  previous_ = kernel;
  return result;
}

void merge_into(Invariants& sum, const Invariants& window) {
  if (sum.rows.empty()) {
    sum = window;
    return;
  }
  sum.units = std::max(sum.units, window.units);
  sum.transitions += window.transitions;
  sum.lost += window.lost;
  sum.not_followed += window.not_followed;
  for (std::size_t i = 0; i < sum.rows.size() && i < window.rows.size(); ++i) {
    sum.rows[i].checks += window.rows[i].checks;
    sum.rows[i].breaches += window.rows[i].breaches;
  }
  sum.incomplete += window.incomplete;
  for (const std::uint64_t number : window.in_windows) {
    if (sum.in_windows.size() < most_windows) {
      sum.in_windows.push_back(number);
    }
  }
}

}  // namespace isoscope::aggregate
