// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel_enforcement.h"

#include <algorithm>

#include "abi/knobs.h"

namespace isoscope::agent {

namespace {

static_assert(policy::KernelAnswers::mechanisms == ISOSCOPE_ENFORCED_MECHANISMS);
static_assert(static_cast<int>(event::Mechanism::none) == ISOSCOPE_MECHANISM_NONE);

isoscope_enforcement as_told(const policy::KernelAnswers& answers, const identity::Unit& unit) {
  isoscope_enforcement told{};
  std::copy(unit.namespaces.inum.begin(), unit.namespaces.inum.end(), std::begin(told.own.inum));
  told.invariants = answers.invariants.to_ulong();
  for (std::size_t mechanism = 0; mechanism < answers.kill.size(); ++mechanism) {
    for (std::size_t set = 0; set < policy::KernelAnswers::sets; ++set) {
      told.kill[mechanism][set / 64] |= std::uint64_t{answers.kill[mechanism][set]} << (set % 64);
    }
  }
  return told;
}

}  // namespace

void KernelEnforcement::renew() {
  pause();
  const bool was_active = active_;
  active_ = policy::enforces(policies_);
  if (!active_ && !was_active) {
    return;
  }
  Known known;
  for (const std::uint64_t id : registry_.cgroups().ids()) {
    renew(id, known);
  }
  probe_.enforce(active_);
}

// A removed cgroup is resolved for some windows more, and must not come back: nobody would take it away
// again.
void KernelEnforcement::renew(std::uint64_t cgroup_id, Known& known) {
  const identity::Unit& unit = registry_.unit_of_task(cgroup_id, 0);
  const std::string* const path = registry_.cgroups().path_of(cgroup_id);
  const bool wanted = active_ && registry_.cgroups().exists(cgroup_id) &&
                      unit.state != identity::UnitState::stopped && !identity::is_host_software(unit) &&
                      filter_.passes({&unit.ref, nullptr, path, 0});
  if (!wanted) {
    probe_.forget_enforcement(cgroup_id);
    return;
  }
  const auto [answers, is_new] = known.try_emplace(&unit);
  if (is_new) {
    answers->second = policy::kernel_answers(policies_, unit.ref, registry_.host().ref);
  }
  if (answers->second.empty()) {
    probe_.forget_enforcement(cgroup_id);
  } else {
    probe_.set_enforcement(cgroup_id, as_told(answers->second, unit));
  }
}

void KernelEnforcement::take(const identity::Unit& unit) {
  if (!active_ || unit.cgroup_id == 0 || identity::is_host_software(unit)) {  // these have no answers
    return;
  }
  Known known;
  for (const std::uint64_t id : registry_.cgroups().ids()) {
    if (registry_.is_within(id, unit)) {
      renew(id, known);
    }
  }
}

void KernelEnforcement::take(const event::Record& record) {
  if (!active_) {
    return;
  }
  if (const auto* const made = std::get_if<event::CgroupMade>(&record.payload)) {
    Known known;
    renew(made->id, known);
  } else if (const auto* const removed = std::get_if<event::CgroupRemoved>(&record.payload)) {
    probe_.forget_enforcement(removed->id);
  }
}

}  // namespace isoscope::agent
