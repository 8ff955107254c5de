// SPDX-License-Identifier: Apache-2.0
#include "sink/otlp_logs.h"

#include <rapidjson/document.h>

#include <string>

#include "sink/otlp_json.h"

namespace isoscope::sink {

namespace {

using rapidjson::Value;

std::string_view text_of(const Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

// What every line has, and OTLP has in a place of its own.
bool is_envelope(std::string_view key) {
  return key == "schema" || key == "type" || key == "time" || key == "mono_ns" || key == "seq" ||
         key == "host";
}

void write_value(Json& json, const Value& value);

void write_array(Json& json, const Value& value) {
  JsonObject any(json);
  JsonObject array(json, "arrayValue");
  array.key("values");
  json.writer.StartArray();
  for (const Value& item : value.GetArray()) {
    write_value(json, item);
  }
  json.writer.EndArray();
}

void write_map(Json& json, const Value& value) {
  JsonObject any(json);
  JsonObject map(json, "kvlistValue");
  map.key("values");
  json.writer.StartArray();
  for (const auto& member : value.GetObject()) {
    JsonObject pair(json);
    pair.text("key", text_of(member.name));
    pair.key("value");
    write_value(json, member.value);
  }
  json.writer.EndArray();
}

// An AnyValue; that of null is empty.
void write_value(Json& json, const Value& value) {
  if (value.IsObject()) {
    write_map(json, value);
  } else if (value.IsArray()) {
    write_array(json, value);
  } else if (value.IsUint64()) {
    write_otlp_integer(json, value.GetUint64());
  } else {
    JsonObject any(json);
    if (value.IsString()) {
      any.text("stringValue", text_of(value));
    } else if (value.IsBool()) {
      any.boolean("boolValue", value.GetBool());
    } else if (value.IsInt64()) {  // less than 0: the others went before
      any.text("intValue", std::to_string(value.GetInt64()));
    } else if (value.IsNumber()) {
      any.real("doubleValue", value.GetDouble());
    }
  }
}

void write_attributes(Json& json, const std::string& prefix, const Value& members) {
  for (const auto& member : members.GetObject()) {
    const std::string key = prefix + std::string(text_of(member.name));
    if (member.value.IsNull() || (prefix.empty() && is_envelope(key))) {
      continue;
    }
    if (member.value.IsObject()) {
      write_attributes(json, key + '.', member.value);
      continue;
    }
    JsonObject attribute(json);
    attribute.text("key", key);
    attribute.key("value");
    write_value(json, member.value);
  }
}

struct Level {
  unsigned number = 9;  // of SeverityNumber: INFO
  std::string_view text = "info";
};

// What is audited is told, and no more.
Level level_of(const Value& record) {
  constexpr Level of_violations[] = {{9, "low"}, {13, "medium"}, {17, "high"}, {21, "critical"}};
  if (text_of(record["type"]) != "violation") {
    return {};
  }
  const std::string_view severity = text_of(record["policy"]["severity"]);
  for (const Level& level : of_violations) {
    if (severity == level.text) {
      return level;
    }
  }
  return {};
}

}  // namespace

void write_otlp_log(Json& json, std::string_view record, std::uint64_t wall_ns, std::string_view body) {
  rapidjson::Document document;
  document.Parse(record.data(), record.size());
  const Level level = level_of(document);
  const std::string_view type = text_of(document["type"]);
  JsonObject log(json);
  log.id("timeUnixNano", wall_ns);
  log.id("observedTimeUnixNano", wall_ns);
  log.number("severityNumber", level.number);
  log.text("severityText", level.text);
  {
    JsonObject text(json, "body");
    text.text("stringValue", body.empty() ? type : body);
  }
  log.key("attributes");
  json.writer.StartArray();
  write_otlp_attribute(json, {"event.name", "isoscope." + std::string(type)});
  write_attributes(json, "", document);
  json.writer.EndArray();
}

}  // namespace isoscope::sink
