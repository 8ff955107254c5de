// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "event/record.h"
#include "identity/unit_registry.h"
#include "policy/violation.h"

namespace isoscope::policy {

// An access by a container, pod or VM to what is not its own; nothing, for others. Whose the target is:
//
//   ptrace, signal, unix_socket       the unit of the target task; own also where it is inside the unit's
//   cgroup, as
//                                     what a runtime just puts there
//   fd, foreign_cwd, foreign_root     the owner of the file's mount namespace; one that is not known is own
//   setns, refused                    the owner of that namespace; the host's where it is not known, as
//   behind
//                                     a pidfd
//   unshare, clone, refused           nobody: its direction is nest
//   all others                        the host: the kernel does it for every unit
//
// The host and host software make it an escape, other units lateral. A socket whose listener is not known is
// the host's. process.exe is left empty: this room reads nothing.
std::optional<Access> resolve_access(const event::Meta& meta, const event::Access& access,
                                     const identity::UnitRegistry& units);

}  // namespace isoscope::policy
