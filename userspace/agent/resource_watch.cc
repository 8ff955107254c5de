// SPDX-License-Identifier: Apache-2.0
#include "agent/resource_watch.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace isoscope::agent {

namespace {

using event::NamespaceType;
using identity::Unit;
using identity::UnitKind;
using identity::UnitRegistry;

// Where to look for a process of a unit whose own cgroup has none.
constexpr std::size_t cgroups_kept = 4;

bool passes(const Filter& filter, const Unit& unit) {
  const identity::Vm as_vm{unit.ref.id, unit.ref.name, "", "", 0};
  const bool is_vm = unit.ref.kind == UnitKind::vm;
  return filter.passes({&unit.ref, is_vm ? &as_vm : nullptr, &unit.cgroup_path, 0});
}

// A unit in the host's network has no figures of its own: the host's are everybody's.
std::uint32_t own_network(const UnitRegistry& registry, const Unit& unit) {
  const std::uint32_t inum = unit.namespaces[NamespaceType::net];
  return inum == registry.host().namespaces[NamespaceType::net] ? 0 : inum;
}

}  // namespace

void ResourceWatch::start(const UnitRegistry& registry, const Filter& filter) {
  reader_.begin_round();
  if (passes(filter, registry.host())) {
    windows_.begin(registry.host().cgroup_id, reader_.read_machine(registry.cgroups()), clock_());
  }
  for (const std::uint64_t id : registry.cgroups().ids()) {
    const Unit& unit = registry.unit_of_cgroup(id);
    older_.insert(id);
    if (unit.cgroup_id != id || windows_.size() >= capacity_ || !passes(filter, unit)) {
      continue;
    }
    if (auto reading = read(registry, Active{&unit, 0, {id}})) {
      windows_.begin(id, *reading, clock_());
    }
  }
}

// In the order of their cgroups' numbers: by age, which no load changes.
std::vector<ResourceWatch::Active> ResourceWatch::active_units(const UnitRegistry& registry,
                                                               const Filter& filter) {
  std::unordered_map<std::uint64_t, Active> found;
  for (const auto& [cgroup_id, on_cpu_ns] : std::exchange(ran_, {})) {
    const auto add = [&, cgroup = cgroup_id, ns = on_cpu_ns](const Unit& unit) {
      Active& active = found[unit.cgroup_id];
      if (active.unit == nullptr) {
        active = Active{&unit, 0, {unit.cgroup_id}};
      }
      active.on_cpu_ns += ns;
      if (cgroup != unit.cgroup_id && active.cgroup_ids.size() < cgroups_kept) {
        active.cgroup_ids.push_back(cgroup);
      }
    };
    const Unit* unit = &registry.unit_of_cgroup(cgroup_id);
    for (bool innermost = true; unit->ref.kind != UnitKind::host; innermost = false) {
      if (innermost || unit->ref.kind != UnitKind::cgroup) {
        add(*unit);
      }
      unit = &registry.unit_of_cgroup(registry.cgroups().parent_of(unit->cgroup_id));
    }
    add(*unit);
  }
  std::vector<Active> units;
  units.reserve(found.size());
  for (auto& [id, active] : found) {
    if (passes(filter, *active.unit)) {
      units.push_back(std::move(active));
    }
  }
  std::sort(units.begin(), units.end(),
            [](const Active& a, const Active& b) { return a.unit->cgroup_id < b.unit->cgroup_id; });
  return units;
}

// A cgroup that was not there at the start has had nothing before it was made.
void ResourceWatch::begin(const Unit& unit, std::uint64_t start_ns) {
  if (!windows_.knows(unit.cgroup_id) && !older_.contains(unit.cgroup_id)) {
    windows_.begin_empty(unit.cgroup_id, start_ns);
  }
}

std::optional<identity::ResourceReading> ResourceWatch::read(const UnitRegistry& registry,
                                                             const Active& active) {
  const Unit& unit = *active.unit;
  if (unit.ref.kind == UnitKind::host) {
    return reader_.read_machine(registry.cgroups());
  }
  auto reading = reader_.read(registry.cgroups(), unit.cgroup_id);
  if (const std::uint32_t inum = own_network(registry, unit); reading && inum != 0) {
    reading->network =
        reader_.read_network(registry.cgroups(), active.cgroup_ids, inum, network_members_[unit.cgroup_id]);
  }
  return reading;
}

std::vector<aggregate::ResourcesRow> ResourceWatch::close(const UnitRegistry& registry, const Filter& filter,
                                                          std::uint64_t start_ns) {
  reader_.begin_round();
  forget(registry);
  std::vector<Active> units = active_units(registry, filter);
  for (const Active& active : units) {
    begin(*active.unit, start_ns);
  }
  left_out_ = units.size() - std::min(units.size(), capacity_);
  if (left_out_ > 0) {
    const auto end = units.begin() + static_cast<std::ptrdiff_t>(capacity_);
    std::nth_element(units.begin(), end, units.end(),
                     [](const Active& a, const Active& b) { return a.on_cpu_ns > b.on_cpu_ns; });
    units.erase(end, units.end());
  }
  std::vector<aggregate::ResourcesRow> rows;
  rows.reserve(units.size());
  for (const Active& active : units) {
    const Unit& unit = *active.unit;
    auto reading = read(registry, active);
    if (!reading) {
      continue;
    }
    if (auto row = windows_.close(unit.cgroup_id, *reading, clock_())) {
      row->unit = unit.ref;
      row->cgroup_id = registry.cgroups().id_of(unit.cgroup_path);
      row->cgroup_path = unit.cgroup_path;
      rows.push_back(std::move(*row));
    }
  }
  return rows;
}

void ResourceWatch::forget(const UnitRegistry& registry) {
  const auto gone = [&](std::uint64_t id) {
    return id != registry.host().cgroup_id && registry.cgroups().path_of(id) == nullptr;
  };
  windows_.forget_if(gone);
  std::erase_if(older_, gone);
  std::erase_if(network_members_, [&](const auto& entry) { return gone(entry.first); });
}

}  // namespace isoscope::agent
