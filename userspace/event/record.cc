// SPDX-License-Identifier: Apache-2.0
#include "event/record.h"

#include <iterator>

namespace isoscope::event {

const char* to_string(NamespaceType type) {
  switch (type) {
    case NamespaceType::mnt:
      return "mnt";
    case NamespaceType::uts:
      return "uts";
    case NamespaceType::ipc:
      return "ipc";
    case NamespaceType::net:
      return "net";
    case NamespaceType::pid:
      return "pid";
    case NamespaceType::cgroup:
      return "cgroup";
    case NamespaceType::time:
      return "time";
    case NamespaceType::user:
      return "user";
  }
  return "?";
}

const char* to_string(Mechanism mechanism) {
  switch (mechanism) {
    case Mechanism::unknown:
      return "unknown";
    case Mechanism::setns:
      return "setns";
    case Mechanism::unshare:
      return "unshare";
    case Mechanism::clone:
      return "clone";
    case Mechanism::none:
      return "none";
    case Mechanism::cgroup_attach:
      return "cgroup_attach";
    case Mechanism::clone_into_cgroup:
      return "clone_into_cgroup";
  }
  return "?";
}

std::vector<NamespaceType> namespaces_of_flags(std::uint32_t flags) {
  // include/uapi/linux/sched.h, in the order of the types.
  constexpr std::uint32_t bits[] = {0x00020000, 0x04000000, 0x08000000, 0x40000000,
                                    0x20000000, 0x02000000, 0x00000080, 0x10000000};
  static_assert(std::size(bits) == namespace_types);
  std::vector<NamespaceType> types;
  for (std::size_t i = 0; i < std::size(bits); ++i) {
    if ((flags & bits[i]) != 0) {
      types.push_back(static_cast<NamespaceType>(i));
    }
  }
  return types;
}

const char* to_string(AccessKind kind) {
  switch (kind) {
    case AccessKind::ptrace:
      return "ptrace";
    case AccessKind::signal:
      return "signal";
    case AccessKind::unix_connect:
      return "unix_socket";
    case AccessKind::file_received:
      return "fd";
    case AccessKind::release_agent:
      return "release_agent";
    case AccessKind::core_pattern:
      return "core_pattern";
    case AccessKind::usermode_helper:
      return "usermode_helper";
    case AccessKind::module_load:
      return "module_load";
    case AccessKind::bpf:
      return "bpf";
    case AccessKind::foreign_cwd:
      return "foreign_cwd";
    case AccessKind::foreign_root:
      return "foreign_root";
    case AccessKind::setns:
      return "setns";
    case AccessKind::unshare:
      return "unshare";
    case AccessKind::clone:
      return "clone";
  }
  return "?";
}

const char* to_string(Invariant invariant) {
  constexpr const char* names[] = {"?", "I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"};
  const auto number = static_cast<std::size_t>(invariant);
  return number < std::size(names) ? names[number] : "?";
}

const char* to_string(CapabilitySet set) {
  switch (set) {
    case CapabilitySet::none:
      return "none";
    case CapabilitySet::bounding:
      return "bounding";
    case CapabilitySet::permitted:
      return "permitted";
  }
  return "?";
}

const char* to_string(SeenAt seen_at) {
  switch (seen_at) {
    case SeenAt::commit:
      return "commit";
    case SeenAt::fork:
      return "fork";
    case SeenAt::context_switch:
      return "switch";
    case SeenAt::exec:
      return "exec";
    case SeenAt::exit:
      return "exit";
    case SeenAt::recheck:
      return "recheck";
  }
  return "?";
}

}  // namespace isoscope::event
