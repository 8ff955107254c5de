// SPDX-License-Identifier: Apache-2.0
#include "agent/census.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

namespace isoscope::agent {

namespace {

using identity::ProcessInfo;
using identity::Unit;
using identity::UnitKind;
using identity::UnitRegistry;

class Counting {
 public:
  Counting(const UnitRegistry& registry, bool host_software)
      : registry_(registry), host_software_(host_software) {
    census_.input.host = registry.host().namespaces;
  }

  void count(const ProcessInfo& process, bool is_vmm) {
    const std::uint64_t cgroup = registry_.cgroups().id_of(process.cgroup_path);
    const Unit& around = registry_.unit_of_cgroup(cgroup);
    if (is_vmm) {
      add_vmm(around, process);
    } else if (is_host_software(around) && !host_software_) {
      census_.input.others.push_back(process);
    } else {
      at(around).processes.push_back(process);
    }
  }

  Census finish() {
    for (std::size_t i = 0; i < units_.size(); ++i) {
      policy::MatrixUnit& unit = census_.input.units[i];
      unit.parent = parent_of(units_[i]);
      if (unit.pod_uid.empty() && unit.parent) {
        unit.pod_uid = census_.input.units[*unit.parent].pod_uid;
      }
    }
    for (const std::uint64_t id : registry_.cgroups().ids()) {
      const Unit* unit = registry_.find_unit(id);
      // A pod has no process of its own; what it is is its containers.
      const bool counts = unit != nullptr && !is_host_software(*unit) && unit->ref.kind != UnitKind::pod;
      census_.idle_units += counts && !by_cgroup_.contains(id) ? 1U : 0U;
    }
    return std::move(census_);
  }

 private:
  policy::MatrixUnit& add(const Unit& unit) {
    units_.push_back(unit);
    census_.vms.emplace_back();
    return census_.input.units.emplace_back(policy::MatrixUnit{
        .ref = unit.ref, .cgroup_path = unit.cgroup_path, .pod_uid = unit.metadata.pod_uid, .processes = {}});
  }

  policy::MatrixUnit& at(const Unit& unit) {
    const auto [found, is_new] = by_cgroup_.try_emplace(unit.cgroup_id, census_.input.units.size());
    return is_new ? add(unit) : census_.input.units[found->second];
  }

  // A VM whose manager gave it a cgroup is that cgroup's unit; any other is a unit by itself.
  void add_vmm(const Unit& around, const ProcessInfo& process) {
    const identity::UnitRef ref = registry_.ref_of_vm(process.pid);
    const identity::Vm* vm = registry_.vm_of(process.pid);
    policy::MatrixUnit* unit = nullptr;
    if (around.ref == ref) {
      unit = &at(around);
    } else {
      Unit own;
      own.ref = ref;
      own.cgroup_id = around.cgroup_id;
      own.cgroup_path = process.cgroup_path;
      unit = &add(own);
    }
    unit->main_pid = process.pid;
    unit->processes.push_back(process);
    const auto index = static_cast<std::size_t>(unit - census_.input.units.data());
    if (vm != nullptr) {
      census_.vms[index] = *vm;
      if (vm->scope && vm->scope->kind == identity::VmScopeKind::pod) {
        unit->pod_uid = vm->scope->id;
      }
    }
  }

  // The next unit around it that has a row, and is no host software.
  std::optional<std::size_t> parent_of(const Unit& unit) const {
    for (const Unit* around = registry_.parent_of(unit); around != nullptr;
         around = registry_.parent_of(*around)) {
      const auto found = by_cgroup_.find(around->cgroup_id);
      if (found != by_cgroup_.end() && !is_host_software(*around)) {
        return found->second;
      }
    }
    return std::nullopt;
  }

  const UnitRegistry& registry_;
  bool host_software_;
  Census census_;
  std::vector<Unit> units_;  // as census_.input.units
  std::unordered_map<std::uint64_t, std::size_t> by_cgroup_;
};

}  // namespace

Census take_census(const UnitRegistry& registry, const std::vector<ProcessInfo>& processes,
                   const std::vector<std::uint32_t>& vmms, bool host_software) {
  Counting counting(registry, host_software);
  for (const ProcessInfo& process : processes) {
    counting.count(process, std::find(vmms.begin(), vmms.end(), process.pid) != vmms.end());
  }
  return counting.finish();
}

void adopt_vms(UnitRegistry& registry, const std::vector<ProcessInfo>& processes,
               const std::vector<std::uint32_t>& vmms) {
  for (const ProcessInfo& process : processes) {
    if (std::find(vmms.begin(), vmms.end(), process.pid) != vmms.end()) {
      registry.observe({.meta = {.cgroup_id = registry.cgroups().id_of(process.cgroup_path),
                                 .tgid = process.pid,
                                 .tid = process.pid},
                        .payload = event::VcpuSeen{}});
    }
  }
}

std::vector<ProcessInfo> settled(const std::vector<ProcessInfo>& before,
                                 const std::vector<ProcessInfo>& after) {
  std::unordered_map<std::uint32_t, const ProcessInfo*> by_pid;
  for (const ProcessInfo& process : after) {
    by_pid[process.pid] = &process;
  }
  std::vector<ProcessInfo> same;
  std::copy_if(before.begin(), before.end(), std::back_inserter(same), [&](const ProcessInfo& process) {
    const auto now = by_pid.find(process.pid);
    return now != by_pid.end() && now->second->start_ticks == process.start_ticks &&
           now->second->cgroup_path == process.cgroup_path && now->second->namespaces == process.namespaces;
  });
  return same;
}

}  // namespace isoscope::agent
