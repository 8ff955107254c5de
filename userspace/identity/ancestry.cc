// SPDX-License-Identifier: Apache-2.0
#include "identity/ancestry.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

namespace isoscope::identity {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
// Deeper trees are not made by people; what is above the limit is left open.
constexpr std::size_t most_ancestors = 64;

struct Seen {
  std::uint64_t start_ticks = 0;
  std::uint32_t parent_pid = 0;
};

std::optional<Seen> look_at(const std::string& proc_root, std::uint32_t pid) {
  const auto stat = read_small_file(fmt::format("{}/{}/stat", proc_root, pid));
  if (!stat) {
    return std::nullopt;
  }
  const auto start = parse_start_ticks(*stat);
  const auto parent = parse_parent_pid(*stat);
  if (!start || !parent) {
    return std::nullopt;
  }
  return Seen{*start, *parent};
}

// The one that the kernel named at that time may have ended since; then whoever took the process over.
std::uint32_t first_parent(const std::string& proc_root, std::uint32_t pid, std::uint32_t tid,
                           std::uint32_t parent_pid, std::uint64_t start_boot_ns, std::uint64_t start_ticks) {
  if (parent_pid != 0) {
    const auto parent = look_at(proc_root, parent_pid);
    if (parent && parent->start_ticks <= start_ticks) {
      return parent_pid;
    }
  }
  const auto own = look_at(proc_root, pid);
  return own && is_thread(pid, tid, start_boot_ns, proc_root) ? own->parent_pid : 0;
}

}  // namespace

bool passes(const Ancestry& ancestry, std::uint32_t pid) {
  return std::any_of(ancestry.chain.begin(), ancestry.chain.end(),
                     [pid](const Ancestor& one) { return one.pid == pid; });
}

Ancestry AncestryReader::read(std::uint32_t pid, std::uint32_t tid, std::uint32_t parent_pid,
                              std::uint64_t start_boot_ns, std::uint64_t now_ns) {
  if (start_boot_ns == 0) {  // it could be anybody's id by now
    return {};
  }
  if (now_ns - second_began_ns_ >= second_ns) {
    second_began_ns_ = now_ns;
    read_.clear();
  }
  const std::pair key(pid, start_boot_ns);
  if (const auto known = read_.find(key); known != read_.end()) {
    return known->second;
  }
  if (read_.size() >= chains_per_second_) {
    ++left_out_;
    return {};
  }
  return read_.emplace(key, walk(pid, tid, parent_pid, start_boot_ns)).first->second;
}

Ancestry AncestryReader::walk(std::uint32_t pid, std::uint32_t tid, std::uint32_t parent_pid,
                              std::uint64_t start_boot_ns) const {
  Ancestry result;
  result.complete = pid == 1;
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  std::uint64_t youngest = ticks_of(start_boot_ns, ticks_per_second);
  std::uint32_t next = pid == 1 ? 0 : first_parent(proc_root_, pid, tid, parent_pid, start_boot_ns, youngest);
  while (next != 0 && result.chain.size() < most_ancestors) {
    // The link before the rest: if the process is the right one then, it was the right one before.
    std::string exe = read_link(fmt::format("{}/{}/exe", proc_root_, next));
    const auto seen = look_at(proc_root_, next);
    if (!seen || seen->start_ticks > youngest) {
      return result;
    }
    result.chain.push_back({next, seen->start_ticks * (second_ns / ticks_per_second), std::move(exe)});
    youngest = seen->start_ticks;
    next = seen->parent_pid;
    result.complete = next == 0;
  }
  return result;
}

}  // namespace isoscope::identity
