// SPDX-License-Identifier: Apache-2.0
#include "sink/table_invariants.h"

#include <fmt/format.h>

#include "sink/text.h"

namespace isoscope::sink {

void append_invariants(const aggregate::Invariants& invariants, const TableStyle& style, std::string& text) {
  std::uint64_t checks = 0;
  std::string broken;
  std::string unwatched;
  for (const aggregate::InvariantRow& row : invariants.rows) {
    checks += row.checks;
    if (row.breaches > 0) {
      broken += fmt::format(" {}: {}", event::to_string(row.invariant), human_count(row.breaches));
    }
    if (!row.watched) {
      unwatched += fmt::format(" {}", event::to_string(row.invariant));
    }
  }
  if (invariants.units == 0 && broken.empty()) {
    return;
  }
  text += fmt::format("invariants of {} units: {} checks, {} transitions{}\n", human_count(invariants.units),
                      human_count(checks), human_count(invariants.transitions),
                      broken.empty() ? ", no breach" : "");
  if (!broken.empty()) {
    text += style.alarm(fmt::format("        BROKEN {}", broken)) + "\n";
  }
  if (!unwatched.empty()) {
    text += fmt::format("        cannot be told on this kernel:{}\n", unwatched);
  }
  if (invariants.incomplete > 0) {
    text +=
        style.alarm(fmt::format("        INCOMPLETE  records lost: {}, tasks not followed: {}, windows: {}",
                                human_count(invariants.lost), human_count(invariants.not_followed),
                                human_count(invariants.incomplete))) +
        "\n";
  }
}

}  // namespace isoscope::sink
