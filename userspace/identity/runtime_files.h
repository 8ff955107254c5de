// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "identity/runtime_metadata.h"
#include "identity/unit.h"

namespace isoscope::identity {

// A container whose runtime's files are wanted.
struct MetadataQuery {
  std::string id;       // as the runtime has it
  std::string runtime;  // as the path of its cgroup says; empty: any
  std::string cgroup_path;
  friend bool operator==(const MetadataQuery&, const MetadataQuery&) = default;
};

// Whom to ask for a unit; empty for those that no runtime's files speak of: what is not a container, what got
// its name from the path already (LXC, systemd-nspawn), and what a user's own manager started. Files of users
// are theirs to write, so they are not read at all.
std::optional<MetadataQuery> metadata_query(const Unit& unit);

// Reads the files of docker, containerd (also those of k3s, k0s and MicroK8s), CRI-O, podman, runc and crun
// on this host, below a root.
class RuntimeFiles {
 public:
  explicit RuntimeFiles(LabelKeys labels, std::string root = "");

  // Empty: there is nothing, or nothing that could be understood.
  std::optional<Metadata> look_up(const MetadataQuery& query);

  // The lists that hold many containers are read again where they have changed; between two calls they are
  // read once.
  void begin_round();

 private:
  // What changes when a file is written anew.
  struct Stamp {
    std::int64_t mtime_s = 0;
    std::int64_t mtime_ns = 0;
    std::uint64_t bytes = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  struct List {
    bool checked = false;  // in this round
    Stamp stamp;           // all 0: there is none
    std::map<std::string, Metadata> containers;
  };

  std::optional<Metadata> docker(const MetadataQuery& query) const;
  std::optional<Metadata> containerd(const MetadataQuery& query) const;
  std::optional<Metadata> storage(const MetadataQuery& query);
  std::optional<Metadata> runc(const MetadataQuery& query) const;
  std::optional<Metadata> crun(const MetadataQuery& query) const;
  const std::map<std::string, Metadata>& list(const std::string& path);

  LabelKeys labels_;
  std::string root_;
  std::map<std::string, List> lists_;  // by path
};

}  // namespace isoscope::identity
