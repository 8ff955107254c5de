// SPDX-License-Identifier: Apache-2.0
#include "identity/metadata_cache.h"

#include <memory>
#include <utility>

namespace isoscope::identity {

std::optional<Metadata> MetadataCache::first_look(std::uint64_t cgroup_id, MetadataQuery query,
                                                  std::uint64_t now_ns) {
  if (const auto known = entries_.find(cgroup_id); known != entries_.end()) {
    if (known->second.query == query) {
      return std::nullopt;
    }
    drop(cgroup_id);
  }
  Entry& entry = entries_[cgroup_id];
  entry.query = std::move(query);
  if (looks_left_ == 0) {
    schedule(cgroup_id, entry, now_ns);
    return std::nullopt;
  }
  return look(cgroup_id, entry, now_ns);
}

std::vector<MetadataCache::Found> MetadataCache::retry(std::uint64_t now_ns) {
  if (source_.begin_round) {
    source_.begin_round();
  }
  std::vector<Found> found;
  for (looks_left_ = looks_per_round; looks_left_ > 0 && !due_.empty() && due_.begin()->first <= now_ns;) {
    const std::uint64_t cgroup_id = due_.begin()->second;
    if (auto metadata = look(cgroup_id, entries_.at(cgroup_id), now_ns)) {
      found.push_back({cgroup_id, *std::move(metadata)});
    }
  }
  return found;
}

// What has no name yet is told, and looked for again.
std::optional<Metadata> MetadataCache::look(std::uint64_t cgroup_id, Entry& entry, std::uint64_t now_ns) {
  looks_left_--;
  entry.looks++;
  auto metadata = source_.look_up(entry.query);
  const bool is_complete = metadata && !metadata->container.empty();
  if (is_complete || entry.looks >= most_looks) {
    schedule(cgroup_id, entry, std::nullopt);
  } else {
    schedule(cgroup_id, entry, now_ns + (first_pause_ns << (entry.looks - 1)));
  }
  return metadata;
}

void MetadataCache::schedule(std::uint64_t cgroup_id, Entry& entry, std::optional<std::uint64_t> due_ns) {
  if (entry.due_ns) {
    due_.erase({*entry.due_ns, cgroup_id});
  }
  entry.due_ns = due_ns;
  if (due_ns) {
    due_.insert({*due_ns, cgroup_id});
  }
}

void MetadataCache::drop(std::uint64_t cgroup_id) {
  if (const auto found = entries_.find(cgroup_id); found != entries_.end()) {
    schedule(cgroup_id, found->second, std::nullopt);
    entries_.erase(found);
  }
}

MetadataCache::Source metadata_source(LabelKeys labels, std::string root) {
  const auto files = std::make_shared<RuntimeFiles>(std::move(labels), std::move(root));
  return {.look_up = [files](const MetadataQuery& query) { return files->look_up(query); },
          .begin_round = [files] { files->begin_round(); }};
}

}  // namespace isoscope::identity
