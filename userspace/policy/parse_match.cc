// SPDX-License-Identifier: Apache-2.0
#include "policy/parse_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "base/text.h"
#include "config/suggest.h"
#include "config/values.h"
#include "policy/match.h"
#include "policy/vocabulary.h"

namespace isoscope::policy {

namespace {

using base::Ok;
using base::Result;
using config::YamlNode;
using Kind = YamlNode::Kind;

constexpr std::size_t longest_glob = 255;  // NAME_MAX is no less; paths that long have a `*` in them

template <typename T>
Result<Ok> add_word(std::string_view text, const Words<T>& words, std::vector<T>& into) {
  const std::string word = folded(text);
  for (const auto& [name, value] : words) {
    if (word == name) {
      into.push_back(value);
      return Ok{};
    }
  }
  return config::choice_error(text, names_of(words));
}

Result<Ok> add_mechanism(std::string_view text, Match& match) {
  const auto& words = mechanism_words();
  const auto found = std::find(words.begin(), words.end(), folded(text));
  if (found == words.end()) {
    return config::choice_error(text, words);
  }
  match.mechanisms.emplace_back(*found);
  return Ok{};
}

Result<Ok> add_action(std::string_view text, Match& match) {
  const std::vector<std::string_view> words = names_of(action_words());
  const auto found = std::find(words.begin(), words.end(), folded(text));
  if (found == words.end()) {
    return config::choice_error(text, words);
  }
  match.actions.emplace_back(*found);
  return Ok{};
}

// cap_sys_admin, CAP_SYS_ADMIN or sys_admin.
Result<Ok> add_capability(std::string_view text, Match& match) {
  std::string word = folded(text);
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return add_word(word.starts_with("cap_") ? word.substr(4) : word, capability_words(), match.capabilities);
}

// fnmatch takes these as they are and then matches nothing, or not what was meant.
Result<Ok> check_glob(std::string_view text) {
  if (text.size() > longest_glob) {
    return config::value_error(fmt::format("is longer than {} characters", longest_glob));
  }
  for (std::string_view rest = text; !rest.empty();) {
    if (base::is_control(base::take_character(rest))) {
      return config::value_error("has a control character in it");
    }
  }
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\\') {
      if (++i == text.size()) {
        return config::value_error("ends with \\: a backslash itself is \\\\");
      }
      continue;
    }
    if (text[i] != '[') {
      continue;
    }
    // `]` right behind `[`, `[!` or `[^` is one of the set.
    const std::size_t first = i + 1 + (text.substr(i + 1).find_first_of("!^") == 0 ? 1 : 0);
    const std::size_t close = text.find(']', first + 1);
    if (close == std::string_view::npos) {
      return config::value_error("has a [ without its ]: a set is [abc], the character itself \\[");
    }
    i = close;
  }
  return Ok{};
}

Result<Ok> add_glob(std::string_view text, std::vector<std::string>& into) {
  if (Result<Ok> good = check_glob(text); !good) {
    return good;
  }
  into.emplace_back(text);
  return Ok{};
}

// A path, as the kernel tells it: another word would never match.
Result<Ok> add_exe(std::string_view text, Match& match) {
  if (!text.starts_with('/') && !text.starts_with('*')) {
    return config::value_error("is not a path: it begins with / or *, such as /usr/bin/runc");
  }
  return add_glob(text, match.exes);
}

Result<Ok> add_uid(std::string_view text, Match& match) {
  // 4294967295 is (uid_t)-1: nobody has it.
  Result<std::uint32_t> uid = config::parse_number(text, 0, std::numeric_limits<std::uint32_t>::max() - 1);
  if (!uid) {
    return std::move(uid.error());
  }
  match.uids.push_back(*uid);
  return Ok{};
}

Result<Ok> add_resource(std::string_view text, Match& match) {
  if (Result<Ok> good = check_glob(text); !good) {
    return good;
  }
  const auto& words = resource_words();
  const std::string glob(text);
  if (std::none_of(words.begin(), words.end(),
                   [&](std::string_view word) { return glob_matches(glob, std::string(word)); })) {
    return config::choice_error(text, words);
  }
  match.resources.push_back(glob);
  return Ok{};
}

struct Field {
  std::string_view name;
  Result<Ok> (*add)(std::string_view text, Match& match);
};

constexpr Field fields[] = {
    {"event", [](std::string_view text, Match& m) { return add_word(text, event_words(), m.events); }},
    {"direction",
     [](std::string_view text, Match& m) { return add_word(text, direction_words(), m.directions); }},
    {"mechanism", add_mechanism},
    {"namespace",
     [](std::string_view text, Match& m) { return add_word(text, namespace_words(), m.namespaces); }},
    {"unit.kind",
     [](std::string_view text, Match& m) { return add_word(text, unit_kind_words(), m.unit_kinds); }},
    {"unit.name", [](std::string_view text, Match& m) { return add_glob(text, m.unit_names); }},
    {"to.unit.kind",
     [](std::string_view text, Match& m) { return add_word(text, unit_kind_words(), m.to_kinds); }},
    {"to.unit.name", [](std::string_view text, Match& m) { return add_glob(text, m.to_names); }},
    {"process.exe", add_exe},
    {"exe", add_exe},
    {"process.uid", add_uid},
    {"capability", add_capability},
    {"resource", add_resource},
    {"action", add_action},
    {"path", [](std::string_view text, Match& m) { return add_glob(text, m.paths); }},
};

