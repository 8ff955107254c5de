// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernel/features.h"

namespace isoscope::probe {

// Asks this kernel what it offers. Loads two empty programs to learn whether fentry works, so it needs the
// capabilities that tracing needs; without them it finds what can be found and says which are missing.
kernel::Features discover();

// The hierarchy of cgroups alone, from /proc: nothing is loaded. Empty: none is mounted.
std::optional<kernel::CgroupHierarchy> discover_cgroups();

// KVM alone, from sysfs and tracefs: cheap enough to ask many times a second.
kernel::KvmFeatures discover_kvm();

// Tells one load of a module from the next; 0: it is not there. One system call.
std::uint64_t module_instance(const std::string& module);

// Which hooks of the loaded kvm module there are. `fentry`: whether this kernel has it at all.
kernel::KvmHooks discover_kvm_hooks(const kernel::KvmFeatures& kvm, bool fentry);

// Of the library that loads the programs, as `1.1`.
std::string libbpf_version();

}  // namespace isoscope::probe
