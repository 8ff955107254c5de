// SPDX-License-Identifier: Apache-2.0
#include "policy/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "policy/match.h"
#include "policy/vocabulary.h"

namespace isoscope::policy {

namespace {

// `a`, `a or b`, `a, b or c`
template <typename T, typename Word>
std::string any_of(const std::vector<T>& values, Word word) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); i++) {
    text += i == 0 ? "" : i + 1 == values.size() ? " or " : ", ";
    text += base::printable(word(values[i]));
  }
  return text;
}

std::string itself(const std::string& text) {
  return text;
}

template <typename T>
std::string word_of(T value) {
  return to_string(value);
}

std::string capability_name(unsigned number) {
  return fmt::format("cap_{}", capability_words().at(number).first);
}

// One clause for each field that is asked for.
std::vector<std::string> clauses_of(const Match& match, Reach reach) {
  std::vector<std::string> clauses;
  const auto add = [&](std::string_view what, const auto& values, auto word) {
    if (!values.empty()) {
      clauses.push_back(fmt::format("{} is {}", what, any_of(values, word)));
    }
  };
  add("the event", match.events, word_of<EventKind>);
  add("its direction", match.directions, word_of<Direction>);
  add("its mechanism", match.mechanisms, itself);
  const bool all = reach == Reach::all;
  add(all ? "each namespace" : "a namespace", match.namespaces, word_of<event::NamespaceType>);
  add("the unit's kind", match.unit_kinds, word_of<identity::UnitKind>);
  add("the unit's name or id", match.unit_names, itself);
  add("the other unit's kind", match.to_kinds, word_of<identity::UnitKind>);
  add("the other unit's name or id", match.to_names, itself);
  add("the executable", match.exes, itself);
  add("the user id", match.uids, [](std::uint32_t uid) { return fmt::format("{}", uid); });
  add("a capability held", match.capabilities, capability_name);
  add(all ? "each resource" : "a resource", match.resources, itself);
  add("the action", match.actions, itself);
  add("the path", match.paths, itself);
  return clauses;
}

std::string joined(const Match& match, Reach reach) {
  return fmt::format("{}", fmt::join(clauses_of(match, reach), ", and "));
}

// Each line of a text, indented.
std::string indented(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines += fmt::format("  {}\n", base::printable(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string consequence_of(const Policy& policy, const Rule& rule) {
  switch (rule.effect) {
    case Effect::allow:
      return "allow: nothing is reported";
    case Effect::audit:
      return fmt::format("audit: a record of {} severity, no violation", to_string(rule.severity));
    case Effect::deny:
      break;
  }
  return fmt::format("deny: a violation of {} severity{}", to_string(rule.severity),
                     policy.enforce ? ", and the process is killed" : "");
}

// The kinds of events that it can be about: those asked for, or those that its words belong to.
std::vector<EventKind> events_of(const Match& match) {
  std::vector<EventKind> events = match.events;
  if (!events.empty()) {
    return events;
  }
  // What a breach does not have.
  if (!match.directions.empty() || !match.namespaces.empty() || !match.to_kinds.empty() ||
      !match.to_names.empty()) {
    events = {EventKind::crossing, EventKind::access, EventKind::attempt};
  }
  for (const auto& [word, kind] : action_words()) {
    const auto has = [&, name = word](const std::vector<std::string>& words) {
      return std::find(words.begin(), words.end(), name) != words.end();
    };
    if ((has(match.actions) || has(match.mechanisms)) &&
        std::find(events.begin(), events.end(), kind) == events.end()) {
      events.push_back(kind);
    }
  }
  return events;
}

template <typename T>
bool meet(const std::vector<T>& one, const std::vector<T>& other) {
  return one.empty() || other.empty() || std::any_of(one.begin(), one.end(), [&](const T& value) {
           return std::find(other.begin(), other.end(), value) != other.end();
         });
}

}  // namespace

std::string explain(const Policy& policy) {
  std::string text =
      fmt::format("policy {} ({}:{})\n", policy.name, base::printable(policy.file), policy.place.line);
  text += indented(policy.description);
  for (std::size_t i = 0; i < policy.rules.size(); i++) {
    const Rule& rule = policy.rules[i];
    const bool allows = rule.effect == Effect::allow;
    text += fmt::format("  {}. {}\n", i + 1, rule.name);
    text += fmt::format("     {}if {}\n", i == 0 ? "" : "else ",
                        joined(rule.on, allows ? Reach::all : Reach::one));
    for (const Match& except : rule.except) {
      text += fmt::format("     unless {}\n", joined(except, allows ? Reach::one : Reach::all));
    }
    text += fmt::format("     {}\n", consequence_of(policy, rule));
    if (!rule.message.empty()) {
      text += fmt::format("     saying \"{}\"\n", base::printable(rule.message));
    }
  }
  return text;
}

std::vector<std::string> overruled_by(const Rule& rule, const Policy& last_resort) {
  std::vector<std::string> names;
  if (rule.effect == Effect::deny) {
    return names;
  }
  for (const Rule& other : last_resort.rules) {
    if (other.effect == Effect::deny && meet(events_of(rule.on), events_of(other.on)) &&
        meet(rule.on.directions, other.on.directions) && meet(rule.on.mechanisms, other.on.mechanisms) &&
        meet(rule.on.unit_kinds, other.on.unit_kinds) && meet(rule.on.to_kinds, other.on.to_kinds) &&
        meet(rule.on.namespaces, other.on.namespaces) && meet(rule.on.actions, other.on.actions)) {
      names.push_back(other.name);
    }
  }
  return names;
}

std::vector<std::string> overruled(const PolicySet& policies) {
  std::vector<std::string> lines;
  for (const Policy& policy : policies.policies()) {
    for (const Rule& rule : policy.rules) {
      const std::vector<std::string> names = overruled_by(rule, policies.last_resort());
      if (!names.empty()) {
        lines.push_back(fmt::format("{}/{} comes before {} of {}", policy.name, rule.name,
                                    fmt::join(names, ", "), policies.last_resort().name));
      }
    }
  }
  return lines;
}

}  // namespace isoscope::policy
