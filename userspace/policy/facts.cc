// SPDX-License-Identifier: Apache-2.0
#include "policy/facts.h"

#include <fmt/format.h>

namespace isoscope::policy {

Facts facts_of(const Crossing& crossing) {
  Facts facts;
  facts.direction = crossing.direction;
  facts.mechanism = event::to_string(crossing.mechanism);
  facts.action = facts.mechanism;
  for (const NamespaceMove& move : crossing.moves) {
    if (move.direction == crossing.direction) {
      facts.namespaces.push_back(move.type);
      facts.resources.push_back(fmt::format("namespace/{}", event::to_string(move.type)));
    }
  }
  if (crossing.moves.empty()) {
    facts.resources.emplace_back("cgroup");
  }
  facts.unit = crossing.from;
  facts.to = crossing.to;
  facts.process = crossing.process;
  return facts;
}

namespace {

const char* resource_of(event::AccessKind kind) {
  using event::AccessKind;
  switch (kind) {
    case AccessKind::ptrace:
    case AccessKind::signal:
      return "process";
    case AccessKind::unix_connect:
      return "socket";
    case AccessKind::file_received:
    case AccessKind::foreign_cwd:
    case AccessKind::foreign_root:
      return "file";
    case AccessKind::release_agent:
    case AccessKind::core_pattern:
    case AccessKind::usermode_helper:
    case AccessKind::module_load:
    case AccessKind::bpf:
      return "kernel";
    case AccessKind::setns:
    case AccessKind::unshare:
    case AccessKind::clone:
      break;  // namespaces, each of its own name
  }
  return "?";
}

// A change of namespaces names its types; a breach that it is as well says that there was one.
const char* resource_of(event::Invariant invariant) {
  using event::Invariant;
  switch (invariant) {
    case Invariant::pid_namespace:
      return "namespace/pid";
    case Invariant::user_namespace:
      return "namespace/user";
    case Invariant::system_call:
    case Invariant::initial_namespaces:
      return "process";
    case Invariant::cgroup:
      return "cgroup";
    case Invariant::capabilities:
    case Invariant::no_new_privs:
    case Invariant::seccomp:
    case Invariant::initial_credentials:
      return "credentials";
  }
  return "?";
}

}  // namespace

bool is_about_namespaces(event::AccessKind kind) {
  using event::AccessKind;
  return kind == AccessKind::setns || kind == AccessKind::unshare || kind == AccessKind::clone;
}

Facts facts_of(const Access& access) {
  constexpr std::uint32_t ptrace_attach = 0x02;  // PTRACE_MODE_ATTACH of linux/ptrace.h
  Facts facts;
  facts.event = access.error == 0 ? EventKind::access : EventKind::attempt;
  facts.direction = access.direction;
  facts.action = event::to_string(access.kind);
  if (access.kind == event::AccessKind::ptrace && (access.detail & ptrace_attach) == 0) {
    facts.action = "ptrace_read";
  }
  facts.path = access.path;
  facts.unit = access.from;
  facts.process = access.process;
  if (is_about_namespaces(access.kind)) {
    facts.mechanism = facts.action;
    for (const event::NamespaceType type : event::namespaces_of_flags(access.detail)) {
      facts.namespaces.push_back(type);
      facts.resources.push_back(fmt::format("namespace/{}", event::to_string(type)));
    }
  } else {
    facts.resources = {resource_of(access.kind)};
  }
  if (access.direction != Direction::nest) {
    facts.to = access.to;
  }
  return facts;
}

Facts facts_of(const Breach& breach) {
  Facts facts;
  facts.event = EventKind::invariant;
  facts.action = event::to_string(breach.invariant);
  facts.resources = {resource_of(breach.invariant)};
  facts.unit = breach.from;
  facts.process = breach.process;
  return facts;
}

Facts facts_of(const Event& event) {
  return std::visit([](const auto& one) { return facts_of(one); }, event);
}

std::string describe(const identity::UnitRef& unit) {
  return unit.kind == identity::UnitKind::host
             ? "host"
             : fmt::format("{} {}", identity::to_string(unit.kind), unit.name);
}

std::string namespaces_of(const Facts& facts) {
  std::string text;
  for (const event::NamespaceType type : facts.namespaces) {
    text += text.empty() ? "" : ", ";
    text += event::to_string(type);
  }
  return text;
}

}  // namespace isoscope::policy
