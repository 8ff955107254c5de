// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/process.h"

namespace isoscope::identity {

// VMs as /proc alone shows them: for who does not trace. A process that has a vCPU open runs a VM, whatever
// it is called. One that got the descriptor from another and does not run the vCPU looks the same.

// The number in the target of a link in /proc/PID/fd: `anon_inode:kvm-vcpu:0`.
std::optional<std::uint32_t> parse_vcpu_link(std::string_view link);

// Of the given processes, those with a vCPU. What cannot be read has none.
std::vector<std::uint32_t> find_vmms(const std::vector<ProcessInfo>& processes,
                                     const std::string& proc_root = default_proc_root);

// How many processes there are whose namespaces cannot be read for want of a privilege.
std::size_t count_unreadable(const std::string& proc_root = default_proc_root);

}  // namespace isoscope::identity
