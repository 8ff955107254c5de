// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "event/record.h"
#include "identity/unit_registry.h"
#include "policy/violation.h"

namespace isoscope::policy {

// What a record means for isolation; nothing, for records that are no crossing. To be asked before the
// registry observes the record: afterwards the new namespaces have an owner.
//
// The subject is the unit that answers for the task (UnitRegistry::unit_of_task); host software has no
// boundary, so that whatever it does is `enter`, `own` or `host`. Each type of namespace that changed has a
// direction:
//
//   to                                        from a container, pod or VM    from host software
//   made by this very unshare or clone        nest                           host
//   of the unit's baseline, or made by it     own                            own
//   of a unit inside its cgroup               own                            enter
//   the host's                                escape                         host
//   of another unit                           lateral                        enter
//   made by host software                     escape                         host
//   nobody's that is known                    nest                           host
//
// The crossing's direction is the worst of them: escape, lateral, leave_cgroup, nest, own, enter, host.
// process.exe and ancestry are left empty: this room reads nothing.
std::optional<Crossing> resolve(const event::Record& record, const identity::UnitRegistry& units);

// 0 is the worst.
int rank(Direction direction);

}  // namespace isoscope::policy
