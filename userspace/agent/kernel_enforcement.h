// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

#include "agent/filter.h"
#include "event/record.h"
#include "identity/unit_registry.h"
#include "policy/engine.h"
#include "policy/kernel_answer.h"
#include "probe/probe.h"

namespace isoscope::agent {

// Tells the kernel side which crossings and breaches it is to answer with SIGKILL by itself, in step with the
// policies and the units. Until a unit's record was read it has no answers for it, and some things they
// cannot say (policy/kernel_answer.h): those processes are killed by ourselves (agent/enforce.h).
class KernelEnforcement {
 public:
  // All of them live as long as this.
  KernelEnforcement(probe::Probe& probe, const identity::UnitRegistry& registry, const Filter& filter,
                    const policy::PolicySet& policies)
      : probe_(probe), registry_(registry), filter_(filter), policies_(policies) {}

  // No answers from here on: policies are about to change.
  void pause() { probe_.enforce(false); }
  // For all units there are: at the start, and when there are new policies.
  void renew();
  // A unit has started, has another name, or has stopped.
  void take(const identity::Unit& unit);
  // After the registry has: cgroups come and go within units.
  void take(const event::Record& record);

 private:
  // Of each unit once: they take a thousand judgements.
  using Known = std::map<const identity::Unit*, policy::KernelAnswers>;
  void renew(std::uint64_t cgroup_id, Known& known);

  probe::Probe& probe_;
  const identity::UnitRegistry& registry_;
  const Filter& filter_;
  const policy::PolicySet& policies_;
  bool active_ = false;
};

}  // namespace isoscope::agent
