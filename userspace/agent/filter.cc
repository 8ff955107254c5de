// SPDX-License-Identifier: Apache-2.0
#include "agent/filter.h"

#include <fnmatch.h>

#include <algorithm>
#include <string_view>

#include "event/reason.h"
#include "identity/vm.h"

namespace isoscope::agent {

namespace {

bool matches(const std::string& glob, const std::string& text) {
  return ::fnmatch(glob.c_str(), text.c_str(), 0) == 0;
}

// A container of a pod is called `POD/NAME`; its own name alone is what people type, too.
bool names_last_part(const std::string& wanted, const identity::UnitRef& unit) {
  const std::size_t slash = unit.name.rfind('/');
  return unit.kind == identity::UnitKind::container && slash != std::string::npos &&
         matches(wanted, unit.name.substr(slash + 1));
}

// The first 12 characters of a container's id are what docker and crictl print.
bool names_container(const std::string& wanted, const identity::UnitRef& unit) {
  constexpr std::size_t shortest_prefix = 12;
  return matches(wanted, unit.name) || matches(wanted, unit.id) || names_last_part(wanted, unit) ||
         (wanted.size() >= shortest_prefix && unit.id.starts_with(wanted));
}

bool is_below(std::string_view path, std::string_view root) {
  while (root.size() > 1 && root.ends_with('/')) {
    root.remove_suffix(1);
  }
  return root == "/" || path == root || (path.starts_with(root) && path.substr(root.size()).starts_with('/'));
}

bool names_vm(const std::string& wanted, const identity::Vm& vm) {
  return matches(wanted, vm.name) || matches(wanted, vm.id) || wanted == identity::name_by_pid(vm.pid);
}

// A VM belongs to the pod or the unit of systemd that its VMM's cgroup is of, too.
bool names_unit(const std::string& wanted, const Filter::Subject& subject) {
  const auto names = [&](const auto& thing) {
    return matches(wanted, thing.name) || matches(wanted, thing.id);
  };
  return (subject.unit != nullptr && (names(*subject.unit) || names_last_part(wanted, *subject.unit))) ||
         (subject.vm != nullptr && subject.vm->scope && names(*subject.vm->scope));
}

bool names_reason(const std::string& wanted, const Filter::Exits& exits) {
  // The row of others holds the exits of several reasons: it has no number.
  return exits.other ? ::fnmatch(wanted.c_str(), std::string(event::other_reasons).c_str(), FNM_CASEFOLD) == 0
                     : event::matches_reason(wanted, exits.isa, exits.reason);
}

// Alternatives of one option; an option that was not given lets everything through.
template <typename Values, typename Predicate>
bool any(const Values& wanted, Predicate&& predicate) {
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), predicate);
}

}  // namespace

bool Filter::empty() const {
  return filters_.vm.empty() && filters_.container.empty() && filters_.cgroup.empty() &&
         filters_.unit.empty() && filters_.pid.empty() && filters_.vcpu.empty() && filters_.reason.empty();
}

bool Filter::passes(const Subject& subject) const {
  const identity::UnitRef* const unit = subject.unit;
  return any(filters_.vm,
             [&](const std::string& wanted) {
               return subject.vm != nullptr && names_vm(wanted, *subject.vm);
             }) &&
         any(filters_.container,
             [&](const std::string& wanted) {
               return unit != nullptr && unit->kind == identity::UnitKind::container &&
                      names_container(wanted, *unit);
             }) &&
         any(filters_.cgroup,
             [&](const std::string& wanted) {
               return subject.cgroup_path != nullptr && is_below(*subject.cgroup_path, wanted);
             }) &&
         any(filters_.unit, [&](const std::string& wanted) { return names_unit(wanted, subject); }) &&
         any(filters_.pid, [&](std::uint32_t wanted) { return subject.pid == wanted; }) &&
         any(filters_.vcpu,
             [&](const config::VcpuRange& wanted) {
               return subject.exits != nullptr && subject.exits->vcpu_id >= wanted.first &&
                      subject.exits->vcpu_id <= wanted.last;
             }) &&
         any(filters_.reason, [&](const std::string& wanted) {
           return subject.exits != nullptr && names_reason(wanted, *subject.exits);
         });
}

}  // namespace isoscope::agent
