// SPDX-License-Identifier: Apache-2.0
#include "identity/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <memory>

#include "base/capabilities.h"
#include "base/unique_fd.h"

namespace isoscope::identity {

namespace {

using base::Error;
using base::ErrorKind;
using base::Result;
using kernel::CgroupController;

// A command line may have 2 MB, the list of mounts of a big node some more.
constexpr std::size_t file_limit = 16u << 20;

// Link names below /proc/PID/ns, in the order of event::NamespaceType; the second is for when the first is
// empty. pid_for_children is until the first child of a new pid namespace is there; time came with 5.6.
struct NamespaceLink {
  const char* name;
  const char* otherwise;
};
constexpr std::array<NamespaceLink, event::namespace_types> links = {{{"mnt", nullptr},
                                                                      {"uts", nullptr},
                                                                      {"ipc", nullptr},
                                                                      {"net", nullptr},
                                                                      {"pid_for_children", "pid"},
                                                                      {"cgroup", nullptr},
                                                                      {"time_for_children", "time"},
                                                                      {"user", nullptr}}};

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// Of /proc/PID/stat; fields are counted from 1, as proc(5) does, and this knows those behind the name.
template <typename T>
std::optional<T> parse_stat_field(std::string_view stat, int wanted) {
  // Field 2 is the name in parentheses and may hold blanks and parentheses itself: count from its end.
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) {
    return std::nullopt;
  }
  stat.remove_prefix(name_end + 1);
  constexpr int first_field = 3;
  for (int field = first_field; field <= wanted; field++) {
    const std::size_t begin = stat.find_first_not_of(' ');
    if (begin == std::string_view::npos) {
      return std::nullopt;
    }
    const std::size_t end = std::min(stat.find(' ', begin), stat.size());
    if (field == wanted) {
      return parse_number<T>(stat.substr(begin, end - begin));
    }
    stat.remove_prefix(end);
  }
  return std::nullopt;
}

std::string process_file(const std::string& proc_root, std::uint32_t pid, std::string_view name) {
  return fmt::format("{}/{}/{}", proc_root, pid, name);
}

std::optional<ProcessInfo> read_process(std::uint32_t pid, const std::string& proc_root,
                                        CgroupController controller) {
  const auto stat = read_small_file(process_file(proc_root, pid, "stat"));
  auto cgroup = read_cgroup_path(pid, proc_root, controller);
  if (!stat || !cgroup) {
    return std::nullopt;
  }
  ProcessInfo info{.pid = pid,
                   .start_ticks = parse_start_ticks(*stat).value_or(0),
                   .cgroup_path = *std::move(cgroup),
                   .namespaces = read_namespaces(pid, proc_root)};
  if (info.namespaces == event::NamespaceSet{}) {
    return std::nullopt;
  }
  return info;
}

}  // namespace

Result<std::vector<ProcessInfo>> list_processes(const std::string& proc_root, CgroupController controller) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(proc_root.c_str()), ::closedir);
  if (!dir) {
    return Error{ErrorKind::failure,
                 fmt::format("cannot list processes in {}: {}", proc_root, base::errno_text(errno))};
  }
  std::vector<ProcessInfo> result;
  while (const dirent* entry = ::readdir(dir.get())) {
    const auto pid = parse_number<std::uint32_t>(entry->d_name);
    if (!pid) {
      continue;
    }
    if (auto info = read_process(*pid, proc_root, controller)) {
      result.push_back(*std::move(info));
    }
  }
  return result;
}

std::optional<std::string> read_cgroup_path(std::uint32_t pid, const std::string& proc_root,
                                            CgroupController controller) {
  const auto text = read_small_file(process_file(proc_root, pid, "cgroup"));
  if (!text) {
    return std::nullopt;
  }
  auto membership = kernel::find_membership(*text, controller);
  return membership ? std::move(membership->path) : std::string();
}

event::NamespaceSet read_namespaces(std::uint32_t pid, const std::string& proc_root) {
  event::NamespaceSet set;
  for (std::size_t type = 0; type < links.size(); type++) {
    for (const char* name : {links[type].name, links[type].otherwise}) {
      if (name == nullptr || set.inum[type] != 0) {
        continue;
      }
      const std::string link = read_link(process_file(proc_root, pid, fmt::format("ns/{}", name)));
      set.inum[type] = parse_namespace_link(link).value_or(0);
    }
  }
  return set;
}

