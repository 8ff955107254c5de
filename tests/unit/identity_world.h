// SPDX-License-Identifier: Apache-2.0
// A host made of literal records: what the kernel would report, fed to the registry in the order of the
// agent.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "event/record.h"
#include "identity/unit_registry.h"

namespace isoscope::identity::testing {

using event::Mechanism;
using event::NamespaceSet;
using event::NamespaceType;

// Inums as the kernel has them: the host's are fixed, new ones count on.
inline NamespaceSet host_namespaces() {
  return NamespaceSet{
      {4026531841, 4026531838, 4026531839, 4026531840, 4026531836, 4026531835, 4026531834, 4026531837}};
}

inline NamespaceSet with(NamespaceSet set, NamespaceType type, std::uint32_t inum) {
  set.inum[static_cast<std::size_t>(type)] = inum;
  return set;
}

inline const std::string id_a(64, 'a');
inline const std::string id_b(64, 'b');

// Changes of units, one line each.
inline std::vector<std::string> said(const std::vector<Unit>& changes) {
  std::vector<std::string> lines;
  for (const Unit& unit : changes) {
    lines.push_back(std::string(to_string(unit.ref.kind)) + " " + unit.ref.name + " " +
                    to_string(unit.state));
  }
  return lines;
}

struct Task {
  std::uint32_t pid = 0;
  std::uint64_t home = 1;  // cgroup; the root's id is 1
  std::uint64_t cgroup = 1;
  NamespaceSet namespaces = host_namespaces();
  std::string comm = "task";
  std::uint32_t parent = 1;
};

class World {
 public:
  World()
      : units(CgroupTree(), host_namespaces(),
              UnitRegistry::Reader{.vm =
                                       [this](std::uint32_t pid) {
                                         vm_reads++;
                                         return vms.at(pid);
                                       },
                                   .namespaces = [](std::uint32_t) { return host_namespaces(); },
                                   .has_member =
                                       [this](const CgroupTree&, std::uint64_t cgroup_id, std::uint32_t mnt) {
                                         return members.contains({cgroup_id, mnt});
                                       }}) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  std::vector<Unit> feed(event::Meta meta, event::Payload payload) {
    last = event::Record{meta, std::move(payload)};
    return units.observe(last);
  }

  std::uint64_t mkdir(std::uint64_t parent, const std::string& name) {
    const std::uint64_t id = next_cgroup_++;
    changes = feed({}, event::CgroupMade{.id = id, .parent_id = parent, .level = 1, .name = name});
    return id;
  }
  void rmdir(std::uint64_t id) { changes = feed({}, event::CgroupRemoved{id}); }

  // mkdir -p
  std::uint64_t mkdirs(const std::string& path) {
    std::uint64_t id = 1;
    for (std::size_t begin = 1; begin <= path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      const std::uint64_t known = units.cgroups().id_of(path.substr(0, end));
      id = known != 0 ? known : mkdir(id, path.substr(begin, end - begin));
      begin = end + 1;
    }
    return id;
  }

  Task spawn(const std::string& comm, std::uint64_t cgroup = 1) {
    Task task;
    task.pid = next_pid_++;
    task.home = task.cgroup = cgroup;
    task.comm = comm;
    return task;
  }
  // A child in its parent's namespaces and unit.
  Task fork(const Task& parent) {
    Task child = parent;
    child.pid = next_pid_++;
    child.parent = parent.pid;
    return child;
  }
  Task thread_of(const Unit& unit) {
    Task task;
    task.pid = next_pid_++;
    task.home = task.cgroup = unit.cgroup_id;
    task.namespaces = unit.namespaces;
    task.comm = "sh";
    return task;
  }

