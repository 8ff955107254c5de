// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "event/record.h"
#include "identity/cgroup_tree.h"
#include "identity/namespace_index.h"
#include "identity/process.h"
#include "identity/unit.h"

namespace isoscope::identity {

// Who has a namespace, as far as it is known. Pointers live until the registry changes.
struct NamespaceOwners {
  bool is_host = false;              // the host's own: one of pid 1's
  std::vector<const Unit*> holders;  // units that started with it; several where a pod shares it
  const Unit* maker = nullptr;  // made it later, or was seen in it first; the host unit for host software
};

// The units of this host, their life and their boundaries. Fed in the order of the records; every call that
// may change a unit returns the changes for the outputs.
//
// A unit is known by its cgroup; a task belongs to the innermost unit around its home cgroup. Plain cgroups
// and services are host software: units for the accounts, without a boundary of their own. A cgroup whose
// path says nothing becomes a container when a program starts in it in mount and pid namespaces of its own,
// and no process in it has the mount namespace around it: a runtime made it for that program. A sandbox that
// a program makes for itself (bubblewrap in a session) has that program beside it, and leaves its cgroup what
// it is.
//
// All state goes when its cgroup or process goes; no claim on a namespace outlives its unit.
class UnitRegistry {
 public:
  // What must be read of a process; given from outside so that tests decide it.
  struct Reader {
    std::function<Vm(std::uint32_t pid)> vm;
    std::function<event::NamespaceSet(std::uint32_t pid)> namespaces;
    // Whether a process in that very cgroup has this mount namespace.
    std::function<bool(const CgroupTree& cgroups, std::uint64_t cgroup_id, std::uint32_t mnt)> has_member;
  };
  static Reader proc_reader(const std::string& proc_root = default_proc_root,
                            kernel::CgroupController controller = kernel::CgroupController::unified);

  UnitRegistry(CgroupTree cgroups, const event::NamespaceSet& host_namespaces, Reader reader);

  // The walk at start, once, after the BPF programs are attached and before the first record.
  std::vector<Unit> adopt(const std::vector<ProcessInfo>& processes, std::uint64_t now_boot_ns);

  // Records of units were lost, nobody knows which. Finds the cgroups that came and went unseen, and
  // remembers which of those that are there may have started unseen.
  std::vector<Unit> suspect_losses();
  // A window later, when a runtime is through with what it was doing then: those of them that have not
  // started since, but have a process of a container in them, are `found`.
  std::vector<Unit> recover(const std::vector<ProcessInfo>& processes);
  bool suspects_losses() const { return !suspects_.empty(); }

  // Before a record is judged: makes sure that the cgroups it names are known, by a scan if need be.
  std::vector<Unit> prepare(const event::Record& record);
  // The same for a cgroup id from a map.
  std::vector<Unit> learn(std::uint64_t cgroup_id, std::uint64_t now_mono_ns);

  // After a record was judged: what it changes.
  std::vector<Unit> observe(const event::Record& record);

  // The last vCPU of a VMM has ended. Its name stays known, for what its other threads still do.
  std::vector<Unit> end_vm(std::uint32_t pid);
  void forget_process(std::uint32_t pid);

  // What a runtime's files say of the container with this cgroup; its name is that of the unit from then on.
  // The pod around it is told by it, too. Returns what became known, as `updated`.
  std::vector<Unit> describe(std::uint64_t cgroup_id, const Metadata& metadata);

  // At the end of each window, after its counters were named: forgets the cgroups that were removed two
  // windows ago, and says which.
  std::vector<std::uint64_t> expire();

  const Unit& host() const { return host_; }

  // The innermost unit around a cgroup; the host for the root.
  const Unit& unit_of_cgroup(std::uint64_t cgroup_id) const;
  // For records; a cgroup that is not known is `cgroup:ID` and not the host.
  UnitRef ref_of_cgroup(std::uint64_t cgroup_id) const;

  // The VM that a process runs; `pid:NNN` if no vCPU of it was seen.
  UnitRef ref_of_vm(std::uint32_t pid) const;
  // The unit whose own cgroup this is; null: none.
  const Unit* find_unit(std::uint64_t cgroup_id) const;
  // The next container, pod, VM or service around a unit; null: there is none.
  const Unit* parent_of(const Unit& unit) const;

