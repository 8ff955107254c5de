// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "aggregate/snapshot.h"
#include "sink/prom_series.h"

namespace isoscope::sink {

// What is exposed of the program itself.
struct PromProgram {
  std::string version;
  std::uint64_t started_wall_ns = 0;
};

// The whole exposition in the text format of Prometheus. `ledger` has the sums of the run.
std::string prom_text(const PromSeries& series, const aggregate::Ledger& ledger, const PromProgram& program);

}  // namespace isoscope::sink
