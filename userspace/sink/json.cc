// SPDX-License-Identifier: Apache-2.0
#include "sink/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"

namespace isoscope::sink {

namespace {

// How many characters at the front stand for themselves: in most texts all of them.
std::size_t plain_characters(std::string_view bytes) {
  const auto is_plain = [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; };
  return static_cast<std::size_t>(std::find_if_not(bytes.begin(), bytes.end(), is_plain) - bytes.begin());
}

}  // namespace

void append_json_string(std::string_view bytes, std::string& out) {
  out.push_back('"');
  while (true) {
    const std::size_t plain = plain_characters(bytes);
    out.append(bytes.substr(0, plain));
    bytes.remove_prefix(plain);
    if (bytes.empty()) {
      break;
    }
    const char32_t character = base::take_character(bytes);
    if (character == U'"' || character == U'\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(character));
    } else if (base::is_control(character)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<std::uint32_t>(character));
    } else {
      base::append_utf8(character, out);
    }
  }
  out.push_back('"');
}

void write_text(Json& json, std::string_view bytes) {
  json.scratch.clear();
  append_json_string(bytes, json.scratch);
  json.writer.RawValue(json.scratch.data(), json.scratch.size(), rapidjson::kStringType);
}

void JsonObject::id(std::string_view name, std::uint64_t value) {
  key(name);
  const fmt::format_int digits(value);
  json_.writer.String(digits.data(), static_cast<rapidjson::SizeType>(digits.size()));
}

void JsonObject::real(std::string_view name, double value) {
  key(name);
  const std::string digits = fmt::format("{:.6g}", value);
  json_.writer.RawValue(digits.data(), digits.size(), rapidjson::kNumberType);
}

void JsonObject::text(std::string_view name, std::string_view bytes) {
  key(name);
  write_text(json_, bytes);
}

}  // namespace isoscope::sink
