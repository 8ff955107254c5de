// SPDX-License-Identifier: Apache-2.0
// Units and what their runtimes have written down of them.
#include <optional>
#include <utility>

#include "identity/runtime_metadata.h"
#include "identity/unit_registry.h"

namespace isoscope::identity {

namespace {

bool names_unit(const VmScope& scope, const UnitRef& unit) {
  return ((scope.kind == VmScopeKind::container && unit.kind == UnitKind::container) ||
          (scope.kind == VmScopeKind::pod && unit.kind == UnitKind::pod)) &&
         scope.id == unit.id;
}

// Of the pod, as one of its containers has it. The sandbox's labels are the pod's.
Metadata of_pod(const Unit& container) {
  const Metadata& inside = container.metadata;
  return {.pod_name = inside.pod_name,
          .pod_namespace = inside.pod_namespace,
          .pod_uid = inside.pod_uid,
          .labels = inside.container == sandbox_name ? inside.labels : decltype(inside.labels)()};
}

}  // namespace

std::vector<Unit> UnitRegistry::describe(std::uint64_t cgroup_id, const Metadata& metadata) {
  const auto found = units_.find(cgroup_id);
  if (found == units_.end() || found->second.state == UnitState::stopped) {
    return {};
  }
  std::vector<Unit> changes;
  const auto take = [&changes](std::optional<Unit> change) {
    if (change) {
      changes.push_back(*std::move(change));
    }
  };
  Unit& unit = found->second;
  take(tell(unit, metadata, display_name(metadata)));
  Unit* around = innermost(cgroups_.parent_of(cgroup_id));
  if (around != nullptr && around->ref.kind == UnitKind::pod && !unit.metadata.pod_name.empty()) {
    Metadata pod = of_pod(unit);
    if (pod.labels.empty()) {
      pod.labels = around->metadata.labels;
    }
    take(tell(*around, pod, unit.metadata.pod_name));
  }
  return changes;
}

// What the cgroup's path says of runtime and pod stays: ids are made of it.
std::optional<Unit> UnitRegistry::tell(Unit& unit, const Metadata& metadata, const std::string& name) {
  Metadata merged{.runtime = unit.metadata.runtime, .pod_uid = unit.metadata.pod_uid};
  fill_in(merged, metadata);
  if (merged == unit.metadata) {
    return std::nullopt;
  }
  unit.metadata = std::move(merged);
  if (!name.empty()) {
    unit.ref.name = name;
  }
  for (auto& [pid, process] : vms_) {
    if (process.vm.scope && names_unit(*process.vm.scope, unit.ref)) {
      process.vm.scope->name = unit.ref.name;
    }
  }
  Unit change = unit;
  change.state = UnitState::updated;
  return change;
}

void UnitRegistry::name_scope(Vm& vm) const {
  const Unit* unit = vm.scope ? innermost(vm.cgroup_id) : nullptr;
  for (; unit != nullptr; unit = innermost(cgroups_.parent_of(unit->cgroup_id))) {
    if (names_unit(*vm.scope, unit->ref)) {
      vm.scope->name = unit->ref.name;
    }
  }
}

const Unit* UnitRegistry::find_unit(std::uint64_t cgroup_id) const {
  const auto found = units_.find(cgroup_id);
  return found == units_.end() ? nullptr : &found->second;
}

const Unit* UnitRegistry::parent_of(const Unit& unit) const {
  // A VM without a cgroup of its own is in the unit of that cgroup.
  const Unit* own = find_unit(unit.cgroup_id);
  const bool has_cgroup = own != nullptr && own->ref.kind == unit.ref.kind && own->ref.id == unit.ref.id;
  const Unit* around = innermost(has_cgroup ? cgroups_.parent_of(unit.cgroup_id) : unit.cgroup_id);
  while (around != nullptr && (around->ref.kind == UnitKind::cgroup || around->ref.kind == UnitKind::host)) {
    around = innermost(cgroups_.parent_of(around->cgroup_id));
  }
  return around;
}

}  // namespace isoscope::identity
