// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "identity/process.h"

namespace isoscope::identity {

struct Ancestor {
  std::uint32_t pid = 0;
  std::uint64_t start_boot_ns = 0;  // CLOCK_BOOTTIME, cut to the clock tick (10 ms) that /proc has
  std::string exe;                  // empty: a kernel thread, or it has ended and waits for its parent
  friend bool operator==(const Ancestor&, const Ancestor&) = default;
};

// Who started a process, who started that, and so on.
struct Ancestry {
  std::vector<Ancestor> chain;  // the parent first
  bool complete = false;        // up to pid 1, or a kernel thread; else somebody in between was gone already
  friend bool operator==(const Ancestry&, const Ancestry&) = default;
};

// Whether the chain passes this process.
bool passes(const Ancestry& ancestry, std::uint32_t pid);

// Reads chains of parents in /proc. A chain is several system calls for each ancestor, and a container
// decides how many processes do what is reported: only so many are read in a second, and each of them once.
// What else is asked for is left out and counted.
class AncestryReader {
 public:
  static constexpr std::size_t usual_chains_per_second = 200;

  explicit AncestryReader(std::string proc_root = default_proc_root,
                          std::size_t chains_per_second = usual_chains_per_second)
      : proc_root_(std::move(proc_root)), chains_per_second_(chains_per_second) {}

  // Of the thread that started at start_boot_ns; parent_pid is who was its parent at the time that is asked
  // about, 0 if that is not known. A recycled id is not believed: nobody is younger than who it started.
  Ancestry read(std::uint32_t pid, std::uint32_t tid, std::uint32_t parent_pid, std::uint64_t start_boot_ns,
                std::uint64_t now_ns);

  // Chains that were left out since the last call.
  std::uint64_t take_left_out() { return std::exchange(left_out_, 0); }

 private:
  Ancestry walk(std::uint32_t pid, std::uint32_t tid, std::uint32_t parent_pid,
                std::uint64_t start_boot_ns) const;

  std::string proc_root_;
  std::size_t chains_per_second_;
  std::uint64_t second_began_ns_ = 0;
  std::map<std::pair<std::uint32_t, std::uint64_t>, Ancestry> read_;  // in this second, by pid and start
  std::uint64_t left_out_ = 0;
};

}  // namespace isoscope::identity