const Field* find_field(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(fields), std::end(fields), [&](const Field& f) { return f.name == name; });
  return found == std::end(fields) ? nullptr : found;
}

void parse_value(const Field& field, const YamlNode& node, Match& match, Problems& problems) {
  if (node.kind != Kind::scalar || node.scalar.empty()) {
    problems.add(node.place, fmt::format("{}: expected a value or a list of values, found {}", field.name,
                                         config::describe(node)));
    return;
  }
  if (Result<Ok> added = field.add(node.scalar, match); !added) {
    problems.add(node.place,
                 fmt::format("{}: {} {}", field.name, config::describe(node), added.error().message));
  }
}

void parse_field(const Field& field, const YamlNode& node, Match& match, Problems& problems) {
  if (node.kind != Kind::list) {
    parse_value(field, node, match, problems);
    return;
  }
  if (node.items.empty()) {
    problems.add(node.place,
                 fmt::format("{}: expected a value or a list of values, found an empty list", field.name));
  }
  for (const YamlNode& item : node.items) {
    parse_value(field, item, match, problems);
  }
}

bool is_about(const Match& match, EventKind kind) {
  const auto about = [&](EventKind one) {
    return std::find(match.events.begin(), match.events.end(), one) != match.events.end();
  };
  // What was tried is told by the same words.
  const bool can_be_tried = kind == EventKind::crossing || kind == EventKind::access;
  return about(kind) || (can_be_tried && about(EventKind::attempt));
}

// What belongs to events of another kind than those asked for can never match.
void check_events(const Match& match, const YamlNode& node, Problems& problems) {
  if (match.events.empty()) {
    return;
  }
  for (std::size_t i = 0; i < node.keys.size(); i++) {
    const auto& [key, place] = node.keys[i];
    if ((key == "mechanism" || key == "namespace") && !is_about(match, EventKind::crossing)) {
      problems.add(place, fmt::format("{}: only crossings and attempts have one, and event is {}", key,
                                      to_string(match.events.front())));
    }
    if (key == "path" && !is_about(match, EventKind::access)) {
      problems.add(place, fmt::format("path: only accesses and attempts have one, and event is {}",
                                      to_string(match.events.front())));
    }
    if (key != "action") {
      continue;
    }
    for (const auto& [word, kind] : action_words()) {
      if (std::find(match.actions.begin(), match.actions.end(), word) != match.actions.end() &&
          !is_about(match, kind)) {
        problems.add(node.items[i].place,
                     fmt::format("action: \"{}\" belongs to event {}, and event is {}", word, to_string(kind),
                                 to_string(match.events.front())));
      }
    }
  }
}

}  // namespace

void Problems::add(config::Place place, const std::string& message) {
  add(config::error_at(file_, place, message));
}

void Problems::add(base::Error error) {
  if (++count_ <= most) {
    errors_.push_back(std::move(error));
  }
}

std::vector<base::Error> Problems::take() {
  if (count_ > most) {
    errors_.push_back({base::ErrorKind::config, fmt::format("{}: {} more errors are not shown",
                                                            base::printable(file_), count_ - most)});
  }
  return std::move(errors_);
}

Match parse_match(std::string_view name, const YamlNode& node, Problems& problems) {
  Match match;
  if (node.kind != Kind::map || node.keys.empty()) {
    problems.add(node.place, fmt::format("{}: expected a map such as {{direction: escape}}, found {}", name,
                                         node.kind == Kind::map ? "an empty one" : config::describe(node)));
    return match;
  }
  const std::size_t before = problems.count();
  bool has_exe = false;
  for (std::size_t i = 0; i < node.keys.size(); i++) {
    const std::string& key = node.keys[i].first;
    const Field* field = find_field(key);
    if (field == nullptr) {
      std::vector<std::string_view> known;
      for (const Field& one : fields) {
        known.push_back(one.name);
      }
      problems.add(config::unknown_key(problems.file(), node.keys[i], known));
      continue;
    }
    if (field->add == add_exe && std::exchange(has_exe, true)) {
      problems.add(node.keys[i].second, "exe and process.exe are the same: give one of them");
    }
    parse_field(*field, node.items[i], match, problems);
  }
  if (problems.count() == before) {
    check_events(match, node, problems);
  }
  return match;
}

}  // namespace isoscope::policy
