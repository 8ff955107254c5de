// SPDX-License-Identifier: Apache-2.0
// What a matrix shows that somebody should know of; the table of rules is in matrix.h.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "policy/matrix.h"

namespace isoscope::policy {

namespace {

using event::NamespaceSet;
using event::NamespaceType;
using identity::ProcessInfo;
using identity::UnitKind;

struct Posture {
  NamespaceType type;
  Severity severity;
  const char* reason;
};
constexpr Posture postures[] = {
    {NamespaceType::mnt, Severity::critical, "has the file systems of the host"},
    {NamespaceType::pid, Severity::high,
     "sees all processes of the host, and may signal and trace those of its users"},
    {NamespaceType::net, Severity::high, "has the interfaces, ports and abstract sockets of the host"},
    {NamespaceType::ipc, Severity::medium, "has the shared memory and message queues of the host"},
    {NamespaceType::uts, Severity::low, "sees the host's name, and with CAP_SYS_ADMIN changes it"},
    {NamespaceType::cgroup, Severity::low, "sees where the host has put its cgroup"},
    {NamespaceType::user, Severity::low, "root in it is root of the host, with fewer capabilities"},
};
// Of those that matter to who breaks out of a guest.
constexpr NamespaceType of_vmm[] = {NamespaceType::mnt, NamespaceType::pid, NamespaceType::net,
                                    NamespaceType::ipc};

// Empty: no finding.
std::optional<Severity> severity_of_sharing(NamespaceType type) {
  switch (type) {
    case NamespaceType::mnt:
    case NamespaceType::pid:
      return Severity::high;
    case NamespaceType::net:
    case NamespaceType::ipc:
      return Severity::medium;
    case NamespaceType::uts:
    case NamespaceType::cgroup:
    case NamespaceType::user:
      return Severity::low;
    case NamespaceType::time:
      return std::nullopt;
  }
  return std::nullopt;
}

// With one of these, all that the owner of the namespace can reach is near.
Severity severity_of_membership(const std::set<NamespaceType>& types) {
  const bool is_worst = types.contains(NamespaceType::mnt) || types.contains(NamespaceType::pid) ||
                        types.contains(NamespaceType::user);
  return is_worst ? Severity::critical : Severity::high;
}

// Processes of one unit with the same fault: one finding for all of them.
struct Suspects {
  std::set<NamespaceType> types;
  std::vector<std::uint32_t> pids;
};

class Search {
 public:
  Search(const Matrix& matrix, const MatrixInput& input) : matrix_(matrix), input_(input) {
    for (std::size_t i = 0; i < matrix.rows.size(); i++) {
      if (is_host_software(matrix.rows[i])) {
        continue;
      }
      if (matrix.rows[i].ref.kind == UnitKind::vm && matrix.rows[i].parent) {
        around_vms_.insert(*matrix.rows[i].parent);
      }
      for (std::size_t type = 0; type < event::namespace_types; type++) {
        const std::uint32_t inum = matrix.rows[i].namespaces.inum[type];
        if (inum != 0 && inum != matrix.host.inum[type]) {
          owners_[{type, inum}].push_back(i);
        }
      }
    }
  }

  std::vector<MatrixFinding> run() {
    for (std::size_t i = 0; i < matrix_.rows.size(); i++) {
      if (is_host_software(matrix_.rows[i])) {
        look_outside(input_.units[i].processes);
        continue;
      }
      look_at_posture(i);
      look_at_members(i);
    }
    look_outside(input_.others);
    for (const NamespaceGroup& group : matrix_.groups) {
      look_at_group(group);
    }
    look_at_cgroups();
    tell_suspects();
    const auto key = [](const MatrixFinding& f) {
      return std::tuple(-static_cast<int>(f.severity), f.rule, f.units);
    };
    std::stable_sort(findings_.begin(), findings_.end(),
                     [&](const auto& a, const auto& b) { return key(a) < key(b); });
    return std::move(findings_);
  }

 private:
  void add(MatrixFinding finding) { findings_.push_back(std::move(finding)); }

  void look_at_posture(std::size_t unit) {
    const MatrixRow& row = matrix_.rows[unit];
    const auto in_host = [&row](NamespaceType type) {
      return row.relations[static_cast<std::size_t>(type)] == Relation::host;
    };
    // Around a VM and with the host's file systems: not a container but what Kata runs the VMM in.
    if (row.ref.kind == UnitKind::vm || (around_vms_.contains(unit) && in_host(NamespaceType::mnt))) {
      MatrixFinding finding{.rule = "vmm-in-host",
                            .severity = Severity::low,
                            .units = {unit},
                            .reason = "what breaks out of the guest into its VMM is in there"};
      std::copy_if(std::begin(of_vmm), std::end(of_vmm), std::back_inserter(finding.types), in_host);
      if (!finding.types.empty()) {
        add(std::move(finding));
      }
      return;
    }
    for (const Posture& posture : postures) {
      if (in_host(posture.type)) {
        add({.rule = fmt::format("host-{}", event::to_string(posture.type)),
             .severity = posture.severity,
             .units = {unit},
             .types = {posture.type},
             .reason = posture.reason});
      }
    }
  }

