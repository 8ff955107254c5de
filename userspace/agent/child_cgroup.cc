// SPDX-License-Identifier: Apache-2.0
#include "agent/child_cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/unique_fd.h"
#include "identity/process.h"

namespace isoscope::agent {

namespace {

using base::Error;
using base::ErrorKind;
using base::Result;

Error no_cgroup(const std::string& why) {
  return {ErrorKind::failure, fmt::format("the command has no cgroup of its own: {}", why)};
}

// 0, or errno.
int put_into(const std::string& folder, std::uint32_t pid) {
  const base::UniqueFd procs(::open((folder + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text = std::to_string(pid);
  return procs && ::write(procs.get(), text.data(), text.size()) >= 0 ? 0 : errno;
}

// Cgroups go by rmdir, from the innermost outwards; their files go with them.
bool remove_tree(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> inner;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.is_directory(error)) {
      inner.push_back(entry.path());
    }
  }
  for (const std::string& one : inner) {
    remove_tree(one);
  }
  return ::rmdir(folder.c_str()) == 0 || errno == ENOENT;
}

}  // namespace

Result<ChildCgroup> ChildCgroup::create(const std::optional<kernel::CgroupHierarchy>& hierarchy,
                                        std::uint32_t pid) {
  if (!hierarchy) {
    return no_cgroup("no cgroups are mounted");
  }
  const auto own = identity::read_cgroup_path(static_cast<std::uint32_t>(::getpid()),
                                              identity::default_proc_root, hierarchy->controller);
  const kernel::CgroupMount& mount = hierarchy->mount;
  if (!own || !own->starts_with(mount.root)) {
    return no_cgroup(fmt::format("that of isoscope is not below {}", mount.point));
  }
  const std::string path = fmt::format("{}/isoscope-run-{}", *own == "/" ? "" : *own, pid);
  const std::string folder = mount.point + path.substr(mount.root.size());
  if (::mkdir(folder.c_str(), 0755) != 0) {
    return no_cgroup(fmt::format("cannot make {}: {}", folder, base::errno_text(errno)));
  }
  ChildCgroup made(path, folder);
  if (const int error = put_into(folder, pid); error != 0) {
    return no_cgroup(fmt::format("cannot move it into {}: {}", folder, base::errno_text(error)));
  }
  return made;
}

ChildCgroup::ChildCgroup(ChildCgroup&& other) noexcept
    : path_(std::exchange(other.path_, {})), folder_(std::exchange(other.folder_, {})) {}

ChildCgroup& ChildCgroup::operator=(ChildCgroup&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(folder_, other.folder_);
  return *this;
}

ChildCgroup::~ChildCgroup() {
  if (!folder_.empty() && !remove_tree(folder_)) {
    base::log::info("the command left processes behind; they stay in the cgroup {}", path_);
  }
}

}  // namespace isoscope::agent
