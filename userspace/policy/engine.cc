// SPDX-License-Identifier: Apache-2.0
#include "policy/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "policy/default_policy.h"
#include "policy/match.h"
#include "policy/message.h"

namespace isoscope::policy {

namespace {

// FNV-1a with 64 bits: short, and the same on every machine and in every version. Each text ends with a
// zero byte, so that no two lists of texts run into the same bytes.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) {
      mix(static_cast<unsigned char>(c));
    }
    mix(0);
  }
  void add(std::uint64_t number) { add(std::string_view(fmt::format("{}", number))); }
  std::uint64_t value() const { return value_; }

 private:
  void mix(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3; }

  std::uint64_t value_ = 0xcbf29ce484222325;
};

std::string id_of(const Ruling& ruling, const Facts& facts) {
  Hash hash;
  hash.add(ruling.policy->name);
  hash.add(ruling.rule->name);
  hash.add(identity::to_string(facts.unit.kind));
  hash.add(facts.unit.id);
  hash.add(std::uint64_t{facts.process.tid});
  hash.add(facts.process.start_boot_ns);
  hash.add(namespaces_of(facts));
  if (facts.event != EventKind::crossing) {  // whose ids were there first, and stay as they are
    hash.add(facts.action);
    hash.add(facts.to ? facts.to->id : "");
  }
  return fmt::format("{:016x}", hash.value());
}

}  // namespace

PolicySet::PolicySet(std::vector<Policy> policies)
    : policies_(std::move(policies)), last_resort_(default_policy()) {
  const auto own = std::find_if(policies_.begin(), policies_.end(),
                                [&](const Policy& policy) { return policy.name == last_resort_.name; });
  if (own != policies_.end()) {
    last_resort_ = std::move(*own);
    policies_.erase(own);
  }
}

bool asks_for_attempts(const PolicySet& policies) {
  const auto asks = [](const Policy& policy) {
    return std::any_of(policy.rules.begin(), policy.rules.end(), [](const Rule& rule) {
      return std::find(rule.on.events.begin(), rule.on.events.end(), EventKind::attempt) !=
             rule.on.events.end();
    });
  };
  return asks(policies.last_resort()) ||
         std::any_of(policies.policies().begin(), policies.policies().end(), asks);
}

const Rule* deciding_rule(const Policy& policy, const Facts& facts) {
  const auto rule = std::find_if(policy.rules.begin(), policy.rules.end(),
                                 [&](const Rule& one) { return applies(one, facts); });
  return rule == policy.rules.end() ? nullptr : &*rule;
}

std::vector<Ruling> PolicySet::judge(const Facts& facts) const {
  std::vector<Ruling> rulings;
  Effect strictest = Effect::allow;
  for (const Policy& policy : policies_) {
    if (const Rule* rule = deciding_rule(policy, facts)) {
      rulings.push_back({&policy, rule});
      strictest = std::max(strictest, rule->effect);
    }
  }
  if (rulings.empty()) {
    if (const Rule* rule = deciding_rule(last_resort_, facts)) {
      rulings.push_back({&last_resort_, rule});
    }
    return rulings;
  }
  std::erase_if(rulings, [&](const Ruling& ruling) { return ruling.rule->effect != strictest; });
  return rulings;
}

Violation violation_of(const Ruling& ruling, const Facts& facts, const Event& event) {
  const Rule& rule = *ruling.rule;
  Violation violation;
  violation.policy = ruling.policy->name;
  violation.rule = rule.name;
  violation.effect = rule.effect;
  violation.severity = rule.severity;
  violation.message = rule.message.empty() ? standard_message(facts) : expand(rule.message, facts);
  violation.has_own_message = !rule.message.empty();
  violation.id = id_of(ruling, facts);
  violation.enforce = ruling.policy->enforce && rule.effect == Effect::deny;
  violation.event = event;
  return violation;
}

std::vector<Violation> judge(const Event& event, const PolicySet& policies) {
  const Facts facts = facts_of(event);
  std::vector<Violation> violations;
  for (const Ruling& ruling : policies.judge(facts)) {
    if (ruling.rule->effect != Effect::allow) {
      violations.push_back(violation_of(ruling, facts, event));
    }
  }
  return violations;
}

std::vector<Violation> judge(const Event& event) {
  static const PolicySet built_in;
  return judge(event, built_in);
}

}  // namespace isoscope::policy
