// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "aggregate/snapshot.h"
#include "sink/table_style.h"

namespace isoscope::sink {

// The sections of one window's block, at most 100 columns wide. Each appends whole lines.

// VMs by time lost (the sum of their exits' durations without halts), under each its reasons.
void append_vms(const aggregate::Snapshot& window, const TableStyle& style, std::string& out);
// Units by switches.
void append_units(const aggregate::Snapshot& window, const TableStyle& style, std::string& out);
// What was handled and checked in a line or two; what was lost, loudly.
void append_ledger(const aggregate::Snapshot& window, const TableStyle& style, std::string& out);

}  // namespace isoscope::sink
