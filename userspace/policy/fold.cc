// SPDX-License-Identifier: Apache-2.0
#include "policy/fold.h"

#include <string_view>
#include <utility>

#include "policy/facts.h"

namespace isoscope::policy {

namespace {

// Texts are led by their length: those of processes may hold any byte.
void append(std::string_view text, std::string& key) {
  key += std::to_string(text.size());
  key += ':';
  key += text;
}

std::string key_of(const Violation& violation) {
  const Facts facts = facts_of(violation.event);
  std::string key;
  append(violation.policy, key);
  append(violation.rule, key);
  append(identity::to_string(facts.unit.kind), key);
  append(facts.unit.id, key);
  append(facts.to ? facts.to->id : "", key);
  append(facts.process.exe, key);
  append(facts.direction ? to_string(*facts.direction) : "", key);
  append(facts.action, key);
  append(namespaces_of(facts), key);
  return key;
}

// The last of those counted speaks for the others.
Violation spokesman(Violation last, std::uint64_t counted) {
  last.suppressed = counted - 1;
  return last;
}

}  // namespace

std::optional<Violation> Fold::take(Violation violation) {
  const std::uint64_t now_ns = violation.incident().ts_mono_ns;
  std::string key = key_of(violation);
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (entries_.size() >= capacity_) {
      ++unfolded_;
    } else {
      entries_.emplace(std::move(key), Entry{now_ns, 0, {}});
    }
    return violation;
  }
  Entry& entry = found->second;
  // Records of two rings may be out of order by some milliseconds: an older one is within the window.
  if (now_ns >= entry.start_ns + window_ns_) {
    violation.suppressed = std::exchange(entry.counted, 0);
    entry.start_ns = now_ns;
    return violation;
  }
  ++entry.counted;
  entry.last = std::move(violation);
  return std::nullopt;
}

std::vector<Violation> Fold::expire(std::uint64_t now_ns) {
  std::vector<Violation> due;
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    if (now_ns < entry.start_ns + window_ns_) {
      ++at;
    } else if (entry.counted == 0) {
      at = entries_.erase(at);
    } else {
      due.push_back(spokesman(std::move(entry.last), std::exchange(entry.counted, 0)));
      entry.start_ns = now_ns;
      ++at;
    }
  }
  return due;
}

std::vector<Violation> Fold::flush() {
  std::vector<Violation> due;
  for (auto& [key, entry] : std::exchange(entries_, {})) {
    if (entry.counted > 0) {
      due.push_back(spokesman(std::move(entry.last), entry.counted));
    }
  }
  return due;
}

}  // namespace isoscope::policy
