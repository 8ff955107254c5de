// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "identity/process.h"
#include "identity/unit.h"

namespace isoscope::identity {

// What is seen of a VMM from outside.
struct VmmProcess {
  std::uint32_t pid = 0;
  std::uint32_t inner_pid = 0;  // in its own pid namespace
  std::string exe;  // base name of the executable: the process's own name is whatever it calls itself
  std::vector<std::string> argv;
  std::string cgroup_path = {};
};

// Who a VM is, from its VMM. Understood are the command lines of QEMU (also as libvirt, Proxmox and Android
// write them), Firecracker, cloud-hypervisor, crosvm, kvmtool, StratoVirt, Kata's shim (Dragonball), gVisor,
// krunvm and VirtualBox; any other program is a VM called `pid:NNN`. Names are cut at 255 bytes.
Vm identify_vm(const VmmProcess& process);

// What such a VM is called.
std::string name_by_pid(std::uint32_t pid);

// The same of a running process; of one that is gone, a VM called `pid:NNN` with the VMM `unknown`.
Vm read_vm(std::uint32_t pid, const std::string& proc_root = default_proc_root,
           kernel::CgroupController controller = kernel::CgroupController::unified);

}  // namespace isoscope::identity
