// SPDX-License-Identifier: Apache-2.0
#include "sink/ndjson_invariants.h"

namespace isoscope::sink {

void add_invariants(Json& json, JsonObject& object, const aggregate::Invariants& invariants) {
  object.number("units", invariants.units);
  object.number("transitions", invariants.transitions);
  {
    JsonObject rows(json, "invariants");
    for (const aggregate::InvariantRow& row : invariants.rows) {
      JsonObject one(json, event::to_string(row.invariant));
      one.boolean("watched", row.watched);
      one.number("checks", row.checks);
      one.number("breaches", row.breaches);
    }
  }
  object.number("lost", invariants.lost);
  object.number("not_followed", invariants.not_followed);
  object.boolean("complete", invariants.incomplete == 0);
  object.number("incomplete", invariants.incomplete);
  object.key("incomplete_windows");
  json.writer.StartArray();
  for (const std::uint64_t number : invariants.in_windows) {
    json.writer.Uint64(number);
  }
  json.writer.EndArray();
}

}  // namespace isoscope::sink
