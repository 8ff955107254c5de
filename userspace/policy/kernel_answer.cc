// SPDX-License-Identifier: Apache-2.0
#include "policy/kernel_answer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "policy/facts.h"
#include "policy/match.h"

namespace isoscope::policy {

namespace {

// Of an event by a process that is not known.
enum class Certainty { no, maybe, yes };

// A match without what it asks of the process.
struct OfAnyone {
  Match match;
  bool asks_for_process = false;
};

OfAnyone of_anyone(Match match) {
  const bool asks = !match.exes.empty() || !match.uids.empty() || !match.capabilities.empty();
  match.exes.clear();
  match.uids.clear();
  match.capabilities.clear();
  return {std::move(match), asks};
}

Certainty matches(const OfAnyone& one, const Facts& facts, Reach reach) {
  if (!policy::matches(one.match, facts, reach)) {
    return Certainty::no;
  }
  return one.asks_for_process ? Certainty::maybe : Certainty::yes;
}

struct RuleOfAnyone {
  OfAnyone on;
  std::vector<OfAnyone> except;
  Effect effect;

  // See policy::applies().
  Certainty applies(const Facts& facts) const {
    const bool allows = effect == Effect::allow;
    Certainty certainty = matches(on, facts, allows ? Reach::all : Reach::one);
    for (const OfAnyone& one : except) {
      switch (matches(one, facts, allows ? Reach::one : Reach::all)) {
        case Certainty::yes:
          return Certainty::no;
        case Certainty::maybe:
          certainty = std::min(certainty, Certainty::maybe);
          break;
        case Certainty::no:
          break;
      }
    }
    return certainty;
  }
};

struct PolicyOfAnyone {
  bool enforce = false;
  std::vector<RuleOfAnyone> rules;

  enum class Says { nothing, unknown, deny, else_what };
  Says judge(const Facts& facts) const {
    for (const RuleOfAnyone& rule : rules) {
      switch (rule.applies(facts)) {
        case Certainty::yes:
          return rule.effect == Effect::deny ? Says::deny : Says::else_what;
        case Certainty::maybe:
          return Says::unknown;
        case Certainty::no:
          break;
      }
    }
    return Says::nothing;
  }
};

PolicyOfAnyone of_anyone(const Policy& policy) {
  PolicyOfAnyone result{policy.enforce, {}};
  for (const Rule& rule : policy.rules) {
    RuleOfAnyone one{of_anyone(rule.on), {}, rule.effect};
    for (const Match& except : rule.except) {
      one.except.push_back(of_anyone(except));
    }
    result.rules.push_back(std::move(one));
  }
  return result;
}

bool asks_for_types(const Match& match) {
  return !match.namespaces.empty() || !match.resources.empty();
}

bool asks_for_types(const Policy& policy) {
  return std::any_of(policy.rules.begin(), policy.rules.end(), [](const Rule& rule) {
    return asks_for_types(rule.on) || std::any_of(rule.except.begin(), rule.except.end(),
                                                  [](const Match& except) { return asks_for_types(except); });
  });
}

class Judge {
 public:
  explicit Judge(const PolicySet& policies) : last_resort_(of_anyone(policies.last_resort())) {
    for (const Policy& policy : policies.policies()) {
      policies_.push_back(of_anyone(policy));
      by_types_ |= asks_for_types(policy);
    }
    by_types_ |= asks_for_types(policies.last_resort());
  }

  bool by_types() const { return by_types_; }

  // Certainly. A deny is the strictest of effects: what other policies say changes nothing about it. The last
  // resort speaks where all others have nothing to say.
  bool kills(const Facts& facts) const {
    using Says = PolicyOfAnyone::Says;
    bool silent = true;
    for (const PolicyOfAnyone& policy : policies_) {
      const Says says = policy.judge(facts);
      if (policy.enforce && says == Says::deny) {
        return true;
      }
      silent &= says == Says::nothing;
    }
    return silent && last_resort_.enforce && last_resort_.judge(facts) == Says::deny;
  }

 private:
  std::vector<PolicyOfAnyone> policies_;
  PolicyOfAnyone last_resort_;
  bool by_types_ = false;
};

Facts escape(const identity::UnitRef& unit, const identity::UnitRef& host, std::size_t mechanism,
             std::size_t set) {
  Crossing crossing;
  crossing.from = unit;
  crossing.to = host;
  crossing.direction = Direction::escape;
  crossing.mechanism = static_cast<event::Mechanism>(mechanism);
  for (std::size_t i = 0; i < event::namespace_types; ++i) {
    if ((set >> i & 1) != 0) {
      NamespaceMove move;
      move.type = static_cast<event::NamespaceType>(i);
      move.direction = Direction::escape;
      crossing.moves.push_back(move);
    }
  }
  return facts_of(crossing);
}

Facts broken(const identity::UnitRef& unit, event::Invariant invariant) {
  Breach breach;
  breach.from = unit;
  breach.invariant = invariant;
  return facts_of(breach);
}

}  // namespace

bool KernelAnswers::empty() const {
  return invariants.none() &&
         std::all_of(kill.begin(), kill.end(), [](const auto& of_mechanism) { return of_mechanism.none(); });
}

KernelAnswers kernel_answers(const PolicySet& policies, const identity::UnitRef& unit,
                             const identity::UnitRef& host) {
  KernelAnswers answers;
  if (!enforces(policies)) {
    return answers;
  }
  const Judge judge(policies);
  for (std::size_t mechanism = 0; mechanism < KernelAnswers::mechanisms; ++mechanism) {
    if (!judge.by_types()) {
      if (judge.kills(escape(unit, host, mechanism, KernelAnswers::sets - 1))) {
        answers.kill[mechanism].set().reset(0);
      }
      continue;
    }
    for (std::size_t set = 1; set < KernelAnswers::sets; ++set) {
      answers.kill[mechanism][set] = judge.kills(escape(unit, host, mechanism, set));
    }
  }
  for (std::size_t number = 1; number <= event::invariants; ++number) {
    const auto invariant = static_cast<event::Invariant>(number);
    answers.invariants[number] = judge.kills(broken(unit, invariant));
  }
  // A task that leaves its cgroup need not be the one that runs.
  answers.invariants.reset(static_cast<std::size_t>(event::Invariant::cgroup));
  return answers;
}

bool enforces(const PolicySet& policies) {
  return policies.last_resort().enforce || std::any_of(policies.policies().begin(), policies.policies().end(),
                                                       [](const Policy& policy) { return policy.enforce; });
}

}  // namespace isoscope::policy
