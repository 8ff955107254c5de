// SPDX-License-Identifier: Apache-2.0
#include "policy/access.h"

#include <algorithm>

namespace isoscope::policy {

namespace {

using event::AccessKind;
using identity::Unit;
using identity::UnitRegistry;

// Null: the unit's own, or nobody's that is known.
const Unit* owner_of_task(const Unit& subject, const event::Access& access, const UnitRegistry& units) {
  if (access.target_in_cgroup_id != 0 && units.is_within(access.target_in_cgroup_id, subject)) {
    return nullptr;
  }
  if (access.target_cgroup_id == 0) {
    return &units.host();
  }
  const Unit& owner = units.unit_of_task(access.target_cgroup_id, access.target_tgid);
  return units.is_within(owner, subject) ? nullptr : &owner;
}

const Unit* owner_of_namespace(const Unit& subject, event::NamespaceType type, std::uint32_t inum,
                               const UnitRegistry& units) {
  const identity::NamespaceOwners owners = units.owners_of(type, inum);
  const auto is_own = [&](const Unit* unit) { return units.is_within(*unit, subject); };
  if (owners.is_host) {
    return &units.host();
  }
  if (std::any_of(owners.holders.begin(), owners.holders.end(), is_own)) {
    return nullptr;
  }
  if (!owners.holders.empty()) {
    return owners.holders.front();
  }
  const bool is_known = owners.maker != nullptr && !is_own(owners.maker);
  return is_known ? owners.maker : nullptr;
}

const Unit* owner_of_entered(const Unit& subject, const event::Access& access, const UnitRegistry& units) {
  const std::vector<event::NamespaceType> types = event::namespaces_of_flags(access.detail);
  return access.target_inum == 0 || types.size() != 1
             ? &units.host()
             : owner_of_namespace(subject, types.front(), access.target_inum, units);
}

const Unit* owner_of_target(const Unit& subject, const event::Access& access, const UnitRegistry& units) {
  switch (access.kind) {
    case AccessKind::ptrace:
    case AccessKind::signal:
    case AccessKind::unix_connect:
      return owner_of_task(subject, access, units);
    case AccessKind::file_received:
    case AccessKind::foreign_cwd:
    case AccessKind::foreign_root:
      return owner_of_namespace(subject, event::NamespaceType::mnt, access.detail, units);
    case AccessKind::setns:
      return owner_of_entered(subject, access, units);
    case AccessKind::unshare:
    case AccessKind::clone:
      return &subject;
    case AccessKind::release_agent:
    case AccessKind::core_pattern:
    case AccessKind::usermode_helper:
    case AccessKind::module_load:
    case AccessKind::bpf:
      break;
  }
  return &units.host();
}

}  // namespace

std::optional<Access> resolve_access(const event::Meta& meta, const event::Access& access,
                                     const UnitRegistry& units) {
  const Unit& subject = units.unit_of_task(access.home_cgroup_id, meta.tgid);
  if (identity::is_host_software(subject)) {
    return std::nullopt;
  }
  const Unit* owner = owner_of_target(subject, access, units);
  if (owner == nullptr) {
    return std::nullopt;
  }
  Access result;
  result.ts_mono_ns = meta.ts_ns;
  result.process = {.pid = meta.tgid,
                    .tid = meta.tid,
                    .parent_pid = access.parent_tgid,
                    .uid = access.uid,
                    .comm = access.comm,
                    .exe = {},
                    .start_boot_ns = access.start_boot_ns,
                    .cap_effective = access.cap_effective,
                    .exe_file = access.exe};
  result.from = subject.ref;
  result.to = owner->ref;
  if (owner == &subject) {  // it wanted something new
    result.direction = Direction::nest;
  } else {
    result.direction = identity::is_host_software(*owner) ? Direction::escape : Direction::lateral;
  }
  result.kind = access.kind;
  result.detail = access.detail;
  result.error = access.error;
  // What is written into a file of the kernel's ends with a newline.
  result.path = access.path.substr(0, access.path.find('\n'));
  result.target_pid = access.target_tgid;
  return result;
}

}  // namespace isoscope::policy
