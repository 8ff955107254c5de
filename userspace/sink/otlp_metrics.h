// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "aggregate/snapshot.h"
#include "sink/json.h"

namespace isoscope::sink {

// Between these times, since the Unix epoch, a window counted.
struct OtlpSpan {
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
};

// A window as elements of the array of metrics that is open. Sums and histograms are of the window alone
// (delta temporality), durations in seconds.
void write_otlp_metrics(Json& json, const OtlpSpan& span, const aggregate::Snapshot& window);

}  // namespace isoscope::sink