  // The unit that answers for what a task does. A container that has not started is still in the hands of its
  // runtime, which belongs to the unit around it. A VMM in no container is its VM.
  const Unit& unit_of_task(std::uint64_t home_cgroup_id, std::uint32_t pid) const;

  NamespaceOwners owners_of(event::NamespaceType type, std::uint32_t inum) const;

  // Whether a unit's cgroup lies in another unit's subtree; a unit lies within itself.
  bool is_within(const Unit& inner, const Unit& outer) const;
  bool is_within(std::uint64_t cgroup_id, const Unit& outer) const;

  const Vm* vm_of(std::uint32_t pid) const;  // null: no vCPU of that process was seen

  const CgroupTree& cgroups() const { return cgroups_; }
  std::size_t size() const { return units_.size(); }
  std::size_t contained() const;  // of them, those that are no host software; VMs without a cgroup, too
  std::size_t known_namespaces() const { return namespaces_.size(); }

 private:
  struct VmProcess {
    Vm vm;
    Unit unit;
    bool has_cgroup = false;  // its unit is that of unit.cgroup_id; nothing else of `unit` is used
  };

  std::vector<Unit> on(const event::Meta& meta, const event::CgroupMade& made);
  std::vector<Unit> on(const event::Meta& meta, const event::CgroupRemoved& removed);
  std::vector<Unit> on(const event::Meta& meta, const event::Exec& exec);
  std::vector<Unit> on(const event::Meta& meta, const event::NamespacesChanged& change);
  std::vector<Unit> on(const event::Meta& meta, const event::VcpuSeen& seen);
  std::vector<Unit> on(const event::Meta& meta, const event::CgroupAttached& attached);
  std::vector<Unit> on(const event::Meta&, const event::VmExit&) { return {}; }
  std::vector<Unit> on(const event::Meta&, const event::ContextSwitch&) { return {}; }
  std::vector<Unit> on(const event::Meta&, const event::Access&) { return {}; }
  std::vector<Unit> on(const event::Meta&, const event::Breach&) { return {}; }

  std::vector<Unit> rescan();
  Unit* make_unit(std::uint64_t cgroup_id);
  const Unit* innermost(std::uint64_t cgroup_id) const;
  Unit* innermost(std::uint64_t cgroup_id);
  std::vector<Unit> report(const Unit& unit) const;
  std::vector<Unit> stop(std::uint64_t cgroup_id);
  std::vector<Unit> start(Unit& unit, UnitState state, const event::NamespaceSet& namespaces);
  void hold(const Unit& unit);
  Unit& make_container(std::uint64_t cgroup_id);
  bool is_first_of_container(std::uint64_t cgroup_id, const Unit& around,
                             const event::NamespaceSet& namespaces) const;
  const event::NamespaceSet& boundary_around(const Unit& unit) const;
  std::uint64_t owner_id(const Unit& unit) const;
  void put_into_cgroup(Vm& vm, std::uint64_t cgroup_id) const;
  void name_scope(Vm& vm) const;
  std::optional<Unit> tell(Unit& unit, const Metadata& metadata, const std::string& name);

  struct Members;
  Members group(const std::vector<ProcessInfo>& processes) const;
  std::vector<Unit> adopt_cgroup(std::uint64_t cgroup_id, const std::vector<const ProcessInfo*>& processes);
  void adopt_namespaces(std::uint64_t cgroup_id, const std::vector<const ProcessInfo*>& processes);

  CgroupTree cgroups_;
  Reader reader_;
  Unit host_;
  std::unordered_map<std::uint64_t, Unit> units_;  // by the id of the unit's own cgroup
  std::unordered_map<std::uint32_t, VmProcess> vms_;
  NamespaceIndex namespaces_;
  std::vector<std::uint64_t> suspects_;  // cgroups, parents first
  std::uint64_t adopted_at_boot_ns_ = 0;
};

// Host software: no boundary, so that going back to the host's namespaces is nothing.
bool is_host_software(const Unit& unit);

}  // namespace isoscope::identity
