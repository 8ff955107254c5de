// SPDX-License-Identifier: Apache-2.0
#include "policy/vocabulary.h"

#include <algorithm>

namespace isoscope::policy {

const char* to_string(EventKind kind) {
  switch (kind) {
    case EventKind::crossing:
      return "crossing";
    case EventKind::access:
      return "access";
    case EventKind::attempt:
      return "attempt";
    case EventKind::invariant:
      return "invariant";
  }
  return "?";
}

namespace {

// Values of an enumeration with the words that they are written with.
template <typename T>
Words<T> words_of(std::initializer_list<T> values) {
  Words<T> words;
  for (const T value : values) {
    words.emplace_back(to_string(value), value);
  }
  return words;
}

}  // namespace

const Words<EventKind>& event_words() {
  static const auto words =
      words_of({EventKind::crossing, EventKind::access, EventKind::attempt, EventKind::invariant});
  return words;
}

const Words<Direction>& direction_words() {
  static const auto words = words_of({Direction::escape, Direction::lateral, Direction::leave_cgroup,
                                      Direction::nest, Direction::own, Direction::enter, Direction::host});
  return words;
}

const Words<event::NamespaceType>& namespace_words() {
  static const auto words = [] {
    Words<event::NamespaceType> all;
    for (std::size_t i = 0; i < event::namespace_types; i++) {
      const auto type = static_cast<event::NamespaceType>(i);
      all.emplace_back(event::to_string(type), type);
    }
    return all;
  }();
  return words;
}

const Words<identity::UnitKind>& unit_kind_words() {
  using identity::UnitKind;
  static const auto words = words_of({UnitKind::host, UnitKind::container, UnitKind::pod, UnitKind::vm,
                                      UnitKind::service, UnitKind::cgroup});
  return words;
}

const Words<Severity>& severity_words() {
  static const auto words = words_of({Severity::low, Severity::medium, Severity::high, Severity::critical});
  return words;
}

const Words<Effect>& effect_words() {
  static const auto words = words_of({Effect::allow, Effect::audit, Effect::deny});
  return words;
}

// Numbers of linux/capability.h, which are in order and never used again.
const Words<unsigned>& capability_words() {
  static const auto words = [] {
    Words<unsigned> all;
    for (const std::string_view name : {"chown",
                                        "dac_override",
                                        "dac_read_search",
                                        "fowner",
                                        "fsetid",
                                        "kill",
                                        "setgid",
                                        "setuid",
                                        "setpcap",
                                        "linux_immutable",
                                        "net_bind_service",
                                        "net_broadcast",
                                        "net_admin",
                                        "net_raw",
                                        "ipc_lock",
                                        "ipc_owner",
                                        "sys_module",
                                        "sys_rawio",
                                        "sys_chroot",
                                        "sys_ptrace",
                                        "sys_pacct",
                                        "sys_admin",
                                        "sys_boot",
                                        "sys_nice",
                                        "sys_resource",
                                        "sys_time",
                                        "sys_tty_config",
                                        "mknod",
                                        "lease",
                                        "audit_write",
                                        "audit_control",
                                        "setfcap",
                                        "mac_override",
                                        "mac_admin",
                                        "syslog",
                                        "wake_alarm",
                                        "block_suspend",
                                        "audit_read",
                                        "perfmon",
                                        "bpf",
                                        "checkpoint_restore"}) {
      all.emplace_back(name, static_cast<unsigned>(all.size()));
    }
    return all;
  }();
  return words;
}

const std::vector<std::string_view>& mechanism_words() {
  static const std::vector<std::string_view> words = {
      "setns", "unshare", "clone", "exec", "cgroup_attach", "clone_into_cgroup", "none", "unknown"};
  return words;
}

const Words<EventKind>& action_words() {
  static const auto words = [] {
    Words<EventKind> all;
    for (const std::string_view word : mechanism_words()) {
      all.emplace_back(word, EventKind::crossing);
    }
    for (const std::string_view word :
         {"ptrace", "ptrace_read", "signal", "fd", "unix_socket", "release_agent", "core_pattern",
          "usermode_helper", "foreign_cwd", "foreign_root", "module_load", "bpf"}) {
      all.emplace_back(word, EventKind::access);
    }
    for (const std::string_view word : {"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"}) {
      all.emplace_back(word, EventKind::invariant);
    }
    return all;
  }();
  return words;
}

const std::vector<std::string_view>& resource_words() {
  static const std::vector<std::string_view> words = {"namespace/mnt",  "namespace/uts",  "namespace/ipc",
                                                      "namespace/net",  "namespace/pid",  "namespace/cgroup",
                                                      "namespace/time", "namespace/user", "cgroup",
                                                      "process",        "file",           "socket",
                                                      "kernel",         "credentials"};
  return words;
}

std::string folded(std::string_view text) {
  std::string result(text);
  std::replace(result.begin(), result.end(), '-', '_');
  return result;
}

}  // namespace isoscope::policy
