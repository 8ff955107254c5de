// SPDX-License-Identifier: Apache-2.0
#include "policy/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "config/values.h"

namespace isoscope::policy {

namespace {

using base::Ok;
using base::Result;
using identity::UnitRef;

struct Field {
  std::string_view name;
  std::string (*value)(const Facts&);
};

std::string or_unknown(std::string text) {
  return text.empty() ? "unknown" : std::move(text);
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string of_target(const Facts& facts, std::string (*value)(const UnitRef&)) {
  return facts.to ? value(*facts.to) : std::string();
}

constexpr Field fields[] = {
    {"event", [](const Facts& facts) { return std::string(to_string(facts.event)); }},
    {"direction",
     [](const Facts& facts) { return std::string(facts.direction ? to_string(*facts.direction) : ""); }},
    {"mechanism", [](const Facts& facts) { return facts.mechanism; }},
    {"namespace", [](const Facts& facts) { return namespaces_of(facts); }},
    {"resource", [](const Facts& facts) { return joined(facts.resources); }},
    {"action", [](const Facts& facts) { return facts.action; }},
    {"path", [](const Facts& facts) { return facts.path; }},
    {"unit", [](const Facts& facts) { return describe(facts.unit); }},
    {"unit.kind", [](const Facts& facts) { return std::string(identity::to_string(facts.unit.kind)); }},
    {"unit.name", [](const Facts& facts) { return facts.unit.name; }},
    {"unit.id", [](const Facts& facts) { return facts.unit.id; }},
    {"to.unit", [](const Facts& facts) { return of_target(facts, describe); }},
    {"to.unit.kind",
     [](const Facts& facts) {
       return of_target(facts, [](const UnitRef& to) { return std::string(identity::to_string(to.kind)); });
     }},
    {"to.unit.name",
     [](const Facts& facts) { return of_target(facts, [](const UnitRef& to) { return to.name; }); }},
    {"to.unit.id",
     [](const Facts& facts) { return of_target(facts, [](const UnitRef& to) { return to.id; }); }},
    {"process.exe", [](const Facts& facts) { return facts.process.exe; }},
    {"process.comm", [](const Facts& facts) { return facts.process.comm; }},
    {"process.pid", [](const Facts& facts) { return fmt::format("{}", facts.process.pid); }},
    {"process.tid", [](const Facts& facts) { return fmt::format("{}", facts.process.tid); }},
    {"process.uid", [](const Facts& facts) { return fmt::format("{}", facts.process.uid); }},
};

const Field* find_field(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(fields), std::end(fields), [&](const Field& f) { return f.name == name; });
  return found == std::end(fields) ? nullptr : found;
}

// A piece of a template: text that stands for itself, or the name of a field.
struct Piece {
  std::string_view text;
  bool is_field = false;
};

// The next piece off the front of `rest`, which is not empty. Nothing: a brace without its other one.
std::optional<Piece> take_piece(std::string_view& rest) {
  const auto take = [&](std::size_t size, std::size_t skip) {
    const std::string_view text = rest.substr(0, size);
    rest.remove_prefix(size + skip);
    return text;
  };
  const std::size_t plain = std::min(rest.find_first_of("{}"), rest.size());
  if (plain > 0) {
    return Piece{take(plain, 0)};
  }
  if (rest.size() > 1 && rest[1] == rest[0]) {
    return Piece{take(1, 1)};
  }
  const std::size_t end = rest.find_first_of("{}", 1);
  if (rest[0] == '}' || end == std::string_view::npos || rest[end] != '}') {
    return std::nullopt;
  }
  rest.remove_prefix(1);
  return Piece{take(end - 1, 1), true};
}

std::string_view how(const std::string& mechanism) {
  if (mechanism == "none") {
    return " without a system call";
  }
  if (mechanism == "cgroup_attach") {
    return " by a move between cgroups";
  }
  if (mechanism == "clone_into_cgroup") {
    return " by a clone into another cgroup";
  }
  return {};
}

}  // namespace

Result<Ok> check_template(std::string_view text) {
  while (!text.empty()) {
    const std::optional<Piece> piece = take_piece(text);
    if (!piece) {
      return config::value_error(
          "has a brace without its other one: a field is {unit.name}, a brace itself {{ or }}");
    }
    if (piece->is_field && find_field(piece->text) == nullptr) {
      std::vector<std::string_view> names;
      for (const Field& field : fields) {
        names.push_back(field.name);
      }
      return config::value_error(fmt::format("has {{{}}}, which {}", base::printable(piece->text),
                                             config::choice_error(piece->text, names).message));
    }
  }
  return Ok{};
}

std::string expand(std::string_view text, const Facts& facts) {
  std::string result;
  while (!text.empty()) {
    const std::optional<Piece> piece = take_piece(text);
    if (!piece) {  // not a template that was checked
      return result;
    }
    const Field* field = piece->is_field ? find_field(piece->text) : nullptr;
    result += field == nullptr ? std::string(piece->text) : or_unknown(field->value(facts));
  }
  return result;
}

std::string standard_message(const Facts& facts) {
  const std::string to = facts.to ? describe(*facts.to) : "unknown";
  switch (facts.event) {
    case EventKind::crossing:
      break;
    case EventKind::attempt:
      return fmt::format("{} of {} tried {}{}{}", facts.process.comm, describe(facts.unit), facts.action,
                         facts.namespaces.empty() ? "" : fmt::format(" ({})", namespaces_of(facts)),
                         facts.to ? fmt::format(" towards {}", to) : "");
    case EventKind::access:
      return fmt::format("{} of {} reached {} by {}", facts.process.comm, describe(facts.unit), to,
                         facts.action);
    case EventKind::invariant:
      return fmt::format("{} of {} broke {}", facts.process.comm, describe(facts.unit), facts.action);
  }
  const std::string types = namespaces_of(facts);
  std::string way(how(facts.mechanism));
  if (way.empty() && facts.mechanism != "unknown") {
    way = " by " + facts.mechanism;
  }
  return fmt::format("{} left {} for {}{}{}", facts.process.comm, describe(facts.unit), to,
                     types.empty() ? "" : fmt::format(" ({})", types), way);
}

}  // namespace isoscope::policy
