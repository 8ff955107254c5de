// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "aggregate/snapshot.h"
#include "sink/table_style.h"

namespace isoscope::sink {

// Units by use of the processors, each with all that is inside of it: nothing here may be added up.
void append_resources(const aggregate::Snapshot& window, const TableStyle& style, std::string& out);

}  // namespace isoscope::sink
