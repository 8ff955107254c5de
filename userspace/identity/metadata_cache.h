// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "identity/runtime_files.h"
#include "identity/unit.h"

namespace isoscope::identity {

// When to look for a container's metadata. Runtimes may write their files after the container has started, or
// never: the first look is at once, the others after growing pauses, and then there is none until the
// container ends. Looks read files, so that there are at most some between two calls of retry(); what exceeds
// that waits for its turn. Time is handed in.
class MetadataCache {
 public:
  static constexpr unsigned most_looks = 6;  // at 0, 1, 3, 7, 15 and 31 s
  static constexpr std::uint64_t first_pause_ns = 1'000'000'000;
  static constexpr std::size_t looks_per_round = 64;

  // Given from outside so that tests decide what is found.
  struct Source {
    std::function<std::optional<Metadata>(const MetadataQuery&)> look_up;
    std::function<void()> begin_round;  // may be empty
  };
  struct Found {
    std::uint64_t cgroup_id = 0;
    Metadata metadata;
  };

  explicit MetadataCache(Source source) : source_(std::move(source)) {}

  // A container that has started or was found. Of one that is known already, and was not found anew under
  // another name, nothing is read.
  std::optional<Metadata> first_look(std::uint64_t cgroup_id, MetadataQuery query, std::uint64_t now_ns);

  // Begins a round: takes the looks that are due, the oldest first.
  std::vector<Found> retry(std::uint64_t now_ns);

  // The container has ended.
  void drop(std::uint64_t cgroup_id);

  std::size_t size() const { return entries_.size(); }
  std::size_t waiting() const { return due_.size(); }

 private:
  struct Entry {
    MetadataQuery query;
    unsigned looks = 0;
    std::optional<std::uint64_t> due_ns;  // empty: all is known, or given up
  };

  std::optional<Metadata> look(std::uint64_t cgroup_id, Entry& entry, std::uint64_t now_ns);
  void schedule(std::uint64_t cgroup_id, Entry& entry, std::optional<std::uint64_t> due_ns);

  Source source_;
  std::unordered_map<std::uint64_t, Entry> entries_;       // by cgroup
  std::set<std::pair<std::uint64_t, std::uint64_t>> due_;  // time and cgroup
  std::size_t looks_left_ = looks_per_round;
};

// The files of this host, or of what is below `root`.
MetadataCache::Source metadata_source(LabelKeys labels, std::string root = "");

}  // namespace isoscope::identity
