// SPDX-License-Identifier: Apache-2.0
#include "identity/unit_enrichment.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace isoscope::identity {

namespace {

bool is_same(const Unit& a, const Unit& b) {
  return a.cgroup_id == b.cgroup_id && a.ref.kind == b.ref.kind && a.ref.id == b.ref.id;
}

// The runtime of a container in a container is in there, and so are its files. What this host's files say of
// such an id is about another container, or the name was made up to look so.
bool is_nested(const UnitRegistry& registry, const Unit& unit) {
  const Unit* around = registry.parent_of(unit);
  while (around != nullptr && around->ref.kind != UnitKind::container && around->ref.kind != UnitKind::vm) {
    around = registry.parent_of(*around);
  }
  return around != nullptr;
}

void name_parent(const UnitRegistry& registry, Unit& unit) {
  const Unit* parent = registry.parent_of(unit);
  unit.parent = parent != nullptr ? std::optional(parent->ref) : std::nullopt;
}

}  // namespace

std::vector<Unit> UnitEnrichment::take(std::vector<Unit> changes, std::uint64_t now_ns) {
  std::vector<Unit> updates;
  for (const Unit& unit : changes) {
    auto found = look_up(unit, now_ns);
    std::move(found.begin(), found.end(), std::back_inserter(updates));
  }
  for (const Unit& update : updates) {
    const auto known = std::find_if(changes.begin(), changes.end(),
                                    [&update](const Unit& unit) { return is_same(unit, update); });
    if (known == changes.end()) {
      changes.push_back(update);
    } else {
      known->ref = update.ref;
      known->metadata = update.metadata;
    }
  }
  for (Unit& unit : changes) {
    name_parent(registry_, unit);
  }
  return changes;
}

std::vector<Unit> UnitEnrichment::look_up(const Unit& unit, std::uint64_t now_ns) {
  if (unit.ref.kind != UnitKind::container) {
    return {};
  }
  if (unit.state == UnitState::stopped) {
    cache_.drop(unit.cgroup_id);
    return {};
  }
  auto query = unit.state == UnitState::created ? std::nullopt : metadata_query(unit);
  if (!query || is_nested(registry_, unit)) {
    return {};
  }
  const auto metadata = cache_.first_look(unit.cgroup_id, *std::move(query), now_ns);
  return metadata ? registry_.describe(unit.cgroup_id, *metadata) : std::vector<Unit>{};
}

std::vector<Unit> UnitEnrichment::retry(std::uint64_t now_ns) {
  std::vector<Unit> changes;
  for (const MetadataCache::Found& found : cache_.retry(now_ns)) {
    for (Unit& unit : registry_.describe(found.cgroup_id, found.metadata)) {
      name_parent(registry_, unit);
      changes.push_back(std::move(unit));
    }
  }
  return changes;
}

}  // namespace isoscope::identity
