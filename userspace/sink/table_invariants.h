// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "aggregate/snapshot.h"
#include "sink/table_style.h"

namespace isoscope::sink {

// What was held against the invariants, what broke them, and whether that is the whole of it. Nothing, where
// there was neither a unit nor a breach.
void append_invariants(const aggregate::Invariants& invariants, const TableStyle& style, std::string& text);

}  // namespace isoscope::sink