  const std::vector<std::size_t>* owners_of(std::size_t type, std::uint32_t inum) const {
    const auto found = owners_.find({type, inum});
    return found == owners_.end() ? nullptr : &found->second;
  }

  // The unit whose namespace of this type a process is in, and may not be: neither its own unit nor one
  // inside of that.
  std::optional<std::size_t> foreign_owner(std::size_t unit, std::size_t type, std::uint32_t inum) const {
    const auto* owners = owners_of(type, inum);
    if (owners == nullptr || std::any_of(owners->begin(), owners->end(), [&](std::size_t owner) {
          return owner == unit || is_inside(matrix_.rows, owner, unit);
        })) {
      return std::nullopt;
    }
    return owners->front();
  }

  struct Places {
    std::set<NamespaceType> host;
    std::map<std::size_t, std::set<NamespaceType>> units;
    std::set<NamespaceType> own;  // nobody else's
  };

  // Where a process of a unit is that the unit is not.
  Places places_of(std::size_t unit, const ProcessInfo& process) const {
    Places places;
    for (std::size_t type = 0; type < event::namespace_types; type++) {
      const std::uint32_t inum = process.namespaces.inum[type];
      if (inum == 0 || inum == matrix_.rows[unit].namespaces.inum[type]) {
        continue;
      }
      const auto named = static_cast<NamespaceType>(type);
      if (inum == matrix_.host.inum[type]) {
        places.host.insert(named);
      } else if (const auto owner = foreign_owner(unit, type, inum)) {
        places.units[*owner].insert(named);
      } else if (owners_of(type, inum) == nullptr) {
        places.own.insert(named);
      }
    }
    return places;
  }

  void look_at_members(std::size_t unit) {
    const MatrixRow& row = matrix_.rows[unit];
    const auto& processes = input_.units[unit].processes;
    const auto main = std::find_if(processes.begin(), processes.end(),
                                   [&row](const ProcessInfo& p) { return p.pid == row.pid; });
    if (main == processes.end()) {
      return;
    }
    for (const ProcessInfo& process : processes) {
      if (process.namespaces[NamespaceType::mnt] == 0 || process.pid == row.pid) {
        continue;
      }
      const Places places = places_of(unit, process);
      if (process.start_ticks < main->start_ticks && is_around(unit, places)) {
        suspect("runtime-process", {unit}, {}, process);
        continue;
      }
      // A VM's scope has helpers of its manager in it (swtpm, virtiofsd): the guest's wall is not namespaces.
      if (!places.host.empty() && row.ref.kind != UnitKind::vm) {
        suspect("member-in-host", {unit}, places.host, process);
      }
      for (const auto& [other, types] : places.units) {
        suspect(has_all_of(process, other) ? "outside-cgroup" : "member-in-unit",
                has_all_of(process, other) ? std::vector{other, unit} : std::vector{unit, other}, types,
                process);
      }
      if (!places.own.empty() && places.host.empty() && places.units.empty()) {
        suspect("own-sandbox", {unit}, places.own, process);
      }
    }
  }

  // In the host, or in units around this one, and nowhere else.
  bool is_around(std::size_t unit, const Places& places) const {
    return (!places.host.empty() || !places.units.empty()) &&
           std::all_of(places.units.begin(), places.units.end(),
                       [&](const auto& place) { return is_inside(matrix_.rows, unit, place.first); });
  }

  bool has_all_of(const ProcessInfo& process, std::size_t unit) const {
    return process.namespaces == matrix_.rows[unit].namespaces;
  }

  // Host software with the mount namespace of one unit alone was put there, or came out of it.
  void look_outside(const std::vector<ProcessInfo>& processes) {
    constexpr auto mnt = static_cast<std::size_t>(NamespaceType::mnt);
    for (const ProcessInfo& process : processes) {
      const auto* owners = owners_of(mnt, process.namespaces.inum[mnt]);
      if (owners == nullptr || owners->size() > 1) {
        continue;
      }
      const MatrixRow& owner = matrix_.rows[owners->front()];
      // A VMM in the cgroup of a service shares what the service has.
      if (owner.cgroup_path == process.cgroup_path ||
          process.cgroup_path.starts_with(owner.cgroup_path + "/")) {
        continue;
      }
      std::set<NamespaceType> types;
      for (std::size_t type = 0; type < event::namespace_types; type++) {
        if (owner.relations[type] != Relation::host && owner.namespaces.inum[type] != 0 &&
            process.namespaces.inum[type] == owner.namespaces.inum[type]) {
          types.insert(static_cast<NamespaceType>(type));
        }
      }
      suspect("outside-cgroup", {owners->front()}, types, process);
    }
  }

