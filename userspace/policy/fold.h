// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/violation.h"

namespace isoscope::policy {

// Keeps repeats out of the reports. Violations are alike if policy, rule, unit, target, executable,
// direction, way and namespaces are the same. The first is reported. Those like it within the window after it
// are counted; when the window ends the last of them is reported, with the number of the others as
// `suppressed`, and a window begins anew. So each one is either reported or counted in one that is.
//
// What finds no place in the table is reported as it is, and counted: a flood of unlike violations must
// neither hide one nor make us grow.
class Fold {
 public:
  static constexpr std::uint64_t usual_window_ns = 60'000'000'000;
  static constexpr std::size_t usual_capacity = 1024;

  explicit Fold(std::uint64_t window_ns = usual_window_ns, std::size_t capacity = usual_capacity)
      : window_ns_(window_ns), capacity_(capacity) {}

  // What is to be reported now: this one, or nothing. Times are those of the events.
  std::optional<Violation> take(Violation violation);
  // What is to be reported because its window has ended by `now_ns`.
  std::vector<Violation> expire(std::uint64_t now_ns);
  // At the end of a run: all that was counted and not reported.
  std::vector<Violation> flush();

  // Reported as they are, for want of a place.
  std::uint64_t unfolded() const { return unfolded_; }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t start_ns = 0;
    std::uint64_t counted = 0;  // since the last one that was reported
    Violation last;             // if any was counted
  };

  std::uint64_t window_ns_;
  std::size_t capacity_;
  std::uint64_t unfolded_ = 0;
  std::map<std::string, Entry> entries_;
};

}  // namespace isoscope::policy
