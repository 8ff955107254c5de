// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "identity/host.h"
#include "sink/json.h"

namespace isoscope::sink {

// Pieces of OTLP/JSON: the JSON mapping of the protobuf definitions of OpenTelemetry, in which integers of 64
// bits are decimal strings.

struct OtlpAttribute {
  std::string_view key;
  std::variant<std::string, std::uint64_t> value;
};

// An element of the array that is open.
void write_otlp_attribute(Json& json, const OtlpAttribute& attribute);
// A member of the object that is open.
void add_otlp_attributes(Json& json, JsonObject& object, std::initializer_list<OtlpAttribute> attributes);

// {"intValue": ...}, or a string where 63 bits do not hold it.
void write_otlp_integer(Json& json, std::uint64_t value);

// Who tells, in the members `resource` and `scope` of every line.
struct OtlpOrigin {
  std::string resource;
  std::string scope;
};
OtlpOrigin otlp_origin(const identity::Host& host, const std::string& version);

}  // namespace isoscope::sink
