// SPDX-License-Identifier: Apache-2.0
#include "policy/matrix.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>

namespace isoscope::policy {

namespace {

using event::NamespaceSet;
using event::NamespaceType;
using identity::ProcessInfo;
using identity::UnitKind;

constexpr NamespaceType type_at(std::size_t index) {
  return static_cast<NamespaceType>(index);
}

// A zombie has a cgroup, and of its namespaces pid and user alone.
bool has_namespaces(const ProcessInfo& process) {
  return process.namespaces[NamespaceType::mnt] != 0;
}

const ProcessInfo* main_process(const MatrixUnit& unit, std::uint32_t host_mnt) {
  const ProcessInfo* main = nullptr;
  for (const ProcessInfo& process : unit.processes) {
    if (!has_namespaces(process)) {
      continue;
    }
    if (process.pid == unit.main_pid) {
      return &process;
    }
    const auto rank = [host_mnt](const ProcessInfo& p) {
      return std::tuple(p.namespaces[NamespaceType::mnt] == host_mnt, p.start_ticks, p.pid);
    };
    if (main == nullptr || rank(process) < rank(*main)) {
      main = &process;
    }
  }
  return main;
}

MatrixRow make_row(const MatrixUnit& unit, const NamespaceSet& host) {
  MatrixRow row{.ref = unit.ref,
                .cgroup_path = unit.cgroup_path,
                .pod_uid = unit.pod_uid,
                .parent = unit.parent,
                .processes = unit.processes.size(),
                .namespaces = {}};
  row.groups.fill(no_group);
  // Host software has no runtime whose helpers are to be passed over.
  const std::uint32_t passed_over = is_host_software(row) ? 0 : host[NamespaceType::mnt];
  if (const ProcessInfo* main = main_process(unit, passed_over)) {
    row.pid = main->pid;
    row.namespaces = unit.ref.kind == UnitKind::host ? host : main->namespaces;
  }
  for (std::size_t type = 0; type < event::namespace_types; type++) {
    const std::uint32_t inum = row.namespaces.inum[type];
    row.relations[type] = inum == 0                 ? Relation::unknown
                          : inum == host.inum[type] ? Relation::host
                                                    : Relation::separate;
  }
  return row;
}

std::string letters(std::size_t number) {
  std::string name;
  for (number++; number > 0; number = (number - 1) / 26) {
    name.insert(name.begin(), static_cast<char>('A' + (number - 1) % 26));
  }
  return name;
}

// Each container of a pod has file systems and a view of its cgroup of its own. user and time are made with
// the pod's sandbox.
bool may_pod_share(NamespaceType type) {
  return type != NamespaceType::mnt && type != NamespaceType::cgroup;
}

// Pairs of n.
std::uint64_t choose_two(std::uint64_t n) {
  return n < 2 ? 0 : n * (n - 1) / 2;
}

// Who shares, and how many pairs do, type by type.
void group(Matrix& matrix) {
  std::map<std::vector<std::size_t>, std::vector<NamespaceType>> by_members;
  for (std::size_t type = 0; type < event::namespace_types; type++) {
    std::map<std::uint32_t, std::vector<std::size_t>> by_inum;
    std::uint64_t known = 0;
    std::uint64_t in_host = 0;
    for (std::size_t i = 0; i < matrix.rows.size(); i++) {
      const Relation relation = matrix.rows[i].relations[type];
      known += relation != Relation::unknown ? 1 : 0;
      in_host += relation == Relation::host ? 1 : 0;
      if (relation == Relation::separate) {
        by_inum[matrix.rows[i].namespaces.inum[type]].push_back(i);
      }
    }
    PairCounts& counts = matrix.counts[type];
    counts.host = choose_two(in_host);
    for (const auto& [inum, members] : by_inum) {
      counts.shared += choose_two(members.size());
      if (members.size() > 1) {
        by_members[members].push_back(type_at(type));
      }
    }
    counts.unknown = matrix.total_pairs - choose_two(known);
    counts.separate = matrix.total_pairs - counts.host - counts.shared - counts.unknown;
  }
  for (const auto& [members, types] : by_members) {
    const std::size_t index = matrix.groups.size();
    for (const std::size_t member : members) {
      for (const NamespaceType type : types) {
        matrix.rows[member].relations[static_cast<std::size_t>(type)] = Relation::shared;
        matrix.rows[member].groups[static_cast<std::size_t>(type)] = index;
      }
    }
    matrix.groups.push_back({.name = letters(index), .types = types, .units = members});
  }
}

// Units by the paths of their cgroups.
struct Paths {
  using Members = std::map<std::string_view, std::vector<std::size_t>>;
  Members at;
  Members below;  // and at it
};

// Calls `take` for the path and for those around it, but not for the root: everything lies in that.
template <typename Take>
void for_each_around(std::string_view path, Take take) {
  while (path.size() > 1) {
    take(path);
    path = path.substr(0, std::min(path.rfind('/'), path.size() - 1));
  }
}

Paths sort_by_path(const std::vector<MatrixRow>& rows) {
  Paths paths;
  for (std::size_t i = 0; i < rows.size(); i++) {
    paths.at[rows[i].cgroup_path].push_back(i);
  }
  for (std::size_t i = 0; i < rows.size(); i++) {
    for_each_around(rows[i].cgroup_path, [&](std::string_view path) {
      if (paths.at.contains(path)) {
        paths.below[path].push_back(i);
      }
    });
  }
  return paths;
}

bool lies_in(std::string_view path, std::string_view root) {
  return root.size() > 1 && path.starts_with(root) && path.substr(root.size()).starts_with('/');
}

UnitPair make_pair(const Matrix& matrix, std::size_t a, std::size_t b) {
  const MatrixRow& left = matrix.rows[a];
  const MatrixRow& right = matrix.rows[b];
  UnitPair pair{.a = a, .b = b, .kinship = kinship_of(matrix.rows, a, b)};
  for (std::size_t type = 0; type < event::namespace_types; type++) {
    const std::uint32_t inum = left.namespaces.inum[type];
    const std::uint32_t other = right.namespaces.inum[type];
    pair.relations[type] = inum == 0 || other == 0          ? Relation::unknown
                           : inum != other                  ? Relation::separate
                           : inum == matrix.host.inum[type] ? Relation::host
                                                            : Relation::shared;
  }
  if (pair.kinship == Kinship::nested || lies_in(left.cgroup_path, right.cgroup_path) ||
      lies_in(right.cgroup_path, left.cgroup_path)) {
    pair.cgroup = CgroupOverlap::nested;
  } else if (left.cgroup_path == right.cgroup_path && left.cgroup_path.size() > 1) {
    pair.cgroup = CgroupOverlap::same;
  }
  return pair;
}

// Lists and counts the pairs that have something in common. Nothing of the size of all pairs is kept.
void relate(Matrix& matrix) {
  const std::vector<MatrixRow>& rows = matrix.rows;
  const Paths paths = sort_by_path(rows);
  // Whose partner a unit was last: each pair counts once, whatever it has in common.
  std::vector<std::size_t> partner_of(rows.size(), no_group);
  std::vector<std::size_t> partners;
  for (std::size_t a = 0; a < rows.size(); a++) {
    partners.clear();
    const auto meet_all = [&](const std::vector<std::size_t>& units) {
      for (const std::size_t b : units) {
        if (b > a && partner_of[b] != a) {
          partner_of[b] = a;
          partners.push_back(b);
        }
      }
    };
    for_each_around(rows[a].cgroup_path, [&](std::string_view path) {
      const Paths::Members& members = path == rows[a].cgroup_path ? paths.below : paths.at;
      if (const auto found = members.find(path); found != members.end()) {
        meet_all(found->second);
      }
    });
    for (const std::size_t group : rows[a].groups) {
      if (group != no_group) {
        meet_all(matrix.groups[group].units);
      }
    }
    matrix.related_pairs += partners.size();
    std::sort(partners.begin(), partners.end());
    for (std::size_t i = 0; i < partners.size() && matrix.pairs.size() < Matrix::most_pairs; i++) {
      matrix.pairs.push_back(make_pair(matrix, a, partners[i]));
    }
  }
}

// Whether what the kinship of its units lets them share is all that the group shares.
void explain(const std::vector<MatrixRow>& rows, NamespaceGroup& group) {
  group.expected = std::all_of(group.types.begin(), group.types.end(), [&](NamespaceType type) {
    return families_of(rows, group.units, type).size() == 1;
  });
  if (group.expected) {
    const std::string& pod = rows[group.units.front()].pod_uid;
    const bool is_pod =
        !pod.empty() && std::all_of(group.units.begin(), group.units.end(),
                                    [&](std::size_t unit) { return rows[unit].pod_uid == pod; });
    group.kinship = is_pod ? Kinship::pod : Kinship::nested;
  }
}

}  // namespace

const char* to_string(Relation relation) {
  switch (relation) {
    case Relation::unknown:
      return "unknown";
    case Relation::separate:
      return "private";
    case Relation::shared:
      return "shared";
    case Relation::host:
      return "host";
  }
  return "?";
}

const char* to_string(Kinship kinship) {
  switch (kinship) {
    case Kinship::none:
      return "none";
    case Kinship::pod:
      return "pod";
    case Kinship::nested:
      return "nested";
  }
  return "?";
}

const char* to_string(CgroupOverlap overlap) {
  switch (overlap) {
    case CgroupOverlap::apart:
      return "apart";
    case CgroupOverlap::same:
      return "same";
    case CgroupOverlap::nested:
      return "nested";
  }
  return "?";
}

bool is_host_software(const MatrixRow& row) {
  return row.ref.kind == UnitKind::host || row.ref.kind == UnitKind::service ||
         row.ref.kind == UnitKind::cgroup;
}

bool is_inside(const std::vector<MatrixRow>& rows, std::size_t inner, std::size_t outer) {
  for (auto around = rows[inner].parent; around; around = rows[*around].parent) {
    if (*around == outer) {
      return true;
    }
  }
  return false;
}

Kinship kinship_of(const std::vector<MatrixRow>& rows, std::size_t a, std::size_t b) {
  if (is_inside(rows, a, b) || is_inside(rows, b, a)) {
    return Kinship::nested;
  }
  return !rows[a].pod_uid.empty() && rows[a].pod_uid == rows[b].pod_uid ? Kinship::pod : Kinship::none;
}

std::vector<std::vector<std::size_t>> families_of(const std::vector<MatrixRow>& rows,
                                                  const std::vector<std::size_t>& units, NamespaceType type) {
  std::vector<std::size_t> head(units.size());
  std::iota(head.begin(), head.end(), std::size_t{0});
  const auto head_of = [&](std::size_t i) {
    while (head[i] != i) {
      i = head[i] = head[head[i]];
    }
    return i;
  };
  std::map<std::size_t, std::size_t> place;
  for (std::size_t i = 0; i < units.size(); i++) {
    place[units[i]] = i;
  }
  std::map<std::string_view, std::size_t> pods;
  for (std::size_t i = 0; i < units.size(); i++) {
    for (auto around = rows[units[i]].parent; around; around = rows[*around].parent) {
      if (const auto found = place.find(*around); found != place.end()) {
        head[head_of(i)] = head_of(found->second);
      }
    }
    if (const std::string& pod = rows[units[i]].pod_uid; !pod.empty() && may_pod_share(type)) {
      head[head_of(i)] = head_of(pods.try_emplace(pod, i).first->second);
    }
  }
  std::map<std::size_t, std::vector<std::size_t>> families;
  for (std::size_t i = 0; i < units.size(); i++) {
    families[head_of(i)].push_back(units[i]);
  }
  std::vector<std::vector<std::size_t>> result;
  result.reserve(families.size());
  for (auto& [first, members] : families) {
    result.push_back(std::move(members));
  }
  return result;
}

Matrix make_matrix(const MatrixInput& input) {
  Matrix matrix{.host = input.host, .total_pairs = choose_two(input.units.size())};
  for (const MatrixUnit& unit : input.units) {
    matrix.rows.push_back(make_row(unit, input.host));
  }
  group(matrix);
  for (NamespaceGroup& group : matrix.groups) {
    explain(matrix.rows, group);
  }
  relate(matrix);
  matrix.findings = find_in(matrix, input);
  return matrix;
}

}  // namespace isoscope::policy
