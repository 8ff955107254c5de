// SPDX-License-Identifier: Apache-2.0
#include "agent/host_view.h"

#include <unistd.h>

#include <utility>

#include "base/log.h"

namespace isoscope::agent {

namespace {

event::NamespaceSet host_namespaces() {
  auto host = identity::read_host_namespaces();
  if (!host) {
    base::log::warning("{}; taking this process's own namespaces for the host's", host.error().message);
    host = identity::read_namespaces(static_cast<std::uint32_t>(::getpid()));
  }
  return *host;
}

}  // namespace

HostView::HostView(std::optional<kernel::CgroupHierarchy> hierarchy)
    : hierarchy_(std::move(hierarchy)), namespaces_(host_namespaces()) {}

identity::UnitRegistry HostView::make_registry(const std::string& plain_cgroup) const {
  auto reader = identity::UnitRegistry::proc_reader(identity::default_proc_root, controller());
  if (!plain_cgroup.empty()) {
    // As if a process of the host were in it. The shell that starts a sandbox elsewhere is.
    reader.has_member = [plain_cgroup, read = std::move(reader.has_member)](
                            const identity::CgroupTree& cgroups, std::uint64_t cgroup_id, std::uint32_t mnt) {
      const std::string* const path = cgroups.path_of(cgroup_id);
      return (path != nullptr && *path == plain_cgroup) || read(cgroups, cgroup_id, mnt);
    };
  }
  return {read_cgroups(), namespaces_, std::move(reader)};
}

base::Result<std::vector<identity::ProcessInfo>> HostView::list_processes() const {
  return identity::list_processes(identity::default_proc_root, controller());
}

std::optional<std::string> HostView::cgroup_path_of(std::uint32_t pid) const {
  return identity::read_cgroup_path(pid, identity::default_proc_root, controller());
}

identity::CgroupTree HostView::read_cgroups() const {
  if (!hierarchy_) {
    base::log::warning(
        "no cgroups are mounted: containers and services cannot be told apart, and every task "
        "counts as the host's; mount them with `mount -t cgroup2 none /sys/fs/cgroup`");
    return {};
  }
  auto tree = identity::CgroupTree::create(hierarchy_->mount);
  if (!tree) {
    base::log::warning("{}; every task counts as the host's", tree.error().message);
    return {};
  }
  return *std::move(tree);
}

kernel::CgroupController HostView::controller() const {
  return hierarchy_ ? hierarchy_->controller : kernel::CgroupController::unified;
}

}  // namespace isoscope::agent
