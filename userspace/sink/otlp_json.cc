// SPDX-License-Identifier: Apache-2.0
#include "sink/otlp_json.h"

#include <limits>

namespace isoscope::sink {

void write_otlp_integer(Json& json, std::uint64_t value) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  JsonObject object(json);
  object.id(value <= most ? "intValue" : "stringValue", value);
}

void write_otlp_attribute(Json& json, const OtlpAttribute& attribute) {
  JsonObject object(json);
  object.text("key", attribute.key);
  object.key("value");
  if (const auto* number = std::get_if<std::uint64_t>(&attribute.value)) {
    write_otlp_integer(json, *number);
  } else {
    JsonObject(json).text("stringValue", std::get<std::string>(attribute.value));
  }
}

void add_otlp_attributes(Json& json, JsonObject& object, std::initializer_list<OtlpAttribute> attributes) {
  object.key("attributes");
  json.writer.StartArray();
  for (const OtlpAttribute& attribute : attributes) {
    write_otlp_attribute(json, attribute);
  }
  json.writer.EndArray();
}

OtlpOrigin otlp_origin(const identity::Host& host, const std::string& version) {
  OtlpOrigin origin;
  Json json;
  {
    JsonObject resource(json);
    add_otlp_attributes(json, resource,
                        {{"service.name", "isoscope"},
                         {"service.version", version},
                         {"host.name", host.name},
                         {"host.id", host.machine_id},
                         {"isoscope.boot_id", host.boot_id}});
  }
  origin.resource = json.text();
  json.clear();
  {
    JsonObject scope(json);
    scope.text("name", "isoscope");
    scope.text("version", version);
  }
  origin.scope = json.text();
  return origin;
}

}  // namespace isoscope::sink
