// SPDX-License-Identifier: Apache-2.0
#include "policy/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "config/values.h"
#include "policy/message.h"
#include "policy/parse_match.h"
#include "policy/vocabulary.h"

namespace isoscope::policy {

namespace {

using base::Ok;
using base::Result;
using config::Place;
using config::YamlNode;
using Kind = YamlNode::Kind;

constexpr std::size_t longest_name = 64;
constexpr std::size_t longest_text = 1000;

// The keys of one map: what is there, and what is not known.
class Map {
 public:
  Map(const YamlNode& node, const std::vector<std::string_view>& known, Problems& problems) : node_(node) {
    for (const auto& key : node.keys) {
      if (std::find(known.begin(), known.end(), key.first) == known.end()) {
        problems.add(config::unknown_key(problems.file(), key, known));
      }
    }
  }
  const YamlNode* find(std::string_view key) const {
    for (std::size_t i = 0; i < node_.keys.size(); i++) {
      if (node_.keys[i].first == key) {
        return &node_.items[i];
      }
    }
    return nullptr;
  }
  Place place() const { return node_.place; }

 private:
  const YamlNode& node_;
};

// Nothing but text as YAML allows it: what else there is would be replaced or dropped without a word.
Result<Ok> check_bytes(const std::string& file, std::string_view text) {
  Place place;
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t character = base::take_character(text);
    if (character == base::replacement_character && !before.starts_with("\xef\xbf\xbd")) {
      return config::error_at(file, place, "a byte that is not UTF-8; expected text in UTF-8");
    }
    const bool is_blank = character == U'\n' || character == U'\r' || character == U'\t';
    if (base::is_control(character) && !is_blank && !(character == U'\ufeff' && place.column == 1)) {
      return config::error_at(file, place,
                              fmt::format("the control character U+{:04X}; expected text that can be seen",
                                          static_cast<std::uint32_t>(character)));
    }
    place = character == U'\n' ? Place{place.line + 1, 1} : Place{place.line, place.column + 1};
  }
  return Ok{};
}

bool has_control_character(std::string_view text) {
  while (!text.empty()) {
    const char32_t character = base::take_character(text);
    if (base::is_control(character) && character != U'\n' && character != U'\t') {
      return true;
    }
  }
  return false;
}

// A scalar that is not empty.
std::optional<std::string> take_text(std::string_view key, std::string_view expected, const YamlNode& node,
                                     Problems& problems) {
  if (node.kind != Kind::scalar || node.scalar.empty()) {
    problems.add(node.place, fmt::format("{}: expected {}, found {}", key, expected, config::describe(node)));
    return std::nullopt;
  }
  if (node.scalar.size() > longest_text) {
    problems.add(node.place, fmt::format("{}: is longer than {} characters", key, longest_text));
    return std::nullopt;
  }
  if (has_control_character(node.scalar)) {
    problems.add(node.place, fmt::format("{}: has a control character in it; expected {}", key, expected));
    return std::nullopt;
  }
  return node.scalar;
}

template <typename T>
std::optional<T> take_word(std::string_view key, const Words<T>& words, const YamlNode& node,
                           Problems& problems) {
  const std::string expected = fmt::format("one of {}", fmt::join(names_of(words), ", "));
  const auto text = take_text(key, expected, node, problems);
  if (!text) {
    return std::nullopt;
  }
  Result<T> value = config::parse_choice(folded(*text), words);
  if (!value) {
    problems.add(node.place, fmt::format("{}: {} {}", key, config::describe(node), value.error().message));
    return std::nullopt;
  }
  return *value;
}

// Names are part of ids and of what others look for: plain words.
std::string take_name(std::string_view what, const Map& map, Problems& problems) {
  const YamlNode* node = map.find("name");
  if (node == nullptr) {
    problems.add(map.place(), fmt::format("{} without a name: expected name", what));
    return {};
  }
  const auto name = take_text("name", "a name", *node, problems);
  if (!name) {
    return {};
  }
  const bool plain = std::all_of(name->begin(), name->end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
  if (!plain || name->size() > longest_name) {
    problems.add(node->place, fmt::format("name: {} is not a name: 1 to {} letters, digits, - _ or .",
                                          config::describe(*node), longest_name));
    return {};
  }
  return *name;
}

std::vector<Match> take_except(const YamlNode& node, Problems& problems) {
  std::vector<Match> matches;
  if (node.kind != Kind::list) {
    matches.push_back(parse_match("except", node, problems));
    return matches;
  }
  if (node.items.empty()) {
    problems.add(node.place, "except: expected a map or a list of maps, found an empty list");
  }
  for (const YamlNode& item : node.items) {
    matches.push_back(parse_match("except", item, problems));
  }
  return matches;
}

// What the rule takes from its policy where it has none of its own.
std::optional<Severity> take_severity(const Map& map, std::optional<Severity> inherited, Problems& problems) {
  const YamlNode* node = map.find("severity");
  return node == nullptr ? inherited : take_word("severity", severity_words(), *node, problems);
}

Rule parse_rule(const YamlNode& node, std::optional<Severity> inherited, Problems& problems) {
  Rule rule;
  if (node.kind != Kind::map) {
    problems.add(node.place, fmt::format("rules: expected a map such as {{name, on, effect}}, found {}",
                                         config::describe(node)));
    return rule;
  }
  const Map map(node, {"name", "on", "except", "effect", "severity", "message"}, problems);
  rule.name = take_name("a rule", map, problems);
  if (const YamlNode* on = map.find("on")) {
    rule.on = parse_match("on", *on, problems);
  } else {
    problems.add(map.place(), "a rule without on: expected on, such as {direction: escape}");
  }
  if (const YamlNode* except = map.find("except")) {
    rule.except = take_except(*except, problems);
  }
  std::optional<Effect> effect;
  if (const YamlNode* value = map.find("effect")) {
    effect = take_word("effect", effect_words(), *value, problems);
  } else {
    problems.add(map.place(), "a rule without effect: expected effect: allow, audit or deny");
  }
  const std::optional<Severity> severity = take_severity(map, inherited, problems);
  if (effect == Effect::deny && !severity && map.find("severity") == nullptr) {
    problems.add(map.place(),
                 "a rule that denies, without severity: expected severity here or in its policy");
  }
  rule.effect = effect.value_or(Effect::deny);
  rule.severity = severity.value_or(Severity::low);
  if (const YamlNode* message = map.find("message")) {
    rule.message = take_text("message", "a text", *message, problems).value_or("");
    if (Result<Ok> good = check_template(rule.message); !good) {
      problems.add(message->place, fmt::format("message: {}", good.error().message));
    }
  }
  return rule;
}

std::vector<Rule> parse_rules(const YamlNode& node, std::optional<Severity> inherited, Problems& problems) {
  std::vector<Rule> rules;
  if (node.kind != Kind::list || node.items.empty()) {
    problems.add(node.place, fmt::format("rules: expected a list of rules, found {}",
                                         node.kind == Kind::list ? "an empty list" : config::describe(node)));
    return rules;
  }
  std::set<std::string> names;
  for (const YamlNode& item : node.items) {
    Rule rule = parse_rule(item, inherited, problems);
    if (!rule.name.empty() && !names.insert(rule.name).second) {
      problems.add(item.place, fmt::format("a second rule with the name \"{}\"", rule.name));
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

void add_expectation(const YamlNode& node, std::vector<Expectation>& expect, Problems& problems) {
  Expectation one;
  const YamlNode* rule = &node;
  if (node.kind == Kind::map) {
    const Map map(node, {"rule", "count"}, problems);
    rule = map.find("rule");
    if (rule == nullptr) {
      problems.add(node.place, "expect: expected a rule or {rule, count}, found no rule");
      return;
    }
    if (const YamlNode* count = map.find("count")) {
      Result<std::uint32_t> number =
          config::parse_number(count->scalar, 1, std::numeric_limits<std::uint32_t>::max());
      if (!number) {
        problems.add(count->place,
                     fmt::format("count: {} {}", config::describe(*count), number.error().message));
        return;
      }
      one.count = *number;
    }
  }
  if (const auto name = take_text("expect", "the name of a rule or {rule, count}", *rule, problems)) {
    one.rule = *name;
    expect.push_back(one);
  }
}

void check_expectation(const Policy& policy, const Expectation& expectation, Place place,
                       Problems& problems) {
  std::vector<std::string_view> names;
  for (const Rule& rule : policy.rules) {
    if (!rule.name.empty()) {  // those have a mistake of their own
      names.emplace_back(rule.name);
    }
  }
  if (std::find(names.begin(), names.end(), expectation.rule) == names.end()) {
    problems.add(place, fmt::format("expect: \"{}\" {}", base::printable(expectation.rule),
                                    config::choice_error(expectation.rule, names).message));
  }
}

void parse_expect(const YamlNode& node, Policy& policy, Problems& problems) {
  if (node.kind == Kind::map || node.kind == Kind::null) {
    problems.add(node.place,
                 fmt::format("expect: expected a list of rules, found {}", config::describe(node)));
    return;
  }
  const std::vector<YamlNode> alone = {node};
  std::set<std::string> listed;
  for (const YamlNode& item : node.kind == Kind::list ? node.items : alone) {
    const std::size_t before = policy.expect.size();
    add_expectation(item, policy.expect, problems);
    if (policy.expect.size() == before) {
      continue;
    }
    const Expectation& one = policy.expect.back();
    check_expectation(policy, one, item.place, problems);
    if (!listed.insert(one.rule).second) {
      problems.add(item.place, fmt::format("expect: \"{}\" is given twice", base::printable(one.rule)));
    }
  }
}

Policy parse_policy(const YamlNode& node, Problems& problems) {
  Policy policy;
  policy.file = problems.file();
  policy.place = node.place;
  if (node.kind != Kind::map) {
    problems.add(node.place,
                 fmt::format("expected a policy, a map such as {{name, severity, rules}}, found {}",
                             config::describe(node)));
    return policy;
  }
  const Map map(node, {"name", "severity", "enforce", "description", "rules", "expect"}, problems);
  policy.name = take_name("a policy", map, problems);
  if (const YamlNode* description = map.find("description")) {
    policy.description = take_text("description", "a text", *description, problems).value_or("");
  }
  if (const YamlNode* enforce = map.find("enforce")) {
    const Words<bool> words = {{"true", true}, {"false", false}};
    policy.enforce = take_word("enforce", words, *enforce, problems).value_or(false);
  }
  std::optional<Severity> severity;
  if (const YamlNode* value = map.find("severity")) {
    severity = take_word("severity", severity_words(), *value, problems);
    // The one mistake is told once, not again for each rule that would inherit it.
    severity = severity.value_or(Severity::low);
  }
  if (const YamlNode* rules = map.find("rules")) {
    policy.rules = parse_rules(*rules, severity, problems);
  } else {
    problems.add(map.place(), "a policy without rules: expected rules");
  }
  if (const YamlNode* expect = map.find("expect")) {
    parse_expect(*expect, policy, problems);
  }
  return policy;
}

}  // namespace

Parsed parse(const std::string& file, const std::string& text) {
  Parsed parsed;
  if (const Result<Ok> good = check_bytes(file, text); !good) {
    parsed.errors.push_back(good.error());
    return parsed;
  }
  const Result<std::vector<YamlNode>> documents = config::parse_yaml_documents(file, text);
  if (!documents) {
    parsed.errors.push_back(documents.error());
    return parsed;
  }
  Problems problems(file);
  for (const YamlNode& document : *documents) {
    if (document.kind != Kind::null) {  // nothing but comments
      parsed.policies.push_back(parse_policy(document, problems));
    }
  }
  if (problems.count() == 0) {
    for (base::Error& error : check_names(parsed.policies)) {
      problems.add(std::move(error));
    }
  }
  parsed.errors = problems.take();
  return parsed;
}

std::vector<base::Error> check_names(const std::vector<Policy>& policies) {
  std::vector<base::Error> errors;
  for (std::size_t i = 0; i < policies.size(); i++) {
    const auto same = std::find_if(policies.begin(), policies.begin() + static_cast<std::ptrdiff_t>(i),
                                   [&](const Policy& other) { return other.name == policies[i].name; });
    if (same != policies.begin() + static_cast<std::ptrdiff_t>(i)) {
      errors.push_back(
          config::error_at(policies[i].file, policies[i].place,
                           fmt::format("a second policy with the name \"{}\"; the first is in {}:{}",
                                       policies[i].name, base::printable(same->file), same->place.line)));
    }
  }
  return errors;
}

}  // namespace isoscope::policy
