// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "event/record.h"

namespace isoscope::identity {

enum class UnitKind { host, container, pod, vm, service, cgroup };
const char* to_string(UnitKind kind);

// What a record says of a unit. id is stable for the unit's life and unique on this host: a container's id,
// a VM's uuid or `pid:NNN`, otherwise the cgroup path (`/` for the host). name is for people.
struct UnitRef {
  UnitKind kind = UnitKind::host;
  std::string id = "/";
  std::string name = "host";
  friend bool operator==(const UnitRef&, const UnitRef&) = default;
};

// A virtual machine, told by the command line of the thread group that owns its vCPUs.
struct Vm {
  std::string id;    // uuid where there is one, else `pid:NNN`
  std::string name;  // `pid:NNN` where the command line has none
  std::string uuid;  // empty where there is none
  std::string vmm;   // qemu, firecracker, ... or the executable's base name
  std::uint32_t pid = 0;
};

enum class UnitState { created, started, found, stopped };
const char* to_string(UnitState state);

// A unit with its boundary. The namespaces are those of its first program (`started`, `found`) and empty
// before.
struct Unit {
  UnitRef ref;
  UnitState state = UnitState::created;
  std::uint64_t cgroup_id = 0;
  std::string cgroup_path;
  event::NamespaceSet namespaces;
};

}  // namespace isoscope::identity
