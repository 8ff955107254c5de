// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "identity/unit.h"

namespace isoscope::identity {

// What a path in the default hierarchy says of the unit that owns it.
struct CgroupIdentity {
  UnitKind kind = UnitKind::cgroup;
  std::string id;  // container id, pod uid, machine name; otherwise the path of the unit's own cgroup
  std::string
      runtime;       // docker, containerd, crio, podman, lxc, libvirt, ...; empty where the path does not say
  std::string name;  // for people: short id, machine name, `nginx.service`, or the path
  std::size_t root_bytes = 0;  // the unit's own cgroup is the first root_bytes bytes of the path
  std::string pod = {};        // uid of the pod that the unit is, or is a part of; empty outside of pods
};

// The innermost unit that the path names. What lies inside a container belongs to it, unless it names a
// container of its own. A path that nothing is known of is a plain cgroup, not a guess; the root is nobody's.
// Ids are believed only where they have the runtime's form (64 hexadecimal digits).
std::optional<CgroupIdentity> parse_cgroup_path(std::string_view path);

// How an id is shown: a full container id shortened, any other as it is.
std::string shown_id(std::string_view id);

// How a full container id is shown: its first 12 characters, as docker and crictl do.
std::string short_id(std::string_view id);

// 64 hexadecimal digits in lower case.
bool is_full_id(std::string_view text);

}  // namespace isoscope::identity
