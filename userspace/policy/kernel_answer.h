// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bitset>
#include <cstddef>

#include "event/record.h"
#include "identity/unit.h"
#include "policy/engine.h"

namespace isoscope::policy {

// What the kernel side may answer with SIGKILL by itself: crossings of one unit into the host's namespaces,
// and breaches, that violate a policy which is enforced whoever makes them. What depends on the process (its
// executable, user or capabilities) or on whose namespace it was is not in it: that is for userspace, which
// knows.
struct KernelAnswers {
  static constexpr std::size_t mechanisms = 5;  // unknown, setns, unshare, clone, none
  static constexpr std::size_t sets = std::size_t{1} << event::namespace_types;

  // By mechanism, and by the set of types that led to the host (bit i: type i).
  std::array<std::bitset<sets>, mechanisms> kill;
  std::bitset<16> invariants;  // by their numbers

  bool empty() const;
};

KernelAnswers kernel_answers(const PolicySet& policies, const identity::UnitRef& unit,
                             const identity::UnitRef& host);

// Whether any of them is enforced.
bool enforces(const PolicySet& policies);

}  // namespace isoscope::policy
