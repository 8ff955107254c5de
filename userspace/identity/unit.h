// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

// Who made the cgroup that a VMM runs in.
enum class VmScopeKind { pod, container, libvirt, proxmox, firecracker, service, scope };
const char* to_string(VmScopeKind kind);

// The thing that the host's own management knows a VM by. Where the VMM is in a container of a pod it is the
// pod, though the unit that pays is the container.
//
//   kind         id                  name
//   pod          uid                 uid, or its first 12 digits where it is one of podman's
//   container    id                  as that of the unit
//   libvirt      cgroup path         machine name, without what a host name cannot hold
//   proxmox      cgroup path         number of the VM
//   firecracker  cgroup path         what the jailer was told as --id
//   service      cgroup path         unit of systemd: `vm@web.service`
//   scope        cgroup path         unit of systemd: `session-2.scope`
struct VmScope {
  VmScopeKind kind = VmScopeKind::scope;
  std::string id;
  std::string name;
  friend bool operator==(const VmScope&, const VmScope&) = default;
};

// A virtual machine, told by the command line and the cgroup of the thread group that owns its vCPUs.
struct Vm {
  std::string id;    // uuid where there is one, else `pid:NNN`
  std::string name;  // `pid:NNN` where neither command line nor cgroup has one
  std::string uuid;  // empty where there is none
  std::string vmm;   // qemu, firecracker, ... or the executable's base name
  std::uint32_t pid = 0;
  std::uint64_t cgroup_id = 0;        // of the VMM; 0: not known
  std::string cgroup_path = {};       // empty: not known
  std::optional<VmScope> scope = {};  // empty: nobody's, such as a plain cgroup
};

// What a container's runtime has written down of it, and of a pod what those of its containers have. Empty:
// not known.
struct Metadata {
  std::string runtime = {};    // docker, containerd, crio, podman, runc, crun
  std::string container = {};  // its name; in a pod, the one within the pod
  std::string image = {};      // as it was asked for: `nginx:1.25`
  std::string pod_name = {};
  std::string pod_namespace = {};
  std::string pod_uid = {};
  std::vector<std::pair<std::string, std::string>> labels = {};  // those asked for that it has, key and value
  friend bool operator==(const Metadata&, const Metadata&) = default;
};

// `updated` is what a report says when more became known of a unit than was reported before; no unit stays in
// that state.
enum class UnitState { created, started, found, stopped, updated };
const char* to_string(UnitState state);

// A unit with its boundary. The namespaces are those of its first program (`started`, `found`) and empty
// before.
struct Unit {
  UnitRef ref;
  UnitState state = UnitState::created;
  std::uint64_t cgroup_id = 0;
  std::string cgroup_path;
  event::NamespaceSet namespaces;
  Metadata metadata = {};
  std::optional<UnitRef> parent = {};  // in reports: the next unit around it that is not the host's own
};

}  // namespace isoscope::identity
