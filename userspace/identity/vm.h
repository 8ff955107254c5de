// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "identity/process.h"
#include "identity/unit.h"

namespace isoscope::identity {

// Who a VM is, from its VMM: exe_base is the executable's base name, which says what kind of VMM it is (the
// process's own name is whatever it calls itself). Understood are the command lines of QEMU (also as libvirt
// writes them), Firecracker, cloud-hypervisor, crosvm and kvmtool; any other program is a VM called
// `pid:NNN`.
Vm parse_vmm_command_line(std::uint32_t pid, std::string_view exe_base, const std::vector<std::string>& argv);

// The same of a running process; of one that is gone, a VM called `pid:NNN` with the VMM `unknown`.
Vm read_vm(std::uint32_t pid, const std::string& proc_root = default_proc_root);

}  // namespace isoscope::identity
