// SPDX-License-Identifier: Apache-2.0
#include "identity/unit_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "identity/cgroup_path.h"
#include "identity/vm.h"
#include "identity/vm_scope.h"

namespace isoscope::identity {

namespace {

using event::Mechanism;
using event::NamespaceSet;
using event::NamespaceType;

constexpr NamespaceType all_types[] = {NamespaceType::mnt,  NamespaceType::uts, NamespaceType::ipc,
                                       NamespaceType::net,  NamespaceType::pid, NamespaceType::cgroup,
                                       NamespaceType::time, NamespaceType::user};
static_assert(std::size(all_types) == event::namespace_types);

void append(std::vector<Unit>& to, std::vector<Unit> from) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
}

// Plain cgroups are too many and say too little to be told one by one.
bool is_reported(const Unit& unit) {
  return unit.ref.kind != UnitKind::cgroup && unit.ref.kind != UnitKind::host;
}

bool is_own(std::uint32_t inum, std::uint32_t outer, std::uint32_t host) {
  return inum != 0 && inum != outer && inum != host;
}

// The others may hold several VMs: their name is none of theirs.
bool is_for_one_vm(VmScopeKind kind) {
  return kind == VmScopeKind::libvirt || kind == VmScopeKind::proxmox || kind == VmScopeKind::firecracker;
}

}  // namespace

bool is_host_software(const Unit& unit) {
  switch (unit.ref.kind) {
    case UnitKind::host:
    case UnitKind::service:
    case UnitKind::cgroup:
      return true;
    case UnitKind::container:
    case UnitKind::pod:
    case UnitKind::vm:
      return false;
  }
  return false;
}

UnitRegistry::Reader UnitRegistry::proc_reader(const std::string& proc_root,
                                               kernel::CgroupController controller) {
  return {.vm = [=](std::uint32_t pid) { return read_vm(pid, proc_root, controller); },
          .namespaces = [proc_root](std::uint32_t pid) { return read_namespaces(pid, proc_root); },
          .has_member =
              [proc_root](const CgroupTree& cgroups, std::uint64_t cgroup_id, std::uint32_t mnt) {
                return has_member_in_mount_namespace(cgroups.folder_of(cgroup_id), mnt, proc_root);
              }};
}

UnitRegistry::UnitRegistry(CgroupTree cgroups, const NamespaceSet& host_namespaces, Reader reader)
    : cgroups_(std::move(cgroups)), reader_(std::move(reader)) {
  host_.state = UnitState::found;
  host_.cgroup_path = host_.ref.id;
  host_.namespaces = host_namespaces;
}

// --- cgroups ---

std::vector<Unit> UnitRegistry::prepare(const event::Record& record) {
  std::vector<Unit> changes;
  const auto need = [&](std::uint64_t id) { append(changes, learn(id, record.meta.ts_ns)); };
  need(record.meta.cgroup_id);
  if (const auto* change = std::get_if<event::NamespacesChanged>(&record.payload)) {
    need(change->home_cgroup_id);
  } else if (const auto* attached = std::get_if<event::CgroupAttached>(&record.payload)) {
    need(attached->home_cgroup_id);
    need(attached->to_cgroup_id);
  } else if (const auto* change_of_task = std::get_if<event::ContextSwitch>(&record.payload)) {
    need(change_of_task->next_cgroup_id);
  } else if (const auto* access = std::get_if<event::Access>(&record.payload)) {
    need(access->home_cgroup_id);
    need(access->target_cgroup_id);
    need(access->target_in_cgroup_id);
  } else if (const auto* breach = std::get_if<event::Breach>(&record.payload)) {
    need(breach->home_cgroup_id);
  } else if (const auto* made = std::get_if<event::CgroupMade>(&record.payload)) {
    need(made->parent_id);
  }
  return changes;
}

std::vector<Unit> UnitRegistry::learn(std::uint64_t cgroup_id, std::uint64_t now_mono_ns) {
  if (cgroup_id == 0 || !cgroups_.may_scan_for(cgroup_id, now_mono_ns)) {
    return {};
  }
  return rescan();
}

