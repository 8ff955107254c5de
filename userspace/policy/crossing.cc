// SPDX-License-Identifier: Apache-2.0
#include "policy/crossing.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace isoscope::policy {

namespace {

using event::Mechanism;
using event::NamespaceType;
using identity::NamespaceOwners;
using identity::Unit;
using identity::UnitRegistry;

constexpr auto from_worst =
    std::to_array<Direction>({Direction::escape, Direction::lateral, Direction::leave_cgroup, Direction::nest,
                              Direction::own, Direction::enter, Direction::host});

// A direction and the unit it leads to; null: nobody had the namespace.
struct Verdict {
  Direction direction;
  const Unit* owner;
};

// Whose the namespace is, of all who claim it: a unit within the subject, which may be the subject itself,
// before any other. Null: nobody's, or the host's.
const Unit* closest_owner(const Unit& subject, const NamespaceOwners& owners, const UnitRegistry& units) {
  std::vector<const Unit*> claimants = owners.holders;
  if (owners.maker != nullptr && owners.maker->ref.kind != identity::UnitKind::host) {
    claimants.push_back(owners.maker);
  }
  const auto within = std::find_if(claimants.begin(), claimants.end(),
                                   [&](const Unit* unit) { return units.is_within(*unit, subject); });
  if (within != claimants.end()) {
    return *within;
  }
  return claimants.empty() ? nullptr : claimants.front();
}

Verdict judge_host_software(const Unit& subject, const NamespaceOwners& owners, const UnitRegistry& units) {
  const Unit* owner = owners.is_host ? nullptr : closest_owner(subject, owners, units);
  if (owner != nullptr) {
    return {owner == &subject ? Direction::own : Direction::enter, owner};
  }
  const bool is_known = owners.is_host || owners.maker != nullptr;
  return {Direction::host, is_known ? &units.host() : nullptr};
}

Verdict judge_contained(const Unit& subject, NamespaceType type, std::uint32_t to, Mechanism mechanism,
                        const NamespaceOwners& owners, const UnitRegistry& units) {
  if (subject.namespaces[type] == to) {
    return {Direction::own, &subject};
  }
  if (owners.is_host) {
    return {Direction::escape, &units.host()};
  }
  if (const Unit* owner = closest_owner(subject, owners, units)) {
    const bool held = std::find(owners.holders.begin(), owners.holders.end(), owner) != owners.holders.end();
    if (units.is_within(*owner, subject)) {
      return {Direction::own, owner};
    }
    if (held || mechanism != Mechanism::unknown) {
      return {Direction::lateral, owner};
    }
  } else if (owners.maker != nullptr && mechanism != Mechanism::unknown) {
    return {Direction::escape, &units.host()};
  }
  // Nobody's; or somebody made it once, and as the path is not known, it may be a new one with an old inum.
  return {Direction::nest, nullptr};
}

NamespaceMove judge_move(const Unit& subject, NamespaceType type, const event::NamespacesChanged& change,
                         const UnitRegistry& units) {
  const std::uint32_t to = change.to[type];
  const NamespaceOwners owners = units.owners_of(type, to);
  // unshare and clone make namespaces and never join one: whoever had this inum is gone. The host's own live
  // as long as it does, so that those are believed in any case.
  const bool makes = change.mechanism == Mechanism::unshare || change.mechanism == Mechanism::clone;
  const bool contained = !identity::is_host_software(subject);
  Verdict verdict{};
  if (makes && !owners.is_host) {
    verdict = {contained ? Direction::nest : Direction::host, nullptr};
  } else if (contained) {
    verdict = judge_contained(subject, type, to, change.mechanism, owners, units);
  } else {
    verdict = judge_host_software(subject, owners, units);
  }
  NamespaceMove move{.type = type,
                     .from = change.from[type],
                     .to = to,
                     .to_owner = {},
                     .to_is_new = verdict.owner == nullptr,
                     .direction = verdict.direction};
  if (verdict.owner != nullptr) {
    move.to_owner = verdict.owner->ref;
  }
  return move;
}

std::optional<Crossing> resolve_change(const event::Meta& meta, const event::NamespacesChanged& change,
                                       const UnitRegistry& units) {
  const Unit& subject = units.unit_of_task(change.home_cgroup_id, meta.tgid);
  Crossing crossing;
  crossing.ts_mono_ns = meta.ts_ns;
  crossing.process.pid = meta.tgid;
  crossing.process.tid = meta.tid;
  crossing.process.parent_pid = change.parent_tgid;
  crossing.process.uid = change.uid;
  crossing.process.comm = change.comm;
  crossing.process.start_boot_ns = change.start_boot_ns;
  crossing.process.cap_effective = change.cap_effective;
  crossing.process.exe_file = change.exe;
  crossing.from = subject.ref;
  crossing.to = subject.ref;
  crossing.mechanism = change.mechanism;
  crossing.seen_at = change.seen_at;
  crossing.initial = change.initial;
  crossing.answer = change.answer;
  for (std::size_t i = 0; i < event::namespace_types; i++) {
    const auto type = static_cast<NamespaceType>(i);
    // 0: the kernel lacks the type, or the task has no namespaces any more.
    if (change.to[type] != 0 && change.to[type] != change.from[type]) {
      crossing.moves.push_back(judge_move(subject, type, change, units));
    }
  }
  const auto worst = std::min_element(
      crossing.moves.begin(), crossing.moves.end(),
      [](const NamespaceMove& a, const NamespaceMove& b) { return rank(a.direction) < rank(b.direction); });
  if (worst == crossing.moves.end()) {
    return std::nullopt;
  }
  crossing.direction = worst->direction;
  if (!worst->to_is_new) {
    crossing.to = worst->to_owner;
  }
  return crossing;
}

// A task is moved, or born, out of the container it belongs to. Being moved into one is how a runtime starts
// things.
std::optional<Crossing> resolve_attach(const event::Meta& meta, const event::CgroupAttached& attached,
                                       const UnitRegistry& units) {
  const Unit& subject = units.unit_of_task(attached.home_cgroup_id, attached.moved_tgid);
  if (subject.ref.kind != identity::UnitKind::container || units.is_within(attached.to_cgroup_id, subject)) {
    return std::nullopt;
  }
  Crossing crossing;
  crossing.ts_mono_ns = meta.ts_ns;
  crossing.process.pid = attached.moved_tgid;
  crossing.process.tid = attached.moved_tid;
  crossing.process.comm = attached.comm;
  crossing.process.exe_file = attached.exe;
  crossing.from = subject.ref;
  crossing.to = units.ref_of_cgroup(attached.to_cgroup_id);
  crossing.direction = Direction::leave_cgroup;
  crossing.mechanism = attached.mechanism;
  if (const std::string* path = units.cgroups().path_of(attached.to_cgroup_id)) {
    crossing.to_cgroup = *path;
  }
  return crossing;
}

}  // namespace

int rank(Direction direction) {
  return static_cast<int>(std::find(from_worst.begin(), from_worst.end(), direction) - from_worst.begin());
}

std::optional<Crossing> resolve(const event::Record& record, const UnitRegistry& units) {
  if (const auto* change = std::get_if<event::NamespacesChanged>(&record.payload)) {
    return resolve_change(record.meta, *change, units);
  }
  if (const auto* attached = std::get_if<event::CgroupAttached>(&record.payload)) {
    return resolve_attach(record.meta, *attached, units);
  }
  return std::nullopt;
}

}  // namespace isoscope::policy
