// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "identity/unit.h"
#include "policy/violation_report.h"
#include "sink/json.h"

namespace isoscope::sink {

// A member of the object that is open: {kind, id, name}.
void add_unit_ref(Json& json, std::string_view name, const identity::UnitRef& unit);

// What the records of an event carry; `object` is the one that is open.
void add_event(Json& json, JsonObject& object, const policy::Crossing& crossing);
void add_event(Json& json, JsonObject& object, const policy::Access& access);
void add_event(Json& json, JsonObject& object, const policy::Breach& breach);

// What the records `violation` and `audit` carry.
void add_violation(Json& json, JsonObject& object, const policy::Violation& violation);

// What the record `violations` carries; `object` is the one that is open.
void add_report(Json& json, JsonObject& object, const policy::ViolationReport& report,
                const std::function<std::uint64_t(std::uint64_t)>& wall_ns);

}  // namespace isoscope::sink
