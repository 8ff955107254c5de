// SPDX-License-Identifier: Apache-2.0
#include "agent/recheck.h"

#include "base/clock.h"

namespace isoscope::agent {

void recheck(probe::Probe& probe, aggregate::RecheckBook& book, const std::function<void()>& drain) {
  constexpr int at_once = 4;
  book.dropped(probe.take_first_drop());
  for (int i = 0; i < at_once && book.open(); ++i) {
    drain();  // makes room for what is found
    const auto pass = probe.recheck();
    if (!pass) {
      return;
    }
    book.pass(*pass, probe.take_first_drop(), base::monotonic_ns());
    drain();
  }
}

}  // namespace isoscope::agent
