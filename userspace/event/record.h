// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace isoscope::event {

// What every record says of its subject task. Ids are those of the initial namespaces; times are
// CLOCK_MONOTONIC in ns unless a name says otherwise.
struct Meta {
  std::uint64_t ts_ns = 0;
  std::uint64_t cgroup_id = 0;
  std::uint32_t tgid = 0;
  std::uint32_t tid = 0;
  std::uint16_t cpu = 0;
};

enum class Isa : std::uint32_t { unknown = 0, vmx = 1, svm = 2 };

// Order and values as enum isoscope_ns_type.
enum class NamespaceType : std::uint8_t { mnt, uts, ipc, net, pid, cgroup, time, user };
inline constexpr std::size_t namespace_types = 8;
const char* to_string(NamespaceType type);

// The types that CLONE_NEW* flags stand for.
std::vector<NamespaceType> namespaces_of_flags(std::uint32_t flags);

// Namespace inums by type; 0: this kernel does not have the type.
struct NamespaceSet {
  std::array<std::uint32_t, namespace_types> inum{};
  std::uint32_t operator[](NamespaceType type) const { return inum[static_cast<std::size_t>(type)]; }
  friend bool operator==(const NamespaceSet&, const NamespaceSet&) = default;
};

// The file of the program that a process runs, by the kernel's own numbers; inode 0: not known.
struct Exe {
  std::uint64_t inode = 0;
  std::uint32_t device = 0;  // major << 20 | minor
  friend bool operator==(const Exe&, const Exe&) = default;
};

enum class Mechanism : std::uint8_t {
  unknown,
  setns,
  unshare,
  clone,
  none,
  cgroup_attach,
  clone_into_cgroup
};
const char* to_string(Mechanism mechanism);

// What the program in the kernel that saw it has done about it: sent SIGKILL, or tried to in vain.
enum class Answer : std::uint8_t { none, killed, refused };

enum class SeenAt : std::uint8_t {
  commit = 1,
  fork = 2,
  context_switch = 3,
  exec = 4,
  exit = 5,
  recheck = 6
};
const char* to_string(SeenAt seen_at);

// Where the time of exits went; see struct isoscope_split. The four parts make the whole: handling in the
// kernel is what the other three leave.
struct Split {
  std::uint64_t halted_ns = 0;
  std::uint64_t userspace_ns = 0;
  std::uint64_t preempted_ns = 0;

  std::uint64_t kernel_ns(std::uint64_t duration_ns) const {
    return duration_ns - halted_ns - userspace_ns - preempted_ns;
  }
  void add(const Split& other) {
    halted_ns += other.halted_ns;
    userspace_ns += other.userspace_ns;
    preempted_ns += other.preempted_ns;
  }
  friend bool operator==(const Split&, const Split&) = default;
};

struct VmExit {
  std::uint64_t start_ns = 0;
  std::uint64_t duration_ns = 0;
  Split split;
  std::uint64_t guest_rip = 0;  // 0: not known
  std::uint32_t vcpu_id = 0;
  Isa isa = Isa::unknown;
  std::uint32_t reason = 0;
};

struct ContextSwitch {
  std::uint64_t ran_ns = 0;
  std::uint64_t next_cgroup_id = 0;
  std::uint64_t next_waited_ns = 0;  // since it could run; 0 if that was not seen
  std::uint32_t next_tgid = 0;
  std::uint32_t next_tid = 0;
  std::uint32_t prev_state = 0;
  bool voluntary = false;
};

struct CgroupMade {
  std::uint64_t id = 0;
  std::uint64_t parent_id = 0;
  std::uint32_t level = 0;
  std::string name;
};

struct CgroupRemoved {
  std::uint64_t id = 0;
};

// meta is the task that did the moving, or the parent of one that was born there.
struct CgroupAttached {
  std::uint64_t to_cgroup_id = 0;
  std::uint64_t home_cgroup_id = 0;  // see NamespacesChanged
  std::uint32_t moved_tgid = 0;
  std::uint32_t moved_tid = 0;
  std::string comm;                                // raw kernel bytes, perhaps not UTF-8
  Mechanism mechanism = Mechanism::cgroup_attach;  // or clone_into_cgroup
  Exe exe;
};

// A program started in a mount namespace that the task's parent does not have.
struct Exec {
  NamespaceSet namespaces;
  std::uint64_t start_boot_ns = 0;
  std::uint32_t parent_tgid = 0;
  std::string comm;
};

