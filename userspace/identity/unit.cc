// SPDX-License-Identifier: Apache-2.0
#include "identity/unit.h"

namespace isoscope::identity {

const char* to_string(UnitKind kind) {
  switch (kind) {
    case UnitKind::host:
      return "host";
    case UnitKind::container:
      return "container";
    case UnitKind::pod:
      return "pod";
    case UnitKind::vm:
      return "vm";
    case UnitKind::service:
      return "service";
    case UnitKind::cgroup:
      return "cgroup";
  }
  return "?";
}

const char* to_string(VmScopeKind kind) {
  switch (kind) {
    case VmScopeKind::pod:
      return "pod";
    case VmScopeKind::container:
      return "container";
    case VmScopeKind::libvirt:
      return "libvirt";
    case VmScopeKind::proxmox:
      return "proxmox";
    case VmScopeKind::firecracker:
      return "firecracker";
    case VmScopeKind::service:
      return "service";
    case VmScopeKind::scope:
      return "scope";
  }
  return "?";
}

const char* to_string(UnitState state) {
  switch (state) {
    case UnitState::created:
      return "created";
    case UnitState::started:
      return "started";
    case UnitState::found:
      return "found";
    case UnitState::stopped:
      return "stopped";
    case UnitState::updated:
      return "updated";
  }
  return "?";
}

}  // namespace isoscope::identity