std::vector<Unit> UnitRegistry::rescan() {
  // A scan that fails now leaves the cgroup unknown; the next one may succeed.
  const auto scanned = cgroups_.scan();
  if (!scanned) {
    return {};
  }
  std::vector<Unit> changes;
  for (const std::uint64_t id : scanned->added) {
    if (const Unit* unit = make_unit(id)) {
      append(changes, report(*unit));
    }
  }
  for (const std::uint64_t id : scanned->removed) {
    append(changes, stop(id));
  }
  return changes;
}

std::vector<Unit> UnitRegistry::on(const event::Meta&, const event::CgroupMade& made) {
  if (const auto known = units_.find(made.id);
      known != units_.end() && known->second.state != UnitState::stopped) {
    return {};  // a scan was quicker
  }
  if (!cgroups_.add(made)) {
    return {};
  }
  const Unit* unit = make_unit(made.id);
  return unit != nullptr ? report(*unit) : std::vector<Unit>{};
}

// A service begins in the host's namespaces.
std::vector<Unit> UnitRegistry::report(const Unit& unit) const {
  if (!is_reported(unit)) {
    return {};
  }
  Unit copy = unit;
  if (copy.ref.kind == UnitKind::service && copy.namespaces == NamespaceSet{}) {
    copy.namespaces = host_.namespaces;
  }
  return {std::move(copy)};
}

std::vector<Unit> UnitRegistry::on(const event::Meta&, const event::CgroupRemoved& removed) {
  cgroups_.remove(removed.id);
  return stop(removed.id);
}

// The unit whose own cgroup this is, if it is one: not what lies inside a service, a container or a VM.
Unit* UnitRegistry::make_unit(std::uint64_t cgroup_id) {
  const std::string* path = cgroups_.path_of(cgroup_id);
  const auto identity = path != nullptr ? parse_cgroup_path(*path) : std::nullopt;
  if (!identity || identity->root_bytes != path->size()) {
    return nullptr;
  }
  const bool says_little = identity->kind == UnitKind::cgroup || identity->kind == UnitKind::service;
  const Unit* around = innermost(cgroups_.parent_of(cgroup_id));
  if (says_little && around != nullptr && !is_host_software(*around)) {
    return nullptr;
  }
  Unit unit{.ref = {identity->kind, identity->id, identity->name},
            .state = says_little ? UnitState::started : UnitState::created,
            .cgroup_id = cgroup_id,
            .cgroup_path = *path,
            .namespaces = {},
            .metadata = {.runtime = identity->runtime, .pod_uid = identity->pod}};
  return &(units_[cgroup_id] = std::move(unit));
}

const Unit* UnitRegistry::innermost(std::uint64_t cgroup_id) const {
  for (; cgroup_id != 0; cgroup_id = cgroups_.parent_of(cgroup_id)) {
    if (const auto found = units_.find(cgroup_id); found != units_.end()) {
      return &found->second;
    }
  }
  return nullptr;
}

Unit* UnitRegistry::innermost(std::uint64_t cgroup_id) {
  return const_cast<Unit*>(std::as_const(*this).innermost(cgroup_id));
}

// --- life ---

std::vector<Unit> UnitRegistry::observe(const event::Record& record) {
  return std::visit([&](const auto& payload) { return on(record.meta, payload); }, record.payload);
}

std::vector<Unit> UnitRegistry::stop(std::uint64_t cgroup_id) {
  const auto found = units_.find(cgroup_id);
  if (found == units_.end() || found->second.state == UnitState::stopped) {
    return {};
  }
  found->second.state = UnitState::stopped;
  namespaces_.forget(cgroup_id);
  return report(found->second);
}

void UnitRegistry::hold(const Unit& unit) {
  for (const NamespaceType type : all_types) {
    const std::uint32_t inum = unit.namespaces[type];
    if (inum != 0 && inum != host_.namespaces[type]) {
      namespaces_.hold(type, inum, unit.cgroup_id);
    }
  }
}

// Takes the baseline. The pod around a container that starts has started too; it has no tasks of its own.
std::vector<Unit> UnitRegistry::start(Unit& unit, UnitState state, const NamespaceSet& namespaces) {
  unit.state = state;
  unit.namespaces = namespaces;
  hold(unit);
  std::vector<Unit> changes = report(unit);
  Unit* around = innermost(cgroups_.parent_of(unit.cgroup_id));
  if (around != nullptr && around->ref.kind == UnitKind::pod && around->state == UnitState::created) {
    around->state = state;
    changes.push_back(*around);
  }
  return changes;
}

