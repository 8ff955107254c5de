// SPDX-License-Identifier: Apache-2.0
#include "identity/cgroup_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <unordered_set>
#include <utility>

namespace isoscope::identity {

namespace {

using base::Error;
using base::ErrorKind;
using base::Result;

// kernfs gives the root of every hierarchy this number.
constexpr std::uint64_t root_id = 1;

// Two windows of the agent: records and counters of a window are handled before the next one ends.
constexpr unsigned grace_steps = 2;

constexpr std::uint64_t scan_interval_ns = 1'000'000'000;
constexpr std::uint64_t missing_ns = 60'000'000'000;
constexpr std::size_t missing_limit = 4096;

struct Folder {
  std::uint64_t id;
  std::uint64_t parent;
  std::string path;       // in the hierarchy
  std::string on_system;  // where it is mounted
};

std::string join(const std::string& parent, std::string_view name) {
  return fmt::format("{}/{}", parent == "/" ? "" : parent, name);
}

// The folders right below one; empty if it went away meanwhile.
std::vector<Folder> folders_in(const Folder& folder) {
  std::vector<Folder> result;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.on_system.c_str()), ::closedir);
  if (!dir) {
    return result;
  }
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    struct stat status {};
    if (entry->d_type != DT_DIR || name == "." || name == ".." ||
        ::fstatat(::dirfd(dir.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;
    }
    result.push_back({.id = status.st_ino,
                      .parent = folder.id,
                      .path = join(folder.path, name),
                      .on_system = join(folder.on_system, name)});
  }
  return result;
}

}  // namespace

CgroupTree::CgroupTree(Mount mount) : mount_(std::move(mount)) {
  insert(root_id, 0, "/");
}

Result<CgroupTree> CgroupTree::create(Mount mount) {
  CgroupTree tree(std::move(mount));
  if (auto scanned = tree.scan(); !scanned) {
    return scanned.error();
  }
  return tree;
}

Result<CgroupTree::Changes> CgroupTree::scan() {
  Changes changes;
  if (mount_.point.empty()) {
    return changes;
  }
  struct stat status {};
  if (::stat(mount_.point.c_str(), &status) != 0) {
    return Error{ErrorKind::failure,
                 fmt::format("cannot read cgroups at {}: {}", mount_.point, base::errno_text(errno))};
  }
  // Seen from another cgroup namespace the root's own name is `/..`: the number decides.
  const bool whole = mount_.root.empty() || status.st_ino == root_id;
  std::vector<Folder> pending{{.id = status.st_ino,
                               .parent = whole ? 0 : root_id,
                               .path = whole ? "/" : mount_.root,
                               .on_system = mount_.point}};
  std::unordered_set<std::uint64_t> seen{root_id};
  while (!pending.empty()) {
    const Folder folder = std::move(pending.back());
    pending.pop_back();
    seen.insert(folder.id);
    const auto known = nodes_.find(folder.id);
    if (known == nodes_.end() || known->second.path != folder.path) {
      insert(folder.id, folder.parent, folder.path);
      changes.added.push_back(folder.id);
    }
    auto below = folders_in(folder);
    std::move(below.begin(), below.end(), std::back_inserter(pending));
  }
  for (auto& [id, node] : nodes_) {
    if (!node.removed && !seen.contains(id)) {
      changes.removed.push_back(id);
    }
  }
  for (const std::uint64_t id : changes.removed) {
    remove(id);
  }
  return changes;
}

void CgroupTree::insert(std::uint64_t id, std::uint64_t parent, std::string path) {
  remove(id);
  ids_[path] = id;
  missing_since_ns_.erase(id);
  nodes_[id] = Node{.parent = parent, .path = std::move(path)};
}

bool CgroupTree::add(const event::CgroupMade& made) {
  const auto parent = nodes_.find(made.parent_id);
  // A cgroup above its own parent exists in damaged recordings only; it would make every walk up endless.
  if (parent == nodes_.end() || made.name.empty() || is_within(made.parent_id, made.id)) {
    return false;
  }
  insert(made.id, made.parent_id, join(parent->second.path, made.name));
  return true;
}

void CgroupTree::remove(std::uint64_t id) {
  const auto found = nodes_.find(id);
  if (found == nodes_.end() || id == root_id) {
    return;
  }
  found->second.removed = true;
  // The path may belong to a newer cgroup of the same name by now.
  if (const auto by_path = ids_.find(found->second.path); by_path != ids_.end() && by_path->second == id) {
    ids_.erase(by_path);
  }
}

std::vector<std::uint64_t> CgroupTree::expire() {
  std::vector<std::uint64_t> forgotten;
  for (auto node = nodes_.begin(); node != nodes_.end();) {
    if (node->second.removed && ++node->second.age > grace_steps) {
      forgotten.push_back(node->first);
      node = nodes_.erase(node);
    } else {
      ++node;
    }
  }
  return forgotten;
}

bool CgroupTree::may_scan_for(std::uint64_t id, std::uint64_t now_ns) {
  if (mount_.point.empty() || nodes_.contains(id)) {
    return false;
  }
  if (const auto missing = missing_since_ns_.find(id);
      missing != missing_since_ns_.end() && now_ns < missing->second + missing_ns) {
    return false;
  }
  if (last_scan_ns_ && now_ns < *last_scan_ns_ + scan_interval_ns) {
    return false;
  }
  if (missing_since_ns_.size() >= missing_limit) {
    missing_since_ns_.clear();
  }
  missing_since_ns_[id] = now_ns;  // insert() takes it out again if the scan finds it
  last_scan_ns_ = now_ns;
  return true;
}

const std::string* CgroupTree::path_of(std::uint64_t id) const {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second.path;
}

bool CgroupTree::exists(std::uint64_t id) const {
  const auto found = nodes_.find(id);
  return found != nodes_.end() && !found->second.removed;
}

std::uint64_t CgroupTree::parent_of(std::uint64_t id) const {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? 0 : found->second.parent;
}

std::uint64_t CgroupTree::id_of(const std::string& path) const {
  const auto found = ids_.find(path);
  return found == ids_.end() ? 0 : found->second;
}

bool CgroupTree::is_within(std::uint64_t id, std::uint64_t ancestor) const {
  while (id != 0 && id != ancestor) {
    id = parent_of(id);
  }
  return id != 0;
}

std::string CgroupTree::folder_of(std::uint64_t id) const {
  const std::string* path = path_of(id);
  if (path == nullptr || mount_.point.empty() || !path->starts_with(mount_.root)) {
    return {};
  }
  const std::string below = path->substr(mount_.root.size());
  return below == "/" ? mount_.point : mount_.point + below;
}

std::vector<std::uint64_t> CgroupTree::ids() const {
  std::vector<std::uint64_t> result;
  for (const auto& [id, node] : nodes_) {
    result.push_back(id);
  }
  // A parent's path is a prefix of its children's.
  std::sort(result.begin(), result.end(),
            [this](std::uint64_t a, std::uint64_t b) { return nodes_.at(a).path < nodes_.at(b).path; });
  return result;
}

}  // namespace isoscope::identity