  void suspect(const std::string& rule, const std::vector<std::size_t>& units,
               const std::set<NamespaceType>& types, const ProcessInfo& process) {
    Suspects& suspects = suspects_[{rule, units}];
    suspects.types.insert(types.begin(), types.end());
    suspects.pids.push_back(process.pid);
  }

  void tell_suspects() {
    for (auto& [key, suspects] : suspects_) {
      const auto& [rule, units] = key;
      MatrixFinding finding{.rule = rule, .units = units, .processes = suspects.pids.size()};
      finding.types.assign(suspects.types.begin(), suspects.types.end());
      std::sort(suspects.pids.begin(), suspects.pids.end());
      suspects.pids.resize(std::min(suspects.pids.size(), Matrix::most_pids));
      finding.pids = std::move(suspects.pids);
      if (rule == "member-in-host") {
        finding.severity = severity_of_membership(suspects.types);
        finding.reason = "in namespaces of the host, where the unit itself is not";
      } else if (rule == "member-in-unit") {
        finding.severity = severity_of_membership(suspects.types);
        finding.reason = "in namespaces of another unit";
      } else if (rule == "outside-cgroup") {
        finding.severity = units.size() > 1 ? Severity::high : Severity::medium;
        finding.reason = units.size() > 1 ? "in the namespaces of one unit and the cgroup of another"
                                          : "in its namespaces but not in its cgroup: was moved out, or "
                                            "entered from the host";
      } else if (rule == "runtime-process") {
        finding.reason = "in its cgroup since before its first program: a helper of its runtime";
      } else {
        finding.reason = "made namespaces of their own inside of it";
      }
      add(std::move(finding));
    }
  }

  void look_at_group(const NamespaceGroup& group) {
    std::vector<std::size_t> units;
    std::copy_if(group.units.begin(), group.units.end(), std::back_inserter(units),
                 [this](std::size_t unit) { return !is_host_software(matrix_.rows[unit]); });
    MatrixFinding finding{.rule = "shared-namespace",
                          .severity = Severity::low,
                          .units = units,
                          .reason = "shared, though neither a pod nor nesting joins them"};
    const bool only_vms = std::all_of(units.begin(), units.end(), [this](std::size_t unit) {
      return matrix_.rows[unit].ref.kind == UnitKind::vm;
    });
    for (const NamespaceType type : group.types) {
      const auto severity = severity_of_sharing(type);
      const auto families = families_of(matrix_.rows, units, type);
      if (severity && families.size() > 1) {
        finding.severity = only_vms ? Severity::low : std::max(finding.severity, *severity);
        finding.types.push_back(type);
      }
      if (type == NamespaceType::pid) {
        look_at_pods(families);
      }
    }
    if (!finding.types.empty()) {
      add(std::move(finding));
    }
  }

  void look_at_pods(const std::vector<std::vector<std::size_t>>& families) {
    for (const auto& family : families) {
      const std::string& pod = matrix_.rows[family.front()].pod_uid;
      const bool is_pod = family.size() > 1 && !pod.empty() &&
                          std::all_of(family.begin(), family.end(),
                                      [&](std::size_t unit) { return matrix_.rows[unit].pod_uid == pod; });
      if (is_pod) {
        add({.rule = "pod-pid",
             .severity = Severity::low,
             .units = family,
             .types = {NamespaceType::pid},
             .reason = "containers of the pod see one another's processes (shareProcessNamespace)"});
      }
    }
  }

  // Nested ones are expected.
  void look_at_cgroups() {
    std::map<std::string_view, std::vector<std::size_t>> by_path;
    for (std::size_t i = 0; i < matrix_.rows.size(); i++) {
      const MatrixRow& row = matrix_.rows[i];
      if (!is_host_software(row) && row.cgroup_path.size() > 1) {
        by_path[row.cgroup_path].push_back(i);
      }
    }
    for (const auto& [path, all] : by_path) {
      const std::vector<std::size_t>& units = all;
      // A VMM that runs in a container's very cgroup is nested, two of them are not.
      std::vector<std::size_t> same;
      std::copy_if(units.begin(), units.end(), std::back_inserter(same), [&](std::size_t unit) {
        return std::none_of(units.begin(), units.end(),
                            [&](std::size_t other) { return is_inside(matrix_.rows, other, unit); });
      });
      if (same.size() > 1) {
        add({.rule = "shared-cgroup",
             .severity = Severity::low,
             .units = same,
             .reason = "limits and accounts of their cgroup are of all of them together"});
      }
    }
  }

  const Matrix& matrix_;
  const MatrixInput& input_;
  std::map<std::pair<std::size_t, std::uint32_t>, std::vector<std::size_t>> owners_;
  std::set<std::size_t> around_vms_;
  std::map<std::pair<std::string, std::vector<std::size_t>>, Suspects> suspects_;
  std::vector<MatrixFinding> findings_;
};

}  // namespace

std::vector<MatrixFinding> find_in(const Matrix& matrix, const MatrixInput& input) {
  return Search(matrix, input).run();
}

}  // namespace isoscope::policy