Unit& UnitRegistry::make_container(std::uint64_t cgroup_id) {
  const std::string& path = *cgroups_.path_of(cgroup_id);
  const std::string name = path.substr(path.rfind('/') + 1);
  const bool full_id = is_full_id(name);
  // What was made below it meanwhile lies inside of it from now on.
  std::erase_if(units_, [&](const auto& entry) {
    return is_host_software(entry.second) && cgroups_.is_within(entry.first, cgroup_id);
  });
  Unit& unit = units_[cgroup_id];
  unit = Unit{.ref = {UnitKind::container, full_id ? name : path, full_id ? short_id(name) : name},
              .state = UnitState::created,
              .cgroup_id = cgroup_id,
              .cgroup_path = path,
              .namespaces = {}};
  return unit;
}

const NamespaceSet& UnitRegistry::boundary_around(const Unit& unit) const {
  return is_host_software(unit) || unit.ref.kind == UnitKind::pod ? host_.namespaces : unit.namespaces;
}

bool UnitRegistry::is_first_of_container(std::uint64_t cgroup_id, const Unit& around,
                                         const NamespaceSet& namespaces) const {
  const NamespaceSet& outer = boundary_around(around);
  for (const NamespaceType type : {NamespaceType::mnt, NamespaceType::pid}) {
    if (!is_own(namespaces[type], outer[type], host_.namespaces[type])) {
      return false;
    }
  }
  const auto* entry = namespaces_.find(NamespaceType::mnt, namespaces[NamespaceType::mnt]);
  // Somebody else's boundary: a program that was put into a container from a cgroup of its own.
  if (entry != nullptr && !entry->holders.empty()) {
    return false;
  }
  return !reader_.has_member(cgroups_, cgroup_id, outer[NamespaceType::mnt]);
}

std::vector<Unit> UnitRegistry::on(const event::Meta& meta, const event::Exec& exec) {
  Unit* unit = innermost(meta.cgroup_id);
  if (unit == nullptr || unit->state == UnitState::stopped) {
    return {};
  }
  const std::uint32_t mnt = exec.namespaces[NamespaceType::mnt];
  const bool awaits_start = unit->state == UnitState::created && unit->ref.kind != UnitKind::pod;
  if (awaits_start) {
    // A runtime may run its own programs here, in the host's mount namespace, before it starts the unit's.
    return mnt != host_.namespaces[NamespaceType::mnt] ? start(*unit, UnitState::started, exec.namespaces)
                                                       : std::vector<Unit>{};
  }
  const bool may_be_inside = unit->ref.kind == UnitKind::cgroup || unit->cgroup_id != meta.cgroup_id;
  if (may_be_inside && is_first_of_container(meta.cgroup_id, *unit, exec.namespaces)) {
    return start(make_container(meta.cgroup_id), UnitState::started, exec.namespaces);
  }
  if (unit->ref.kind == UnitKind::service && unit->namespaces == NamespaceSet{} &&
      mnt != host_.namespaces[NamespaceType::mnt]) {
    unit->namespaces = exec.namespaces;  // PrivateTmp= and the like
    hold(*unit);
    Unit update = *unit;
    update.state = UnitState::updated;
    return {std::move(update)};
  }
  return {};
}

// Claims of host software go to the host: `ip netns add` outlives the session it was typed in.
std::uint64_t UnitRegistry::owner_id(const Unit& unit) const {
  return is_host_software(unit) ? NamespaceIndex::host_owner : unit.cgroup_id;
}

std::vector<Unit> UnitRegistry::on(const event::Meta& meta, const event::NamespacesChanged& change) {
  const Unit& unit = unit_of_task(change.home_cgroup_id, meta.tgid);
  const std::uint64_t owner = owner_id(unit);
  for (const NamespaceType type : all_types) {
    const std::uint32_t inum = change.to[type];
    if (inum == 0 || inum == change.from[type] || inum == host_.namespaces[type]) {
      continue;
    }
    const auto* known = namespaces_.find(type, inum);
    // unshare and clone only ever make. Where the path is not known, the last one seen in it is the best
    // guess.
    const bool made = change.mechanism == Mechanism::unshare || change.mechanism == Mechanism::clone;
    const bool guessed =
        change.mechanism == Mechanism::unknown && (known == nullptr || known->holders.empty());
    if (made || guessed || known == nullptr) {
      namespaces_.make(type, inum, owner);
    }
  }
  return {};
}

