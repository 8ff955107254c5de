// SPDX-License-Identifier: Apache-2.0
#include "identity/namespace_index.h"

#include <algorithm>

namespace isoscope::identity {

void NamespaceIndex::hold(event::NamespaceType type, std::uint32_t inum, std::uint64_t owner) {
  auto& holders = entries_[key(type, inum)].holders;
  if (std::find(holders.begin(), holders.end(), owner) == holders.end()) {
    holders.push_back(owner);
    claims_[owner].held.push_back(key(type, inum));
  }
}

void NamespaceIndex::make(event::NamespaceType type, std::uint32_t inum, std::uint64_t owner) {
  const Key made = key(type, inum);
  Entry& entry = entries_[made];
  entry.holders.clear();
  // In the queue of this owner already: it made a namespace before that had the same inum.
  const bool queued = entry.maker == owner;
  entry.maker = owner;
  if (queued) {
    return;
  }
  auto& queue = claims_[owner].made;
  queue.push_back(made);
  if (queue.size() > (owner == host_owner ? made_by_host_limit : made_by_unit_limit)) {
    const Key oldest = queue.front();
    queue.pop_front();
    drop_maker(oldest, owner);
  }
}

void NamespaceIndex::forget(std::uint64_t owner) {
  const auto found = claims_.find(owner);
  if (found == claims_.end()) {
    return;
  }
  for (const Key held : found->second.held) {
    if (const auto entry = entries_.find(held); entry != entries_.end()) {
      std::erase(entry->second.holders, owner);
      erase_if_unowned(held);
    }
  }
  for (const Key made : found->second.made) {
    drop_maker(made, owner);
  }
  claims_.erase(found);
}

const NamespaceIndex::Entry* NamespaceIndex::find(event::NamespaceType type, std::uint32_t inum) const {
  const auto found = entries_.find(key(type, inum));
  return found == entries_.end() ? nullptr : &found->second;
}

void NamespaceIndex::drop_maker(Key key, std::uint64_t owner) {
  const auto entry = entries_.find(key);
  if (entry != entries_.end() && entry->second.maker == owner) {
    entry->second.maker.reset();
    erase_if_unowned(key);
  }
}

void NamespaceIndex::erase_if_unowned(Key key) {
  const auto entry = entries_.find(key);
  if (entry != entries_.end() && entry->second.holders.empty() && !entry->second.maker) {
    entries_.erase(entry);
  }
}

}  // namespace isoscope::identity
