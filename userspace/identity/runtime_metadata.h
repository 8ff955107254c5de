// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/unit.h"

namespace isoscope::identity {

// The files in which container runtimes write down what they run, each from its text. The formats are the
// runtimes' own and change with them: a member that is missing or of another type is not known; only what is
// no JSON object (or list) at all is an error. Texts are cut at some length: images and labels are whatever
// somebody wrote into them.

// What a container is called that holds a pod's namespaces and runs nothing; Kubernetes allows no container
// to be called so.
inline constexpr std::string_view sandbox_name = "POD";

// Keys of the labels that are carried.
using LabelKeys = std::vector<std::string>;

struct RuntimeRecord {
  Metadata metadata = {};
  std::string cgroup = {};  // where the runtime says that it put the container; empty: it does not say
};

// docker: containers/ID/config.v2.json.
base::Result<RuntimeRecord> parse_docker_config(std::string_view text, const LabelKeys& keys);

// config.json of the OCI runtime specification, with the annotations of containerd, nerdctl, CRI-O and
// podman. `cgroup` is its cgroupsPath as it stands: a path, or SLICE:PREFIX:ID.
base::Result<RuntimeRecord> parse_oci_config(std::string_view text, const LabelKeys& keys);

// runc: ROOT/ID/state.json; `cgroup` as a path below the mount of the default hierarchy.
base::Result<RuntimeRecord> parse_runc_state(std::string_view text, const LabelKeys& keys);

// crun: ROOT/ID/status, which has the cgroup alone.
base::Result<RuntimeRecord> parse_crun_status(std::string_view text);

// podman and CRI-O: containers.json of their storage; name and image by id.
base::Result<std::map<std::string, Metadata>> parse_container_list(std::string_view text);

// Takes from `more` what `metadata` does not have.
void fill_in(Metadata& metadata, const Metadata& more);

// How a container is called; in a pod, by pod and name. Empty: it has no name.
std::string display_name(const Metadata& metadata);

}  // namespace isoscope::identity