// --- machines ---

// The path says most; but that a plain cgroup is a container's is known by its namespaces alone.
void UnitRegistry::put_into_cgroup(Vm& vm, std::uint64_t cgroup_id) const {
  const std::string* path = cgroups_.path_of(cgroup_id);
  vm.cgroup_id = cgroup_id;
  vm.cgroup_path = path != nullptr ? *path : "";
  vm.scope = parse_vm_scope(vm.cgroup_path);
  const bool says_little =
      !vm.scope || vm.scope->kind == VmScopeKind::service || vm.scope->kind == VmScopeKind::scope;
  if (const Unit* unit = innermost(cgroup_id);
      says_little && unit != nullptr && unit->ref.kind == UnitKind::container) {
    vm.scope = VmScope{VmScopeKind::container, unit->ref.id, unit->ref.name};
  }
  name_scope(vm);
  if (vm.scope && is_for_one_vm(vm.scope->kind) && vm.name == name_by_pid(vm.pid)) {
    vm.name = vm.scope->name;
  }
}

std::vector<Unit> UnitRegistry::on(const event::Meta& meta, const event::VcpuSeen& seen) {
  if (const auto known = vms_.find(meta.tgid); known != vms_.end()) {
    if (known->second.unit.state != UnitState::stopped) {
      return {};
    }
    vms_.erase(known);  // the next VM of that process, or of another with its id
  }
  const UnitState state = seen.start_boot_ns < adopted_at_boot_ns_ ? UnitState::found : UnitState::started;
  VmProcess process{.vm = reader_.vm(meta.tgid), .unit = {}, .has_cgroup = false};
  // libvirt gives each vCPU a cgroup of its own below that of the VMM.
  const std::uint64_t of_vmm = cgroups_.id_of(process.vm.cgroup_path);
  put_into_cgroup(process.vm, of_vmm != 0 ? of_vmm : meta.cgroup_id);
  Unit* scope = innermost(meta.cgroup_id);
  process.has_cgroup =
      scope != nullptr && scope->ref.kind == UnitKind::vm && scope->state != UnitState::stopped;
  std::vector<Unit> changes;
  if (process.has_cgroup) {
    // Two sources, one machine: the uuid of the command line is the better id.
    scope->ref = {UnitKind::vm, process.vm.id, process.vm.name};
    process.unit.cgroup_id = scope->cgroup_id;
    const bool has_baseline = scope->state != UnitState::created;
    changes = start(*scope, has_baseline ? scope->state : state,
                    has_baseline ? scope->namespaces : reader_.namespaces(meta.tgid));
  } else {
    const std::string* path = cgroups_.path_of(meta.cgroup_id);
    process.unit = Unit{.ref = {UnitKind::vm, process.vm.id, process.vm.name},
                        .state = state,
                        .cgroup_id = meta.cgroup_id,
                        .cgroup_path = path != nullptr ? *path : "",
                        .namespaces = reader_.namespaces(meta.tgid)};
    changes.push_back(process.unit);
  }
  vms_[meta.tgid] = std::move(process);
  return changes;
}

// A manager may put a VMM into its cgroup when its vCPUs run already.
std::vector<Unit> UnitRegistry::on(const event::Meta&, const event::CgroupAttached& attached) {
  if (const auto found = vms_.find(attached.moved_tgid);
      found != vms_.end() && attached.moved_tid == attached.moved_tgid) {
    put_into_cgroup(found->second.vm, attached.to_cgroup_id);
  }
  return {};
}

std::vector<Unit> UnitRegistry::end_vm(std::uint32_t pid) {
  const auto found = vms_.find(pid);
  if (found == vms_.end() || found->second.unit.state == UnitState::stopped) {
    return {};
  }
  found->second.unit.state = UnitState::stopped;
  if (found->second.has_cgroup) {  // that unit ends with its cgroup
    return {};
  }
  return {found->second.unit};
}

void UnitRegistry::forget_process(std::uint32_t pid) {
  vms_.erase(pid);
}

