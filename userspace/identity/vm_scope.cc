// SPDX-License-Identifier: Apache-2.0
#include "identity/vm_scope.h"

#include <algorithm>
#include <string>

#include "identity/cgroup_path.h"

namespace isoscope::identity {

namespace {

bool is_firecracker_id(std::string_view text) {
  constexpr std::size_t longest = 64;
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  };
  return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), fits);
}

// Firecracker's jailer makes `/EXECUTABLE/ID`, with the file name of the executable that it starts. It is not
// a unit of its own kind for that: with a pid namespace it is a container, and watched like one.
std::optional<VmScope> jailed_firecracker(std::string_view path) {
  const std::size_t slash = path.find('/', 1);
  if (!path.starts_with("/firecracker") || slash == std::string_view::npos ||
      path.substr(0, slash).ends_with(".slice") || !is_firecracker_id(path.substr(slash + 1))) {
    return std::nullopt;
  }
  return VmScope{VmScopeKind::firecracker, std::string(path), std::string(path.substr(slash + 1))};
}

// The innermost scope of systemd on the path.
std::optional<VmScope> systemd_scope(std::string_view path) {
  constexpr std::string_view suffix = ".scope";
  while (!path.empty()) {
    const std::string_view name = path.substr(path.rfind('/') + 1);
    if (name.ends_with(suffix) && name.size() > suffix.size() && name != "init.scope") {
      return VmScope{VmScopeKind::scope, std::string(path), std::string(name)};
    }
    path = path.substr(0, path.size() - std::min(path.size(), name.size() + 1));
  }
  return std::nullopt;
}

VmScopeKind machine_kind(const CgroupIdentity& identity) {
  return identity.runtime == "proxmox" ? VmScopeKind::proxmox : VmScopeKind::libvirt;
}

}  // namespace

std::optional<VmScope> parse_vm_scope(std::string_view cgroup_path) {
  const auto identity = parse_cgroup_path(cgroup_path);
  if (!identity) {
    return std::nullopt;
  }
  if (!identity->pod.empty()) {
    return VmScope{VmScopeKind::pod, identity->pod, shown_id(identity->pod)};
  }
  switch (identity->kind) {
    case UnitKind::container:
      return VmScope{VmScopeKind::container, identity->id, identity->name};
    case UnitKind::vm:
      return VmScope{machine_kind(*identity), identity->id, identity->name};
    case UnitKind::service:
      return VmScope{VmScopeKind::service, identity->id, identity->name};
    case UnitKind::cgroup:
      if (auto jailed = jailed_firecracker(cgroup_path)) {
        return jailed;
      }
      return systemd_scope(cgroup_path);
    case UnitKind::host:
    case UnitKind::pod:
      break;
  }
  return std::nullopt;
}

}  // namespace isoscope::identity
