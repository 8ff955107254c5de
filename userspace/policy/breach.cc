// SPDX-License-Identifier: Apache-2.0
#include "policy/breach.h"

namespace isoscope::policy {

namespace {

using event::Invariant;
using identity::UnitKind;

bool has_boundary(UnitKind kind) {
  return kind == UnitKind::container || kind == UnitKind::pod || kind == UnitKind::vm;
}

}  // namespace

std::optional<Breach> resolve_breach(const event::Meta& meta, const event::Breach& breach,
                                     const identity::UnitRegistry& units) {
  const identity::Unit& subject = units.unit_of_task(breach.home_cgroup_id, meta.tgid);
  if (identity::is_host_software(subject)) {
    return std::nullopt;
  }
  Breach result;
  result.ts_mono_ns = meta.ts_ns;
  result.process = {.pid = meta.tgid,
                    .tid = meta.tid,
                    .parent_pid = breach.parent_tgid,
                    .uid = breach.uid,
                    .comm = breach.comm,
                    .exe = {},
                    .start_boot_ns = breach.start_boot_ns,
                    .cap_effective = breach.cap_effective,
                    .exe_file = breach.exe};
  result.from = subject.ref;
  result.to = subject.ref;
  result.direction = Direction::own;
  result.invariant = breach.invariant;
  result.set = breach.set;
  result.before = breach.before;
  result.now = breach.now;
  result.seen_at = breach.seen_at;
  result.answer = breach.answer;
  return result;
}

std::vector<Breach> breaches_of(const Crossing& crossing) {
  std::vector<Breach> breaches;
  const auto add = [&](Invariant invariant) {
    Breach breach;
    static_cast<Incident&>(breach) = crossing;
    breach.to = crossing.from;
    breach.direction = Direction::own;
    breach.invariant = invariant;
    breach.seen_at = crossing.seen_at;
    breaches.push_back(std::move(breach));
  };
  if (!has_boundary(crossing.from.kind)) {
    return breaches;
  }
  if (crossing.mechanism == event::Mechanism::none) {
    add(Invariant::system_call);
  }
  if (crossing.direction == Direction::leave_cgroup) {
    add(Invariant::cgroup);
  }
  if (crossing.initial) {
    add(Invariant::initial_namespaces);
  }
  return breaches;
}

const char* describe(Invariant invariant) {
  switch (invariant) {
    case Invariant::pid_namespace:
      return "its own pid namespace changed";
    case Invariant::user_namespace:
      return "its user namespace is not below the one it had";
    case Invariant::capabilities:
      return "a set of capabilities grew";
    case Invariant::no_new_privs:
      return "no_new_privs was taken back";
    case Invariant::seccomp:
      return "the mode of seccomp fell back";
    case Invariant::system_call:
      return "namespaces changed without a system call";
    case Invariant::cgroup:
      return "it left the cgroup of its unit";
    case Invariant::initial_namespaces:
      return "it has the namespaces of the kernel's first task";
    case Invariant::initial_credentials:
      return "it has the credentials of the kernel's first task";
  }
  return "?";
}

}  // namespace isoscope::policy