// --- questions ---

std::size_t UnitRegistry::contained() const {
  const auto lives = [](const Unit& unit) {
    return !is_host_software(unit) && unit.state != UnitState::stopped;
  };
  const auto of_cgroups =
      std::count_if(units_.begin(), units_.end(), [&](const auto& entry) { return lives(entry.second); });
  const auto of_processes = std::count_if(vms_.begin(), vms_.end(), [&](const auto& entry) {
    return !entry.second.has_cgroup && lives(entry.second.unit);
  });
  return static_cast<std::size_t>(of_cgroups + of_processes);
}

const Unit& UnitRegistry::unit_of_cgroup(std::uint64_t cgroup_id) const {
  const Unit* unit = innermost(cgroup_id);
  return unit != nullptr ? *unit : host_;
}

UnitRef UnitRegistry::ref_of_cgroup(std::uint64_t cgroup_id) const {
  if (cgroups_.path_of(cgroup_id) == nullptr) {
    const std::string name = fmt::format("cgroup:{}", cgroup_id);
    return {UnitKind::cgroup, name, name};
  }
  return unit_of_cgroup(cgroup_id).ref;
}

UnitRef UnitRegistry::ref_of_vm(std::uint32_t pid) const {
  const auto found = vms_.find(pid);
  if (found == vms_.end()) {
    const std::string name = name_by_pid(pid);
    return {UnitKind::vm, name, name};
  }
  const VmProcess& process = found->second;
  return process.has_cgroup ? unit_of_cgroup(process.unit.cgroup_id).ref : process.unit.ref;
}

const Unit& UnitRegistry::unit_of_task(std::uint64_t home_cgroup_id, std::uint32_t pid) const {
  const Unit* unit = innermost(home_cgroup_id);
  // The pod is skipped with its container: the runtime comes from outside of both. Where it comes from
  // exactly is not known, so that outside of every container it is the host's.
  const bool in_making = unit != nullptr && unit->state == UnitState::created;
  while (unit != nullptr && unit->state == UnitState::created) {
    do {
      unit = innermost(cgroups_.parent_of(unit->cgroup_id));
    } while (unit != nullptr && unit->ref.kind == UnitKind::pod);
  }
  if (unit == nullptr || (in_making && is_host_software(*unit))) {
    unit = &host_;
  }
  const Unit& owner = *unit;
  if (!is_host_software(owner)) {
    return owner;
  }
  const auto vm = vms_.find(pid);
  if (vm == vms_.end() || vm->second.unit.state == UnitState::stopped) {
    return owner;
  }
  return vm->second.has_cgroup ? unit_of_cgroup(vm->second.unit.cgroup_id) : vm->second.unit;
}

NamespaceOwners UnitRegistry::owners_of(NamespaceType type, std::uint32_t inum) const {
  NamespaceOwners owners;
  if (inum == 0) {
    return owners;
  }
  owners.is_host = inum == host_.namespaces[type];
  const auto* entry = namespaces_.find(type, inum);
  if (entry == nullptr) {
    return owners;
  }
  for (const std::uint64_t id : entry->holders) {
    if (const auto unit = units_.find(id); unit != units_.end()) {
      owners.holders.push_back(&unit->second);
    }
  }
  if (entry->maker) {
    const auto unit = units_.find(*entry->maker);
    owners.maker = unit != units_.end() ? &unit->second : &host_;
  }
  return owners;
}

bool UnitRegistry::is_within(const Unit& inner, const Unit& outer) const {
  return is_within(inner.cgroup_id, outer);
}

bool UnitRegistry::is_within(std::uint64_t cgroup_id, const Unit& outer) const {
  return outer.ref.kind == UnitKind::host || cgroups_.is_within(cgroup_id, outer.cgroup_id);
}

const Vm* UnitRegistry::vm_of(std::uint32_t pid) const {
  const auto found = vms_.find(pid);
  return found == vms_.end() ? nullptr : &found->second.vm;
}

std::vector<std::uint64_t> UnitRegistry::expire() {
  std::vector<std::uint64_t> forgotten = cgroups_.expire();
  for (const std::uint64_t id : forgotten) {
    stop(id);
    units_.erase(id);
  }
  return forgotten;
}

}  // namespace isoscope::identity
