// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "sink/json.h"

namespace isoscope::sink {

// A line of NDJSON `isoscope.v1` as a LogRecord, an element of the array that is open. Its members become
// attributes under their names, those of objects in it as `process.pid`; null is left out. `body` is for
// people.
void write_otlp_log(Json& json, std::string_view record, std::uint64_t wall_ns, std::string_view body);

}  // namespace isoscope::sink
