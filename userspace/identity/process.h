// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "event/record.h"
#include "kernel/cgroup_hierarchy.h"

namespace isoscope::identity {

// Read-only look at /proc. Processes end while they are looked at: then the answer is empty.

inline constexpr const char* default_proc_root = "/proc";

// A process as the walk at start finds it.
struct ProcessInfo {
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;  // since boot, in clock ticks
  std::string cgroup_path;        // in the hierarchy that is followed
  event::NamespaceSet namespaces;
};

// Every process (thread group) of the host. An error means that /proc itself cannot be read.
base::Result<std::vector<ProcessInfo>> list_processes(
    const std::string& proc_root = default_proc_root,
    kernel::CgroupController controller = kernel::CgroupController::unified);

// In that hierarchy; empty if it is in none of it. Nothing, if the process is gone.
std::optional<std::string> read_cgroup_path(std::uint32_t pid, const std::string& proc_root,
                                            kernel::CgroupController controller);

// Of a process by type, as the records have them: pid and time are those for its children. Types that this
// kernel lacks, and all types of a process that is gone, are 0.
event::NamespaceSet read_namespaces(std::uint32_t pid, const std::string& proc_root = default_proc_root);

// Whether a process in the cgroup whose files are in `folder` has this mount namespace.
bool has_member_in_mount_namespace(const std::string& folder, std::uint32_t mnt,
                                   const std::string& proc_root = default_proc_root);

// What keeps this thread from the namespaces of others, in words.
const char* why_unreadable();

// The host's own namespaces are those of pid 1.
base::Result<event::NamespaceSet> read_host_namespaces(const std::string& proc_root = default_proc_root);

// Whether the thread is still the one that started at start_boot_ns (CLOCK_BOOTTIME).
bool is_thread(std::uint32_t pid, std::uint32_t tid, std::uint64_t start_boot_ns,
               const std::string& proc_root = default_proc_root);

// Path of the executable, if the thread is still the one that started at start_boot_ns (CLOCK_BOOTTIME): a
// recycled id is not believed.
std::string read_exe(std::uint32_t pid, std::uint32_t tid, std::uint64_t start_boot_ns,
                     const std::string& proc_root = default_proc_root);

std::vector<std::string> read_command_line(std::uint32_t pid,
                                           const std::string& proc_root = default_proc_root);

// A whole file of at most a few MB.
base::Result<std::string> read_small_file(const std::string& path);

// Target of a symbolic link; empty if there is none.
std::string read_link(const std::string& path);

// The formats, each on the text of one file or link.
std::optional<std::uint64_t> parse_start_ticks(std::string_view stat);          // /proc/PID/stat
std::optional<std::uint32_t> parse_parent_pid(std::string_view stat);           // the same
std::optional<std::uint32_t> parse_inner_pid(std::string_view status);          // /proc/PID/status, innermost
std::vector<std::string> parse_command_line(std::string_view bytes);            // /proc/PID/cmdline
std::vector<std::uint32_t> parse_cgroup_procs(std::string_view text);           // cgroup.procs
std::optional<std::uint32_t> parse_namespace_link(std::string_view link);       // `mnt:[4026531841]`
std::uint64_t ticks_of(std::uint64_t boot_ns, std::uint64_t ticks_per_second);  // as the kernel rounds it

}  // namespace isoscope::identity
