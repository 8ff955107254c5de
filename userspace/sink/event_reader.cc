// SPDX-License-Identifier: Apache-2.0
#include "sink/event_reader.h"

#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <charconv>
#include <cstdint>
#include <utility>
#include <variant>

#include "base/text.h"
#include "sink/ndjson.h"

namespace isoscope::sink {

namespace {

using policy::Crossing;
using policy::Direction;
using rapidjson::Value;

// Why a line is refused. It does not leave this file: read_record() turns it into an Error.
struct Refused {
  std::string why;
};

const Value* find(const Value& object, std::string_view name) {
  if (!object.IsObject()) {
    return nullptr;
  }
  const auto at = object.FindMember(
      Value(rapidjson::StringRef(name.data(), static_cast<rapidjson::SizeType>(name.size()))));
  return at == object.MemberEnd() ? nullptr : &at->value;
}

const Value& member(const Value& object, std::string_view name) {
  const Value* value = find(object, name);
  if (value == nullptr) {
    throw Refused{fmt::format("it has no member \"{}\"", name)};
  }
  return *value;
}

std::string text_of(const Value& value, std::string_view name) {
  if (!value.IsString()) {
    throw Refused{fmt::format("its member \"{}\" is not a text", name)};
  }
  return {value.GetString(), value.GetStringLength()};
}

std::string text(const Value& object, std::string_view name) {
  return text_of(member(object, name), name);
}

std::string text_if_there(const Value& object, std::string_view name) {
  const Value* value = find(object, name);
  return value == nullptr ? std::string() : text_of(*value, name);
}

std::uint32_t number_if_there(const Value& object, std::string_view name) {
  const Value* value = find(object, name);
  if (value == nullptr) {
    return 0;
  }
  if (!value->IsUint()) {
    throw Refused{fmt::format("its member \"{}\" is not a number of 32 bits", name)};
  }
  return value->GetUint();
}

// 64 bits, written as a text.
std::uint64_t long_number(const Value& object, std::string_view name, int base = 10) {
  const std::string digits = text_if_there(object, name);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (!digits.empty() && (error != std::errc{} || end != digits.data() + digits.size())) {
    throw Refused{fmt::format("its member \"{}\" is not a number", name)};
  }
  return number;
}

// The value of an enumeration that is called as the member says. Beyond their last value they are all `?`.
template <typename T>
T word(const Value& object, std::string_view name) {
  constexpr unsigned more_than_any_has = 64;
  const std::string wanted = text(object, name);
  for (unsigned i = 0; i < more_than_any_has && wanted != "?"; ++i) {
    if (wanted == to_string(static_cast<T>(i))) {
      return static_cast<T>(i);
    }
  }
  throw Refused{fmt::format("its member \"{}\" is \"{}\", which this version does not know", name,
                            base::printable(wanted))};
}

Direction direction(const Value& object) {
  return word<Direction>(object, "direction");
}

identity::UnitRef unit_ref(const Value& object, std::string_view name) {
  const Value& unit = member(object, name);
  return {word<identity::UnitKind>(unit, "kind"), text(unit, "id"), text(unit, "name")};
}

// `8:1`, as /proc/self/mountinfo has it.
std::uint32_t device_of(const Value& object) {
  const std::string name = text(object, "device");
  const std::size_t colon = name.find(':');
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  const char* const end = name.data() + name.size();
  if (colon == std::string::npos || std::from_chars(name.data(), end, major).ptr != name.data() + colon ||
      std::from_chars(name.data() + colon + 1, end, minor).ptr != end) {
    throw Refused{"its member \"device\" is not MAJOR:MINOR"};
  }
  return major << 20U | minor;
}

policy::Process process_of(const Value& object) {
  const Value& from = member(object, "process");
  policy::Process process;
  process.pid = number_if_there(from, "pid");
  process.tid = number_if_there(from, "tid");
  process.parent_pid = number_if_there(from, "parent_pid");
  process.uid = number_if_there(from, "uid");
  process.comm = text_if_there(from, "comm");
  process.exe = text_if_there(from, "exe");
  process.start_boot_ns = long_number(from, "start_boot_ns");
  process.cap_effective = long_number(from, "cap_effective", 16);
  if (const Value* file = find(from, "exe_file")) {
    process.exe_file = {long_number(*file, "inode"), device_of(*file)};
  }
  return process;
}

// Records of older versions have none.
identity::Ancestry ancestry_of(const Value& object) {
  identity::Ancestry ancestry;
  if (const Value* chain = find(object, "ancestry")) {
    if (!chain->IsArray()) {
      throw Refused{"its member \"ancestry\" is not a list"};
    }
    for (const Value& one : chain->GetArray()) {
      ancestry.chain.push_back(
          {number_if_there(one, "pid"), long_number(one, "start_boot_ns"), text_if_there(one, "exe")});
    }
  }
  if (const Value* complete = find(object, "ancestry_complete")) {
    if (!complete->IsBool()) {
      throw Refused{"its member \"ancestry_complete\" is not true or false"};
    }
    ancestry.complete = complete->GetBool();
  }
  return ancestry;
}

policy::NamespaceMove move_of(const Value& object) {
  policy::NamespaceMove move;
  move.type = word<event::NamespaceType>(object, "type");
  move.from = number_if_there(object, "from");
  move.to = number_if_there(object, "to");
  move.direction = direction(object);
  move.to_is_new = find(object, "owner") == nullptr;
  if (!move.to_is_new) {
    move.to_owner = unit_ref(object, "owner");
  }
  return move;
}

Crossing crossing_of(const Value& object) {
  Crossing crossing;
  crossing.from = unit_ref(object, "unit");
  crossing.direction = direction(object);
  crossing.mechanism = word<event::Mechanism>(object, "mechanism");
  if (find(object, "seen_at") != nullptr) {
    crossing.seen_at = word<event::SeenAt>(object, "seen_at");
  }
  crossing.process = process_of(object);
  crossing.ancestry = ancestry_of(object);
  const Value& to = member(object, "to");
  crossing.to = unit_ref(to, "unit");
  crossing.to_cgroup = text_if_there(to, "cgroup");
  crossing.initial = find(object, "initial_namespaces") != nullptr;
  const Value& moves = member(object, "namespaces");
  if (!moves.IsArray()) {
    throw Refused{"its member \"namespaces\" is not a list"};
  }
  for (const Value& move : moves.GetArray()) {
    crossing.moves.push_back(move_of(move));
  }
  return crossing;
}

policy::Access access_of(const Value& object) {
  policy::Access access;
  access.from = unit_ref(object, "unit");
  access.direction = direction(object);
  access.kind = word<event::AccessKind>(object, "kind");
  access.process = process_of(object);
  access.ancestry = ancestry_of(object);
  const Value& to = member(object, "to");
  access.to = unit_ref(to, "unit");
  access.target_pid = number_if_there(to, "pid");
  access.path = text_if_there(object, "path");
  access.detail = number_if_there(object, "detail");
  access.error = number_if_there(object, "errno");
  return access;
}

// Of the sets of capabilities in hexadecimal text, else a number.
std::uint64_t value_of(const Value& object, std::string_view name) {
  const Value* value = find(object, name);
  if (value != nullptr && value->IsUint64()) {
    return value->GetUint64();
  }
  return long_number(object, name, 16);
}

policy::Breach breach_of(const Value& object) {
  policy::Breach breach;
  breach.from = unit_ref(object, "unit");
  breach.to = breach.from;
  breach.direction = Direction::own;
  breach.invariant = word<event::Invariant>(object, "invariant");
  if (find(object, "set") != nullptr) {
    breach.set = word<event::CapabilitySet>(object, "set");
  }
  if (find(object, "seen_at") != nullptr) {
    breach.seen_at = word<event::SeenAt>(object, "seen_at");
  }
  breach.before = value_of(object, "before");
  breach.now = value_of(object, "now");
  breach.process = process_of(object);
  breach.ancestry = ancestry_of(object);
  return breach;
}

// A violation has its event in it.
policy::Event event_in(const Value& object) {
  if (const Value* access = find(object, "access")) {
    return access_of(*access);
  }
  if (const Value* breach = find(object, "breach")) {
    return breach_of(*breach);
  }
  return crossing_of(member(object, "crossing"));
}

ReadRecord record_of(const Value& object) {
  if (text(object, "schema") != record_schema) {
    throw Refused{fmt::format("its schema is not {}", record_schema)};
  }
  ReadRecord record;
  record.type = text(object, "type");
  record.time = text_if_there(object, "time");
  if (record.type == "crossing") {
    record.event = crossing_of(object);
  } else if (record.type == "access" || record.type == "attempt") {
    record.event = access_of(object);
  } else if (record.type == "breach") {
    record.event = breach_of(object);
  } else if (record.type == "violation" || record.type == "audit") {
    record.id = text_if_there(object, "id");
    record.event = event_in(object);
  }
  if (record.event) {
    std::visit([&](auto& event) { event.ts_mono_ns = long_number(object, "mono_ns"); }, *record.event);
  }
  return record;
}

}  // namespace

base::Result<ReadRecord> read_record(std::string_view line) {
  const auto refused = [](const std::string& why) { return base::Error{base::ErrorKind::failure, why}; };
  rapidjson::Document document;
  // Iteratively: a line full of brackets must not exhaust the stack.
  document.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
  if (document.HasParseError()) {
    return refused(fmt::format("no JSON: {} at byte {}",
                               rapidjson::GetParseError_En(document.GetParseError()),
                               document.GetErrorOffset()));
  }
  if (!document.IsObject()) {
    return refused("no JSON object");
  }
  try {
    return record_of(document);
  } catch (const Refused& reason) {
    return refused(reason.why);
  }
}

}  // namespace isoscope::sink