bool has_member_in_mount_namespace(const std::string& folder, std::uint32_t mnt,
                                   const std::string& proc_root) {
  const auto members = read_small_file(folder + "/cgroup.procs");
  if (!members) {
    return false;
  }
  for (const std::uint32_t pid : parse_cgroup_procs(*members)) {
    if (parse_namespace_link(read_link(process_file(proc_root, pid, "ns/mnt"))) == mnt) {
      return true;
    }
  }
  return false;
}

const char* why_unreadable() {
  return base::has_capability(CAP_SYS_PTRACE)
             ? "CAP_SYS_PTRACE is there, but a security module, or the sandbox that this runs in, refuses"
             : "CAP_SYS_PTRACE is needed; run it as root";
}

Result<event::NamespaceSet> read_host_namespaces(const std::string& proc_root) {
  const event::NamespaceSet set = read_namespaces(1, proc_root);
  if (set[event::NamespaceType::mnt] == 0) {
    return Error{ErrorKind::permission, fmt::format("cannot read the host's namespaces in {}/1/ns: {}",
                                                    proc_root, why_unreadable())};
  }
  return set;
}

bool is_thread(std::uint32_t pid, std::uint32_t tid, std::uint64_t start_boot_ns,
               const std::string& proc_root) {
  const auto stat = read_small_file(fmt::format("{}/{}/task/{}/stat", proc_root, pid, tid));
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return stat && parse_start_ticks(*stat) == ticks_of(start_boot_ns, ticks_per_second);
}

std::string read_exe(std::uint32_t pid, std::uint32_t tid, std::uint64_t start_boot_ns,
                     const std::string& proc_root) {
  std::string exe = read_link(process_file(proc_root, pid, "exe"));
  // After the link was read: if the thread is the right one now, it was the right one then.
  return is_thread(pid, tid, start_boot_ns, proc_root) ? exe : std::string();
}

std::vector<std::string> read_command_line(std::uint32_t pid, const std::string& proc_root) {
  const auto bytes = read_small_file(process_file(proc_root, pid, "cmdline"));
  return bytes ? parse_command_line(*bytes) : std::vector<std::string>{};
}

Result<std::string> read_small_file(const std::string& path) {
  const auto failed = [&path](int error) {
    return Error{ErrorKind::failure, fmt::format("cannot read {}: {}", path, base::errno_text(error))};
  };
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return failed(errno);
  }
  std::string text;
  std::array<char, 16384> buffer{};
  while (text.size() < file_limit) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return failed(errno);
    }
    if (got == 0) {
      return text;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return failed(EFBIG);
}

std::string read_link(const std::string& path) {
  std::array<char, PATH_MAX> buffer{};
  const ssize_t length = ::readlink(path.c_str(), buffer.data(), buffer.size());
  return length < 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(length));
}

std::optional<std::uint64_t> parse_start_ticks(std::string_view stat) {
  constexpr int start_field = 22;
  return parse_stat_field<std::uint64_t>(stat, start_field);
}

std::optional<std::uint32_t> parse_parent_pid(std::string_view stat) {
  constexpr int parent_field = 4;
  return parse_stat_field<std::uint32_t>(stat, parent_field);
}

std::optional<std::uint32_t> parse_inner_pid(std::string_view status) {
  // `NSpid:\t4711\t7`: the outermost namespace that sees it comes first. A name may not hold a newline.
  constexpr std::string_view key = "\nNSpid:";
  const std::size_t begin = status.find(key);
  if (begin == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view line =
      status.substr(begin + key.size(), status.find('\n', begin + key.size()) - (begin + key.size()));
  return parse_number<std::uint32_t>(line.substr(line.find_last_of("\t ") + 1));
}

std::vector<std::string> parse_command_line(std::string_view bytes) {
  std::vector<std::string> arguments;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\0'), bytes.size());
    arguments.emplace_back(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  return arguments;
}

std::vector<std::uint32_t> parse_cgroup_procs(std::string_view text) {
  std::vector<std::uint32_t> pids;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (const auto pid = parse_number<std::uint32_t>(text.substr(0, end))) {
      pids.push_back(*pid);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pids;
}

std::optional<std::uint32_t> parse_namespace_link(std::string_view link) {
  const std::size_t open = link.find(":[");
  if (open == std::string_view::npos || !link.ends_with(']')) {
    return std::nullopt;
  }
  return parse_number<std::uint32_t>(link.substr(open + 2, link.size() - open - 3));
}

std::uint64_t ticks_of(std::uint64_t boot_ns, std::uint64_t ticks_per_second) {
  // nsec_to_clock_t in the kernel's kernel/time/time.c, for a tick that divides a second.
  return ticks_per_second == 0 ? 0 : boot_ns / (1'000'000'000 / ticks_per_second);
}

}  // namespace isoscope::identity
