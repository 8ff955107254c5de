// SPDX-License-Identifier: Apache-2.0
#include "identity/vcpu_files.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>

namespace isoscope::identity {

namespace {

// Calls `take` with the name of each entry until it returns false. A folder that cannot be read is empty.
template <typename Take>
void for_each_entry(const std::string& folder, Take take) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.c_str()), ::closedir);
  if (!dir) {
    return;
  }
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] != '.' && !take(std::string_view(entry->d_name))) {
      return;
    }
  }
}

bool has_vcpu(std::uint32_t pid, const std::string& proc_root) {
  const std::string folder = fmt::format("{}/{}/fd", proc_root, pid);
  bool found = false;
  for_each_entry(folder, [&](std::string_view name) {
    found = parse_vcpu_link(read_link(fmt::format("{}/{}", folder, name))).has_value();
    return !found;
  });
  return found;
}

}  // namespace

std::optional<std::uint32_t> parse_vcpu_link(std::string_view link) {
  constexpr std::string_view prefix = "anon_inode:kvm-vcpu:";
  if (!link.starts_with(prefix)) {
    return std::nullopt;
  }
  link.remove_prefix(prefix.size());
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(link.data(), link.data() + link.size(), number);
  return error == std::errc() && end == link.data() + link.size() ? std::optional(number) : std::nullopt;
}

std::vector<std::uint32_t> find_vmms(const std::vector<ProcessInfo>& processes,
                                     const std::string& proc_root) {
  std::vector<std::uint32_t> vmms;
  for (const ProcessInfo& process : processes) {
    if (has_vcpu(process.pid, proc_root)) {
      vmms.push_back(process.pid);
    }
  }
  return vmms;
}

std::size_t count_unreadable(const std::string& proc_root) {
  std::size_t count = 0;
  for_each_entry(proc_root, [&](std::string_view name) {
    std::array<char, 64> target{};
    const std::string link = fmt::format("{}/{}/ns/mnt", proc_root, name);
    const bool is_process =
        std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    // One that has ended, as a zombie, has no namespaces: that is another error.
    if (is_process && ::readlink(link.c_str(), target.data(), target.size()) < 0 &&
        (errno == EACCES || errno == EPERM)) {
      count++;
    }
    return true;
  });
  return count;
}

}  // namespace isoscope::identity
