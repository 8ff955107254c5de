// SPDX-License-Identifier: Apache-2.0
// Units whose start was not seen, from a walk of the processes: those that are there when the agent starts,
// and those whose records were lost.
#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "identity/cgroup_path.h"
#include "identity/unit_registry.h"

namespace isoscope::identity {

namespace {

using event::NamespaceSet;
using event::NamespaceType;

using Processes = std::vector<const ProcessInfo*>;

// The unit's first process, if its start had been seen: the oldest one that is not in the mount namespace
// around it (a runtime's helper may be), or else the oldest.
const ProcessInfo* first_of(const Processes& processes, std::uint32_t outer_mnt) {
  const auto older = [outer_mnt](const ProcessInfo* a, const ProcessInfo* b) {
    const bool a_outside = a->namespaces[NamespaceType::mnt] == outer_mnt;
    const bool b_outside = b->namespaces[NamespaceType::mnt] == outer_mnt;
    return a_outside != b_outside ? b_outside : a->start_ticks < b->start_ticks;
  };
  const auto first = std::min_element(processes.begin(), processes.end(), older);
  return first == processes.end() ? nullptr : *first;
}

bool all_have_own(const Processes& processes, const NamespaceSet& outer) {
  return std::all_of(processes.begin(), processes.end(), [&outer](const ProcessInfo* process) {
    return process->namespaces[NamespaceType::mnt] != outer[NamespaceType::mnt] &&
           process->namespaces[NamespaceType::pid] != outer[NamespaceType::pid];
  });
}

}  // namespace

// Processes by the unit they are in, and by their cgroup: a unit that no path tells has one of its own.
struct UnitRegistry::Members {
  std::map<std::string, Processes> by_cgroup;
  std::map<std::string, Processes> by_unit;
};

UnitRegistry::Members UnitRegistry::group(const std::vector<ProcessInfo>& processes) const {
  Members members;
  for (const ProcessInfo& process : processes) {
    const std::uint64_t cgroup = cgroups_.id_of(process.cgroup_path);
    if (const Unit* unit = innermost(cgroup)) {
      members.by_unit[unit->cgroup_path].push_back(&process);
      members.by_cgroup[process.cgroup_path].push_back(&process);
    }
  }
  return members;
}

std::vector<Unit> UnitRegistry::adopt(const std::vector<ProcessInfo>& processes, std::uint64_t now_boot_ns) {
  adopted_at_boot_ns_ = now_boot_ns;
  for (const std::uint64_t id : cgroups_.ids()) {
    make_unit(id);
  }
  Members members = group(processes);
  std::vector<Unit> changes;
  for (const std::uint64_t id : cgroups_.ids()) {
    const std::string& path = *cgroups_.path_of(id);
    const bool is_unit = units_.contains(id);
    auto adopted = adopt_cgroup(id, is_unit ? members.by_unit[path] : members.by_cgroup[path]);
    std::move(adopted.begin(), adopted.end(), std::back_inserter(changes));
  }
  for (const auto& [path, inside] : members.by_cgroup) {
    adopt_namespaces(cgroups_.id_of(path), inside);
  }
  return changes;
}

std::vector<Unit> UnitRegistry::suspect_losses() {
  std::vector<Unit> changes = rescan();
  suspects_ = cgroups_.ids();
  return changes;
}

std::vector<Unit> UnitRegistry::recover(const std::vector<ProcessInfo>& processes) {
  Members members = group(processes);
  std::vector<Unit> changes;
  for (const std::uint64_t id : std::exchange(suspects_, {})) {
    const std::string* path = cgroups_.path_of(id);
    const auto own = units_.find(id);
    const bool is_unit = own != units_.end();
    // What has a boundary keeps it, and services need none.
    const bool is_open =
        !is_unit || own->second.state == UnitState::created || own->second.ref.kind == UnitKind::cgroup;
    if (path == nullptr || !is_open) {
      continue;
    }
    for (Unit& unit : adopt_cgroup(id, is_unit ? members.by_unit[*path] : members.by_cgroup[*path])) {
      if (unit.state == UnitState::found) {
        changes.push_back(std::move(unit));
      }
    }
  }
  return changes;
}

std::vector<Unit> UnitRegistry::adopt_cgroup(std::uint64_t cgroup_id, const Processes& processes) {
  Unit* unit = innermost(cgroup_id);
  if (unit == nullptr) {
    return {};
  }
  const bool is_root_of_unit = unit->cgroup_id == cgroup_id;
  const NamespaceSet& outer = boundary_around(*unit);
  const bool says_nothing = unit->ref.kind == UnitKind::cgroup || !is_root_of_unit;
  if (says_nothing) {
    if (processes.empty() || !all_have_own(processes, outer) || !all_have_own(processes, host_.namespaces)) {
      return {};
    }
    const ProcessInfo* first = first_of(processes, outer[NamespaceType::mnt]);
    return start(make_container(cgroup_id), UnitState::found, first->namespaces);
  }
  switch (unit->ref.kind) {
    case UnitKind::service: {
      const ProcessInfo* first = first_of(processes, 0);
      return start(*unit, UnitState::found, first != nullptr ? first->namespaces : NamespaceSet{});
    }
    case UnitKind::container:
    case UnitKind::vm: {
      const ProcessInfo* first = first_of(processes, host_.namespaces[NamespaceType::mnt]);
      const bool is_inside =
          first != nullptr && first->namespaces[NamespaceType::mnt] != host_.namespaces[NamespaceType::mnt];
      if (is_inside || (first != nullptr && unit->ref.kind == UnitKind::vm)) {
        return start(*unit, UnitState::found, first->namespaces);
      }
      return {*unit};
    }
    case UnitKind::pod:  // its first container that is found makes it found
    case UnitKind::cgroup:
    case UnitKind::host:
      return {};
  }
  return {};
}

// What processes have beyond their unit's baseline: sandboxes inside of it.
void UnitRegistry::adopt_namespaces(std::uint64_t cgroup_id, const Processes& processes) {
  const std::uint64_t owner = owner_id(unit_of_task(cgroup_id, 0));
  for (const ProcessInfo* process : processes) {
    for (std::size_t i = 0; i < event::namespace_types; i++) {
      const auto type = static_cast<NamespaceType>(i);
      const std::uint32_t inum = process->namespaces[type];
      if (inum != 0 && inum != host_.namespaces[type] && namespaces_.find(type, inum) == nullptr) {
        namespaces_.make(type, inum, owner);
      }
    }
  }
}

}  // namespace isoscope::identity