struct NamespacesChanged {
  NamespaceSet from;
  NamespaceSet to;
  // The cgroup of the unit the task belongs to: inherited at fork, and taken anew when the task executes a
  // program in a mount namespace that its parent does not have.
  std::uint64_t home_cgroup_id = 0;
  std::uint64_t start_boot_ns = 0;
  std::uint64_t cap_effective = 0;
  std::uint32_t parent_tgid = 0;
  std::uint32_t uid = 0;
  Mechanism mechanism = Mechanism::unknown;
  SeenAt seen_at = SeenAt::commit;
  bool initial = false;  // it came to the kernel's first nsproxy
  std::string comm;
  Exe exe;
  Answer answer = Answer::none;
};

// A thread made its first VM exit.
struct VcpuSeen {
  std::uint64_t start_boot_ns = 0;
  std::uint32_t vcpu_id = 0;
  Isa isa = Isa::unknown;
};

// How a task reached across units without a change of namespaces. Values as enum isoscope_access_kind.
enum class AccessKind : std::uint8_t {
  ptrace = 1,  // also process_vm_*, pidfd_getfd, and /proc/PID/{mem,root,cwd,fd,ns,...}
  signal,
  unix_connect,
  file_received,
  release_agent,
  core_pattern,
  usermode_helper,
  module_load,
  bpf,
  foreign_cwd,
  foreign_root,
  setns,  // these and the next: only ever refused
  unshare,
  clone,
};
const char* to_string(AccessKind kind);

// meta is the task that reached for another's.
struct Access {
  AccessKind kind = AccessKind::ptrace;
  std::uint64_t home_cgroup_id = 0;       // see NamespacesChanged
  std::uint64_t target_cgroup_id = 0;     // home of the other task; 0: there is none, or it is not known
  std::uint64_t target_in_cgroup_id = 0;  // where that task is now
  std::uint32_t target_tgid = 0;          // 0: there is none
  std::uint32_t detail = 0;       // PTRACE_MODE_*, signal, command of bpf(2), mount namespace, or CLONE_NEW*
  std::uint32_t error = 0;        // the errno with which it was refused; 0: it was not
  std::uint32_t target_inum = 0;  // of the namespace that setns was to enter; 0: not known
  std::string path;               // raw kernel bytes; cut; empty: none
  std::uint64_t start_boot_ns = 0;
  std::uint64_t cap_effective = 0;
  std::uint32_t parent_tgid = 0;
  std::uint32_t uid = 0;
  std::string comm;
  Exe exe;
};

// What no legal path does to a task of a unit. Values are the numbers that they are known by (I1 to I9); the
// kernel side tells of those that enum isoscope_invariant has.
enum class Invariant : std::uint8_t {
  pid_namespace = 1,   // its own pid namespace never changes
  user_namespace,      // its user namespace is the one it had, or one below
  capabilities,        // within a user namespace no set of capabilities grows beyond what an exec may give
  no_new_privs,        // is never taken back
  seccomp,             // its mode never falls back
  system_call,         // namespaces change only within setns, unshare, clone and exec
  cgroup,              // it stays in the subtree of its unit's cgroup
  initial_namespaces,  // it never comes to the kernel's first nsproxy
  initial_credentials  // nor to the kernel's first credentials
};
inline constexpr std::size_t invariants = 9;
const char* to_string(Invariant invariant);  // I1

// Values as enum isoscope_capability_set.
enum class CapabilitySet : std::uint8_t { none, bounding, permitted };
const char* to_string(CapabilitySet set);

// meta is the task that is what it cannot be.
struct Breach {
  Invariant invariant = Invariant::pid_namespace;
  CapabilitySet set = CapabilitySet::none;  // the one that grew
  std::uint64_t before = 0;  // inum, capabilities, bit or mode, as the invariant has it; 0 where it has none
  std::uint64_t now = 0;
  SeenAt seen_at = SeenAt::commit;
  std::uint64_t home_cgroup_id = 0;  // see NamespacesChanged
  std::uint64_t start_boot_ns = 0;
  std::uint64_t cap_effective = 0;
  std::uint32_t parent_tgid = 0;
  std::uint32_t uid = 0;
  std::string comm;
  Exe exe;
  Answer answer = Answer::none;
};

using Payload = std::variant<VmExit, ContextSwitch, CgroupMade, CgroupRemoved, CgroupAttached, Exec,
                             NamespacesChanged, VcpuSeen, Access, Breach>;

struct Record {
  Meta meta;
  Payload payload;
};

}  // namespace isoscope::event
