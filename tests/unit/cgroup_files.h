// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "identity/cgroup_tree.h"
#include "identity/resources.h"

// Files as the kernel shows them, in a folder of their own that is gone with the object.
namespace isoscope::identity::testing {

class KernelFiles {
 public:
  KernelFiles() {
    std::string path = "/tmp/isoscope_kernel_XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
      throw std::runtime_error("no temporary folder");
    }
    root_ = path;
    std::filesystem::create_directories(root_ / "cgroup");
  }
  ~KernelFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  KernelFiles(const KernelFiles&) = delete;
  KernelFiles& operator=(const KernelFiles&) = delete;

  // `cgroup/web/cpu.stat`, `proc/meminfo`, `devices/8:0/slaves/sda`
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  void mkdir(const std::string& name) { std::filesystem::create_directories(root_ / name); }
  void link(const std::string& name, const std::string& target) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::filesystem::create_symlink(target, root_ / name);
  }
  void remove(const std::string& name) { std::filesystem::remove_all(root_ / name); }

  CgroupTree tree() const {
    CgroupTree tree(CgroupTree::Mount{(root_ / "cgroup").string(), ""});
    if (!tree.scan()) {
      throw std::runtime_error("no cgroups");
    }
    return tree;
  }
  ResourceReader reader() const {
    return ResourceReader({(root_ / "proc").string(), (root_ / "devices").string()});
  }

 private:
  std::filesystem::path root_;
};

}  // namespace isoscope::identity::testing
