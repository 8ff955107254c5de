// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "event/record.h"
#include "kernel/cgroup_hierarchy.h"

namespace isoscope::identity {

// The cgroups of one hierarchy: kernel id to path, and back. Built from the file system and kept
// up by records; a removed cgroup stays resolvable for some calls of expire(), since records of its last
// tasks and the counters of its last window are read after it is gone.
class CgroupTree {
 public:
  using Mount = kernel::CgroupMount;
  // Ids that came and went; parents come before their children.
  struct Changes {
    std::vector<std::uint64_t> added;
    std::vector<std::uint64_t> removed;
  };

  // Scans what is mounted.
  static base::Result<CgroupTree> create(Mount mount);

  CgroupTree() : CgroupTree(Mount{}) {}  // knows the root alone and is fed by records
  explicit CgroupTree(Mount mount);      // nothing is read before scan()

  // Reads the mounted hierarchy. A cgroup's id is the inode number of its folder (kernfs, 64-bit kernels).
  base::Result<Changes> scan();

  // False if the parent is not known, so that there is no path: only a scan can help.
  bool add(const event::CgroupMade& made);
  void remove(std::uint64_t id);

  // One step of time for removed cgroups; returns the ids that are forgotten now.
  std::vector<std::uint64_t> expire();

  // Whether it is worth to scan for an id that is not known: at most one scan per second, and for an id that
  // a scan did not find not again within a minute. A true answer counts as the scan.
  bool may_scan_for(std::uint64_t id, std::uint64_t now_ns);

  // Null, 0 and false for ids and paths that are not known.
  const std::string* path_of(std::uint64_t id) const;
  bool exists(std::uint64_t id) const;  // not of one that was removed, though it is still resolved
  std::uint64_t parent_of(std::uint64_t id) const;
  std::uint64_t id_of(const std::string& path) const;
  bool is_within(std::uint64_t id, std::uint64_t ancestor) const;  // a cgroup is within itself

  std::vector<std::uint64_t> ids() const;  // parents first

  // Where the cgroup's files are; empty for one that is not known or not below the mount.
  std::string folder_of(std::uint64_t id) const;

  std::size_t size() const { return nodes_.size(); }

 private:
  struct Node {
    std::uint64_t parent = 0;
    std::string path;
    bool removed = false;
    unsigned age = 0;  // calls of expire() since it was removed
  };

  void insert(std::uint64_t id, std::uint64_t parent, std::string path);

  Mount mount_;
  std::unordered_map<std::uint64_t, Node> nodes_;
  std::unordered_map<std::string, std::uint64_t> ids_;  // of those that are not removed
  std::unordered_map<std::uint64_t, std::uint64_t> missing_since_ns_;
  std::optional<std::uint64_t> last_scan_ns_;
};

}  // namespace isoscope::identity
