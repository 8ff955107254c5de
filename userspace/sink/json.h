// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace isoscope::sink {

// One JSON text after another, through buffers that are kept.
struct Json {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
  std::string scratch;

  void clear() {
    buffer.Clear();
    writer.Reset(buffer);
  }
  std::string_view text() const { return {buffer.GetString(), buffer.GetSize()}; }
};

// Appends `bytes` as a quoted JSON string. They may come from the kernel: what is not UTF-8 becomes U+FFFD,
// and every control character, those of C1 too, is escaped, so that a record is harmless on a terminal.
void append_json_string(std::string_view bytes, std::string& out);

// A thin layer over the writer: members by name and type. The object ends with this one's life.
class JsonObject {
 public:
  explicit JsonObject(Json& json) : json_(json) { json_.writer.StartObject(); }
  // A member of the object that is open.
  JsonObject(Json& json, std::string_view name) : json_(json) {
    key(name);
    json_.writer.StartObject();
  }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;
  ~JsonObject() { json_.writer.EndObject(); }

  void number(std::string_view name, std::uint64_t value) {
    key(name);
    json_.writer.Uint64(value);
  }
  void signed_number(std::string_view name, std::int64_t value) {
    key(name);
    json_.writer.Int64(value);
  }
  // A share or the like, with six significant digits.
  void real(std::string_view name, double value);
  // Already JSON.
  void raw(std::string_view name, std::string_view object) {
    key(name);
    json_.writer.RawValue(object.data(), object.size(), rapidjson::kObjectType);
  }
  void boolean(std::string_view name, bool value) {
    key(name);
    json_.writer.Bool(value);
  }
  void null(std::string_view name) {
    key(name);
    json_.writer.Null();
  }
  // As a decimal string: JSON readers that keep numbers as doubles would round beyond 2^53.
  void id(std::string_view name, std::uint64_t value);
  void text(std::string_view name, std::string_view bytes);

  void key(std::string_view name) {
    json_.writer.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
  }

 private:
  Json& json_;
};

// One element of the array that is open.
void write_text(Json& json, std::string_view bytes);

}  // namespace isoscope::sink
