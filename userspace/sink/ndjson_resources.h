// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aggregate/resource_row.h"
#include "sink/json.h"

namespace isoscope::sink {

// The members of a `unit_resources` record behind those that every record of a window has. What is not known
// is absent; a limit that is known not to be there is null.
void add_resources(Json& json, JsonObject& object, const aggregate::ResourcesRow& row);

}  // namespace isoscope::sink