  // The record of a task's change to `to`, not yet fed.
  event::Record change(const Task& task, const NamespaceSet& to, Mechanism mechanism) const {
    return event::Record{
        .meta = {.ts_ns = 5, .cgroup_id = task.cgroup, .tgid = task.pid, .tid = task.pid, .cpu = 0},
        .payload = event::NamespacesChanged{.from = task.namespaces,
                                            .to = to,
                                            .home_cgroup_id = task.home,
                                            .start_boot_ns = task.pid * 1000ull,
                                            .cap_effective = 0,
                                            .parent_tgid = task.parent,
                                            .uid = 0,
                                            .mechanism = mechanism,
                                            .seen_at = event::SeenAt::commit,
                                            .comm = task.comm}};
  }
  void move(Task& task, const NamespaceSet& to, Mechanism mechanism) {
    last = change(task, to, mechanism);
    changes = units.observe(last);
    task.namespaces = to;
  }
  void unshare(Task& task, const std::vector<NamespaceType>& types) {
    move(task, fresh(task.namespaces, types), Mechanism::unshare);
  }
  NamespaceSet fresh(NamespaceSet set, const std::vector<NamespaceType>& types) {
    for (const NamespaceType type : types) {
      set = with(set, type, next_inum_++);
    }
    return set;
  }

  event::Record attach_record(const Task& task, std::uint64_t cgroup) const {
    return event::Record{.meta = {.ts_ns = 5, .cgroup_id = 1, .tgid = 1, .tid = 1, .cpu = 0},
                         .payload = event::CgroupAttached{.to_cgroup_id = cgroup,
                                                          .home_cgroup_id = task.home,
                                                          .moved_tgid = task.pid,
                                                          .moved_tid = task.pid,
                                                          .comm = task.comm}};
  }
  void attach(Task& task, std::uint64_t cgroup) {
    last = attach_record(task, cgroup);
    changes = units.observe(last);
    task.cgroup = cgroup;
  }

  // Runs a program. In a mount namespace that the parent does not have, it comes into the unit of its cgroup.
  void exec(Task& task, const std::string& comm, std::uint32_t parent_mnt = host_namespaces().inum[0]) {
    task.comm = comm;
    changes.clear();
    if (task.namespaces[NamespaceType::mnt] != parent_mnt) {
      task.home = task.cgroup;
      changes = feed({.ts_ns = 5, .cgroup_id = task.cgroup, .tgid = task.pid, .tid = task.pid, .cpu = 0},
                     event::Exec{.namespaces = task.namespaces,
                                 .start_boot_ns = task.pid * 1000ull,
                                 .parent_tgid = task.parent,
                                 .comm = comm});
    }
  }

  // What runc does, as records: the container's first stage is put into the cgroup, unshares and forks, and
  // only the last stage runs the container's program. Returns that task.
  Task run_container(const std::string& path, std::optional<std::uint32_t> joined_net = std::nullopt) {
    const Task runc = spawn("runc");
    const std::uint64_t cgroup = mkdirs(path);
    Task stage = fork(runc);
    attach(stage, cgroup);
    if (joined_net) {
      move(stage, with(stage.namespaces, NamespaceType::net, *joined_net), Mechanism::setns);
    }
    std::vector<NamespaceType> types{NamespaceType::mnt, NamespaceType::uts, NamespaceType::ipc,
                                     NamespaceType::pid};
    if (!joined_net) {
      types.push_back(NamespaceType::net);
    }
    unshare(stage, types);
    Task init = fork(stage);
    unshare(init, {NamespaceType::cgroup});
    exec(init, "sh");
    return init;
  }

  UnitRegistry units;
  std::map<std::uint32_t, Vm> vms;
  int vm_reads = 0;
  std::set<std::pair<std::uint64_t, std::uint32_t>> members;  // mount namespaces of processes in a cgroup
  event::Record last;                                         // as it was fed
  std::vector<Unit> changes;                                  // of the last step

 private:
  std::uint64_t next_cgroup_ = 100;
  std::uint32_t next_pid_ = 1000;
  std::uint32_t next_inum_ = 4026532200;
};

}  // namespace isoscope::identity::testing
