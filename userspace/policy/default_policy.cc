// SPDX-License-Identifier: Apache-2.0
#include "policy/default_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

namespace isoscope::policy {

namespace {

using identity::UnitKind;

template <typename T>
bool allows(const std::vector<T>& list, T value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

std::string describe(const identity::UnitRef& unit) {
  return unit.kind == UnitKind::host ? "host"
                                     : fmt::format("{} {}", identity::to_string(unit.kind), unit.name);
}

// The types that make up the direction, in the order of the moves.
std::string types_of(const Crossing& crossing) {
  std::string types;
  for (const NamespaceMove& move : crossing.moves) {
    if (move.direction == crossing.direction) {
      types += types.empty() ? "" : ", ";
      types += event::to_string(move.type);
    }
  }
  return types;
}

std::string_view how(event::Mechanism mechanism) {
  switch (mechanism) {
    case event::Mechanism::setns:
      return " by setns";
    case event::Mechanism::unshare:
      return " by unshare";
    case event::Mechanism::clone:
      return " by clone";
    case event::Mechanism::cgroup_attach:
      return " by a move between cgroups";
    case event::Mechanism::none:
      return " without a system call";
    case event::Mechanism::unknown:
      return "";
  }
  return "";
}

std::string message_of(const Crossing& crossing) {
  const std::string types = types_of(crossing);
  return fmt::format("{} left {} for {}{}{}", crossing.process.comm, describe(crossing.from),
                     describe(crossing.to), types.empty() ? "" : fmt::format(" ({})", types),
                     how(crossing.mechanism));
}

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

std::string id_of(const Policy& policy, const Rule& rule, const Crossing& crossing) {
  Hash hash;
  hash.add(policy.name);
  hash.add(rule.name);
  hash.add(identity::to_string(crossing.from.kind));
  hash.add(crossing.from.id);
  hash.add(std::uint64_t{crossing.process.tid});
  hash.add(crossing.process.start_boot_ns);
  hash.add(types_of(crossing));
  return fmt::format("{:016x}", hash.value());
}

std::optional<Violation> judge_by(const Policy& policy, const Crossing& crossing) {
  for (const Rule& rule : policy.rules) {
    if (allows(rule.directions, crossing.direction) && allows(rule.from_kinds, crossing.from.kind)) {
      return Violation{.policy = policy.name,
                       .rule = rule.name,
                       .severity = rule.severity,
                       .message = message_of(crossing),
                       .id = id_of(policy, rule, crossing),
                       .crossing = crossing};
    }
  }
  return std::nullopt;
}

}  // namespace

const Policy& default_policy() {
  static const std::vector<UnitKind> contained{UnitKind::container, UnitKind::pod};
  static const Policy policy{.name = "no-escape",
                             .rules = {{.name = "escape-to-host",
                                        .directions = {Direction::escape},
                                        .from_kinds = contained,
                                        .severity = Severity::critical},
                                       {.name = "lateral-move",
                                        .directions = {Direction::lateral},
                                        .from_kinds = contained,
                                        .severity = Severity::critical},
                                       // The next program it runs would be one of the other cgroup's unit,
                                       // and its escape no escape.
                                       {.name = "leave-cgroup",
                                        .directions = {Direction::leave_cgroup},
                                        .from_kinds = contained,
                                        .severity = Severity::critical}}};
  return policy;
}

std::vector<Violation> judge(const Crossing& crossing, const std::vector<Policy>& policies) {
  std::vector<Violation> violations;
  for (const Policy& policy : policies) {
    if (auto violation = judge_by(policy, crossing)) {
      violations.push_back(*std::move(violation));
    }
  }
  return violations;
}

std::vector<Violation> judge(const Crossing& crossing) {
  auto violation = judge_by(default_policy(), crossing);
  return violation ? std::vector<Violation>{*std::move(violation)} : std::vector<Violation>{};
}

}  // namespace isoscope::policy
