// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "event/record.h"

namespace isoscope::identity {

// Who a namespace belongs to, by type and inum. A unit is named by the id of its cgroup; host_owner is the
// host.
//
// A holder has the namespace in its baseline; containers of a pod share some, so there may be several. A
// maker made it later by unshare or clone, or was seen in it first. The kernel gives inums of dead namespaces
// away again and tells nobody, so a maker is a weaker claim than a holder: what a unit made is kept in a
// queue of limited length, and a namespace that is made anew takes the inum from all who had it.
class NamespaceIndex {
 public:
  static constexpr std::uint64_t host_owner = 0;
  static constexpr std::size_t made_by_unit_limit = 1024;
  static constexpr std::size_t made_by_host_limit = 8192;

  struct Entry {
    std::vector<std::uint64_t> holders;
    std::optional<std::uint64_t> maker;
  };

  void hold(event::NamespaceType type, std::uint32_t inum, std::uint64_t owner);
  void make(event::NamespaceType type, std::uint32_t inum, std::uint64_t owner);
  void forget(std::uint64_t owner);

  // Null: nobody is known to have it.
  const Entry* find(event::NamespaceType type, std::uint32_t inum) const;
  std::size_t size() const { return entries_.size(); }

 private:
  using Key = std::uint64_t;
  struct Claims {
    std::vector<Key> held;
    std::deque<Key> made;
  };

  static Key key(event::NamespaceType type, std::uint32_t inum) {
    return std::uint64_t{inum} << 8 | static_cast<std::uint64_t>(type);
  }
  void drop_maker(Key key, std::uint64_t owner);
  void erase_if_unowned(Key key);

  std::unordered_map<Key, Entry> entries_;
  std::unordered_map<std::uint64_t, Claims> claims_;
};

}  // namespace isoscope::identity
