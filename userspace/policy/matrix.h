// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "event/record.h"
#include "identity/process.h"
#include "identity/unit.h"
#include "policy/violation.h"

namespace isoscope::policy {

// How isolated units are from the host and from one another, at one moment. Pure: what runs is handed in.

// Of a unit, its namespace of one type; of a pair, that of both.
enum class Relation {
  unknown,   // not read, or this kernel lacks the type
  separate,  // `private`: no other unit has it; of a pair: they have different ones
  shared,    // another unit has it, too, and it is not the host's
  host,      // the host's; of a pair: both are in it
};
const char* to_string(Relation relation);

// Why two units may share something.
enum class Kinship {
  none,
  pod,     // containers of one pod: net, ipc, uts, and pid where the pod asks for it
  nested,  // one runs inside the other and has what its runtime gave it
};
const char* to_string(Kinship kinship);

enum class CgroupOverlap { apart, same, nested };
const char* to_string(CgroupOverlap overlap);

template <typename T>
using PerNamespace = std::array<T, event::namespace_types>;

struct MatrixUnit {
  identity::UnitRef ref;
  std::string cgroup_path;
  std::string pod_uid = {};                // empty: in no pod
  std::optional<std::size_t> parent = {};  // the next unit around it, as an index
  std::uint32_t main_pid = 0;              // whose namespaces are the unit's; 0: see MatrixRow::pid
  std::vector<identity::ProcessInfo> processes = {};
};

struct MatrixInput {
  event::NamespaceSet host = {};
  std::vector<MatrixUnit> units = {};
  std::vector<identity::ProcessInfo> others = {};  // processes of none of the units
};

inline constexpr std::size_t no_group = static_cast<std::size_t>(-1);

// A unit's line, at the index it was handed in with.
struct MatrixRow {
  identity::UnitRef ref;
  std::string cgroup_path;
  std::string pod_uid;
  std::optional<std::size_t> parent;
  std::size_t processes = 0;
  // The process whose namespaces are the unit's: the oldest, of those in another mount namespace than the
  // host's if there are any, as a runtime's helper may be older; of host software the oldest. 0: there is
  // none.
  std::uint32_t pid = 0;
  event::NamespaceSet namespaces = {};
  PerNamespace<Relation> relations{};
  PerNamespace<std::size_t> groups{};  // index into Matrix::groups, or no_group
};

// Units that share namespaces of these types, each type's being one and not the host's. Units that share
// several types are one group for all of them.
struct NamespaceGroup {
  std::string name;  // A to Z, AA, ...
  std::vector<event::NamespaceType> types = {};
  std::vector<std::size_t> units = {};
  bool expected = false;            // all of it, by the kinship
  Kinship kinship = Kinship::none;  // that makes it expected
};

struct UnitPair {
  std::size_t a = 0;
  std::size_t b = 0;  // a < b
  PerNamespace<Relation> relations{};
  Kinship kinship = Kinship::none;
  CgroupOverlap cgroup = CgroupOverlap::apart;
};

struct PairCounts {
  std::uint64_t separate = 0;
  std::uint64_t shared = 0;
  std::uint64_t host = 0;
  std::uint64_t unknown = 0;  // of at least one of the two
};

struct MatrixFinding {
  std::string rule;  // stable, such as `host-net`
  Severity severity = Severity::low;
  std::vector<std::size_t> units =
      {};  // whom it is about; where a process of one is in another, that one first
  std::vector<event::NamespaceType> types = {};
  std::size_t processes = 0;             // that it is about, where it is not about the whole unit
  std::vector<std::uint32_t> pids = {};  // the first of them
  std::string reason = {};
};

struct Matrix {
  static constexpr std::size_t most_pairs = 1000;
  static constexpr std::size_t most_pids = 10;

  event::NamespaceSet host = {};
  std::vector<MatrixRow> rows = {};
  std::vector<NamespaceGroup> groups = {};  // every unit and type with Relation::shared is in one
  // Pairs that share a namespace which is not the host's, or whose cgroups overlap; at most most_pairs of
  // them. `groups` has the same without a limit.
  std::vector<UnitPair> pairs = {};
  std::uint64_t related_pairs = 0;  // how many there are
  std::uint64_t total_pairs = 0;
  PerNamespace<PairCounts> counts{};         // of all pairs, by type
  std::vector<MatrixFinding> findings = {};  // the worst first
};

// Time grows with the units and their processes, and with the square of the largest group that shares a
// namespace; what comes out grows with the units alone.
Matrix make_matrix(const MatrixInput& input);

// The findings of a matrix whose other members are complete; part of make_matrix().
//
//   rule              severity      what
//   host-mnt          critical      a container is in the host's mount namespace
//   host-pid          high
//   host-net          high
//   host-ipc          medium
//   host-uts          low
//   host-cgroup       low
//   host-user         low           usual: root in it is root outside, less its capabilities
//   vmm-in-host       low           a VMM is in the host's mnt, pid, net or ipc: usual, and no part of the
//                                   guest's isolation, but what breaks out of the guest is there. Also of
//                                   the sandbox that Kata runs a VMM in
//   shared-namespace  high          units that neither a pod nor nesting joins share mnt or pid;
//                     medium        net or ipc;
//                     low           uts, cgroup or user, or between VMMs alone
//   pod-pid           low           containers of a pod see one another's processes
//   member-in-host    critical      a process of a unit is in the host's mnt, pid or user, and its unit is
//   not;
//                     high          in another type of the host's
//   member-in-unit    critical      the same with another unit's namespaces; high
//   outside-cgroup    high          a process with all namespaces of one unit is in the cgroup of another;
//                     medium        with its mount namespace, and in a cgroup of the host's
//   runtime-process   low           a process in a unit's cgroup that is older than the unit's first program,
//                                   and in the namespaces around it: a helper of its runtime
//   own-sandbox       low           processes of a unit made namespaces of their own in it
//   shared-cgroup     low           two units are accounted and limited as one
//
// In the host's time namespace is who is not a migrated or restored container: no finding.
std::vector<MatrixFinding> find_in(const Matrix& matrix, const MatrixInput& input);

// Whether a unit runs inside another.
bool is_inside(const std::vector<MatrixRow>& rows, std::size_t inner, std::size_t outer);
Kinship kinship_of(const std::vector<MatrixRow>& rows, std::size_t a, std::size_t b);
// Units that share a namespace of this type, divided into those that may.
std::vector<std::vector<std::size_t>> families_of(const std::vector<MatrixRow>& rows,
                                                  const std::vector<std::size_t>& units,
                                                  event::NamespaceType type);
// Host software has no boundary: nothing is found in it.
bool is_host_software(const MatrixRow& row);

}  // namespace isoscope::policy
