// SPDX-License-Identifier: Apache-2.0
#include "cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

#include "process.h"

namespace isoscope::live {

namespace {

std::string unique_name() {
  static int made = 0;
  return "isoscope-test-" + std::to_string(::getpid()) + "-" + std::to_string(++made);
}

}  // namespace

std::string cgroup_mount() {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) {
      continue;
    }
    std::istringstream fields(line);
    std::string id, parent, device, root, point;
    fields >> id >> parent >> device >> root >> point;
    if (::access(point.c_str(), W_OK) == 0) {
      return point;
    }
  }
  return "";
}

std::uint64_t cgroup_id_of(const std::string& folder) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) {
    throw std::system_error(errno, std::generic_category(), folder);
  }
  return info.st_ino;  // on 64-bit kernels the id of a kernfs node is its inode number
}

std::uint64_t own_cgroup_id() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::")) {
      return cgroup_id_of(cgroup_mount() + line.substr(3));
    }
  }
  return 0;
}

Cgroup::Cgroup() : Cgroup(cgroup_mount(), unique_name()) {}

Cgroup::Cgroup(const std::string& parent, const std::string& name)
    : folder_(parent + "/" + name), name_(name) {
  if (::mkdir(folder_.c_str(), 0755) != 0) {
    throw std::system_error(errno, std::generic_category(), "mkdir " + folder_);
  }
  id_ = cgroup_id_of(folder_);
  fd_.reset(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void Cgroup::take_in(std::uint32_t pid) const {
  std::ofstream procs(folder_ + "/cgroup.procs");
  procs << pid << std::flush;
  if (!procs) {
    throw std::system_error(errno, std::generic_category(), "cannot move a process to " + folder_);
  }
}

void Cgroup::remove() {
  if (folder_.empty()) {
    return;
  }
  // Busy while one of its processes is on its way out.
  eventually([&] {
    if (::rmdir(folder_.c_str()) == 0 || errno == ENOENT) {
      return true;
    }
    std::ifstream procs(folder_ + "/cgroup.procs");
    for (pid_t pid = 0; procs >> pid;) {
      if (pid > 0) {
        ::kill(pid, SIGKILL);
      }
    }
    return false;
  });
  folder_.clear();
}

}  // namespace isoscope::live
