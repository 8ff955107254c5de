// SPDX-License-Identifier: Apache-2.0
// Units made by hand: what a walk of the processes would find.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "policy/matrix.h"

namespace isoscope::policy::testing {

class MatrixWorld {
 public:
  MatrixWorld() {
    for (std::size_t type = 0; type < event::namespace_types; type++) {
      input.host.inum[type] = host_inum(static_cast<event::NamespaceType>(type));
    }
  }

  static std::uint32_t host_inum(event::NamespaceType type) {
    return 4026531834 + static_cast<std::uint32_t>(type);
  }

  // With one process, in the host's namespaces.
  std::size_t add(identity::UnitKind kind, const std::string& name, const std::string& cgroup_path) {
    const std::uint32_t pid = next_pid_++;
    MatrixUnit unit;
    unit.ref = {kind, name, name};
    unit.cgroup_path = cgroup_path;
    unit.processes.push_back(
        {.pid = pid, .start_ticks = pid, .cgroup_path = cgroup_path, .namespaces = input.host});
    input.units.push_back(std::move(unit));
    return input.units.size() - 1;
  }
  std::size_t vm(const std::string& name, const std::string& cgroup_path) {
    return add(identity::UnitKind::vm, name, cgroup_path);
  }

  // With namespaces of its own, but for user and time: as runtimes make them.
  std::size_t container(const std::string& name, const std::string& pod_uid = "") {
    const std::size_t unit = add(identity::UnitKind::container, name, "/units/" + name);
    input.units[unit].pod_uid = pod_uid;
    for (const event::NamespaceType type :
         {event::NamespaceType::mnt, event::NamespaceType::uts, event::NamespaceType::ipc,
          event::NamespaceType::net, event::NamespaceType::pid, event::NamespaceType::cgroup}) {
      set(unit, type, next_inum_++);
    }
    return unit;
  }
  std::size_t nested(const std::string& name, std::size_t outer) {
    const std::size_t unit = container(name);
    input.units[unit].parent = outer;
    input.units[unit].cgroup_path = input.units[outer].cgroup_path + "/" + name;
    return unit;
  }

  std::uint32_t inum(std::size_t unit, event::NamespaceType type) const {
    return input.units[unit].processes[0].namespaces[type];
  }
  void set(std::size_t unit, event::NamespaceType type, std::uint32_t inum) {
    for (identity::ProcessInfo& process : input.units[unit].processes) {
      process.namespaces.inum[static_cast<std::size_t>(type)] = inum;
    }
  }
  // `second` gets the namespace of `first`.
  void share(std::size_t first, std::size_t second, event::NamespaceType type) {
    set(second, type, inum(first, type));
  }
  // One more process, younger than all others, that has these and otherwise its unit's namespaces.
  void member(std::size_t unit, const std::vector<std::pair<event::NamespaceType, std::uint32_t>>& differs) {
    identity::ProcessInfo process = input.units[unit].processes[0];
    process.pid = next_pid_++;
    process.start_ticks = process.pid;
    for (const auto& [type, inum] : differs) {
      process.namespaces.inum[static_cast<std::size_t>(type)] = inum;
    }
    input.units[unit].processes.push_back(process);
  }

  MatrixInput input;

 private:
  std::uint32_t next_pid_ = 1000;
  std::uint32_t next_inum_ = 4026532200;
};

// The relations of a unit in the order of the types: `private shared:A host ...`.
inline std::string cells(const Matrix& matrix, const std::string& name) {
  std::string text;
  for (const MatrixRow& row : matrix.rows) {
    for (std::size_t type = 0; row.ref.name == name && type < event::namespace_types; type++) {
      text += (text.empty() ? "" : " ") + std::string(to_string(row.relations[type]));
      if (row.groups[type] != no_group) {
        text += ":" + matrix.groups[row.groups[type]].name;
      }
    }
  }
  return text;
}

// Findings, one line each: `critical member-in-host web (mnt net) pid 1001 1002`.
inline std::vector<std::string> said(const Matrix& matrix) {
  std::vector<std::string> lines;
  for (const MatrixFinding& finding : matrix.findings) {
    std::string line = std::string(to_string(finding.severity)) + " " + finding.rule;
    for (const std::size_t unit : finding.units) {
      line += " " + matrix.rows[unit].ref.name;
    }
    std::string types;
    for (const event::NamespaceType type : finding.types) {
      types += (types.empty() ? "" : " ") + std::string(event::to_string(type));
    }
    line += " (" + types + ")";
    for (std::size_t i = 0; i < finding.pids.size(); i++) {
      line += (i == 0 ? " pid " : " ") + std::to_string(finding.pids[i]);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace isoscope::policy::testing
