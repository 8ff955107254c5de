// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "identity/host.h"
#include "policy/matrix.h"
#include "sink/table_style.h"

namespace isoscope::sink {

// What `isoscope matrix` found.
struct MatrixReport {
  policy::Matrix matrix;
  // By unit: whether the filters let it through. What concerns none of these is left out; groups and pairs
  // name the others, too. Never shorter than the rows.
  std::vector<bool> shown;
  identity::Host host;
  std::uint64_t wall_ns = 0;         // since the Unix epoch
  std::size_t idle_units = 0;        // that have no process, and so no row
  std::size_t unread_processes = 0;  // whose namespaces could not be read

  // Whether one of these units is shown.
  bool shows(const std::vector<std::size_t>& units) const;
};

// Whole lines of at most 120 columns. Names in them are harmless.
std::string matrix_table(const MatrixReport& report, const TableStyle& style);

// One object, `isoscope.matrix.v1`, and the end of its line.
std::string matrix_json(const MatrixReport& report);

}  // namespace isoscope::sink
