// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "identity/process.h"
#include "identity/unit.h"
#include "identity/unit_registry.h"
#include "policy/matrix.h"

namespace isoscope::agent {

// Who is on this host, with its processes: each is of one unit, the innermost one; a VMM is of its VM,
// wherever it runs.
struct Census {
  policy::MatrixInput input;
  std::vector<std::optional<identity::Vm>> vms;  // by unit; empty for what is no VM
  std::size_t idle_units = 0;                    // without a process; they are not in `input`
};

// Of a registry that has adopted the processes; `vmms` are those that run vCPUs. Containers, VMs, and pods
// with processes of their own; with `host_software` services, plain cgroups and the host, too.
Census take_census(const identity::UnitRegistry& registry,
                   const std::vector<identity::ProcessInfo>& processes,
                   const std::vector<std::uint32_t>& vmms, bool host_software);

// The VMs that these processes run become known.
void adopt_vms(identity::UnitRegistry& registry, const std::vector<identity::ProcessInfo>& processes,
               const std::vector<std::uint32_t>& vmms);

// The processes of `before` that are the same in `after`: not ended, and in the same cgroup and namespaces.
std::vector<identity::ProcessInfo> settled(const std::vector<identity::ProcessInfo>& before,
                                           const std::vector<identity::ProcessInfo>& after);

}  // namespace isoscope::agent
