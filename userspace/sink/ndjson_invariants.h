// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aggregate/snapshot.h"
#include "sink/json.h"

namespace isoscope::sink {

// What the record `invariants` carries; `object` is the one that is open.
void add_invariants(Json& json, JsonObject& object, const aggregate::Invariants& invariants);

}  // namespace isoscope::sink
