// SPDX-License-Identifier: Apache-2.0
#include "aggregate/recheck.h"

#include <utility>

namespace isoscope::aggregate {

void RecheckBook::dropped(std::uint64_t since_ns) {
  if (since_ns != 0 && !open_) {
    open_ = true;
    counted_until_ns_ = since_ns;
  }
}

void RecheckBook::count_until(std::uint64_t now_ns) {
  if (now_ns > counted_until_ns_) {
    window_.open_ns += now_ns - counted_until_ns_;
    counted_until_ns_ = now_ns;
  }
}

void RecheckBook::pass(const probe::RecheckPass& pass, std::uint64_t drop_ns, std::uint64_t now_ns) {
  ++window_.count;
  window_.tasks += pass.tasks;
  window_.found += pass.found;
  if (open_ && pass.found == 0 && pass.pending == 0 && drop_ns == 0) {
    count_until(now_ns);
    open_ = false;
  }
  dropped(drop_ns);
}

Recheck RecheckBook::close(std::uint64_t now_ns) {
  if (open_) {
    count_until(now_ns);
  }
  window_.complete = !open_;
  return std::exchange(window_, {});
}

}  // namespace isoscope::aggregate
