// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "aggregate/snapshot.h"
#include "probe/readings.h"

namespace isoscope::aggregate {

// The gap that dropped records of the security class leave: open from the first drop until a pass over all
// tasks finds nothing that is still to be told, with nothing dropped during the pass.
class RecheckBook {
 public:
  // When the first record was dropped since the last call; 0: none was.
  void dropped(std::uint64_t since_ns);
  bool open() const { return open_; }
  // A pass has ended at `now_ns`. `drop_ns` as above, of the time since it began.
  void pass(const probe::RecheckPass& pass, std::uint64_t drop_ns, std::uint64_t now_ns);

  // What came since the last call. A gap that is still open is counted up to `now_ns`.
  Recheck close(std::uint64_t now_ns);

 private:
  void count_until(std::uint64_t now_ns);

  Recheck window_;
  bool open_ = false;
  std::uint64_t counted_until_ns_ = 0;  // of a gap that is open
};

}  // namespace isoscope::aggregate
