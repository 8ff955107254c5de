// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "agent/commands.h"
#include "agent/policy_files.h"
#include "base/text.h"
#include "policy/engine.h"
#include "policy/message.h"
#include "sink/event_reader.h"

namespace isoscope::agent {

namespace {

using base::Error;
using base::ErrorKind;
using base::Ok;
using base::Result;
using policy::Policy;
using policy::Rule;

// How often rules fired, by their policy's and their own name.
using Firings = std::map<std::pair<std::string, std::string>, std::uint64_t>;

struct Counts {
  std::uint64_t records = 0;
  std::uint64_t events = 0;
  std::uint64_t ignored = 0;  // records of other types
};

std::string details_of(const policy::Crossing& crossing) {
  std::string key = crossing.to_cgroup;
  for (const policy::NamespaceMove& move : crossing.moves) {
    key += fmt::format(" {}", move.to);
  }
  return key;
}

std::string details_of(const policy::Access& access) {
  return fmt::format("{} {} {} {}", event::to_string(access.kind), access.detail, access.target_pid,
                     access.path);
}

std::string details_of(const policy::Breach& breach) {
  return event::to_string(breach.invariant);
}

// The same event may be in a file as itself and in the violations that it made.
std::string key_of(const policy::Event& event) {
  return std::visit(
      [](const auto& one) {
        return fmt::format("{} {} {}", one.ts_mono_ns, one.process.tid, details_of(one));
      },
      event);
}

void judge(const std::vector<Policy>& policies, const sink::ReadRecord& record, std::uint64_t line,
           Firings& firings) {
  const policy::Facts facts = policy::facts_of(*record.event);
  for (const Policy& policy : policies) {
    const Rule* rule = policy::deciding_rule(policy, facts);
    if (rule == nullptr) {
      continue;
    }
    ++firings[{policy.name, rule->name}];
    const std::string message =
        rule->message.empty() ? policy::standard_message(facts) : policy::expand(rule->message, facts);
    fmt::print("line {}  {}  {} {} {}/{}: {}\n", line, base::printable(record.time),
               policy::to_string(rule->effect), policy::to_string(rule->severity), policy.name, rule->name,
               base::printable(message));
  }
}

Result<Counts> judge_file(const std::vector<Policy>& policies, const std::string& path, Firings& firings) {
  std::ifstream file(path);
  if (!file) {
    return Error{ErrorKind::failure,
                 fmt::format("cannot read {}: {}", base::printable(path), base::errno_text(errno))};
  }
  Counts counts;
  std::set<std::string> seen;
  std::string line;
  while (std::getline(file, line)) {
    ++counts.records;
    const auto record = sink::read_record(line);
    if (!record) {
      return Error{ErrorKind::failure,
                   fmt::format("{}:{}: not a record of isoscope: {}; what `isoscope run -f ndjson` writes is "
                               "expected",
                               base::printable(path), counts.records, record.error().message)};
    }
    if (!record->event) {
      ++counts.ignored;
    } else if (seen.insert(key_of(*record->event)).second) {
      ++counts.events;
      judge(policies, *record, counts.records, firings);
    }
  }
  if (file.bad()) {
    return Error{ErrorKind::failure,
                 fmt::format("cannot read {}: {}", base::printable(path), base::errno_text(errno))};
  }
  return counts;
}

std::string times(std::uint64_t count) {
  return count == 1 ? "once" : fmt::format("{} times", count);
}

// What a policy did that its `expect` does not say, or did not do that it says. Rules that allow report
// nothing, so that they may fire without being listed.
std::vector<std::string> surprises_of(const Policy& policy, const Firings& firings) {
  std::vector<std::string> surprises;
  for (const Rule& rule : policy.rules) {
    const auto found = firings.find({policy.name, rule.name});
    const std::uint64_t fired = found == firings.end() ? 0 : found->second;
    const auto expected = std::find_if(policy.expect.begin(), policy.expect.end(),
                                       [&](const policy::Expectation& one) { return one.rule == rule.name; });
    const std::string name = fmt::format("{}/{}", policy.name, rule.name);
    if (expected == policy.expect.end()) {
      if (fired > 0 && rule.effect != policy::Effect::allow) {
        surprises.push_back(fmt::format("{} fired {} and is not in expect", name, times(fired)));
      }
    } else if (fired == 0) {
      surprises.push_back(fmt::format("{} is in expect and did not fire", name));
    } else if (expected->count && *expected->count != fired) {
      surprises.push_back(
          fmt::format("{} fired {}, and expect says {}", name, times(fired), times(*expected->count)));
    }
  }
  return surprises;
}

}  // namespace

Result<Ok> policy_test(const config::Config& config) {
  const std::string& file = config.arguments.at(0);
  const auto read = read_policies({file});
  if (!read) {
    return read.error();
  }
  if (read->policies.empty()) {
    return Error{ErrorKind::config, fmt::format("{} has no policy to test", base::printable(file))};
  }
  Firings firings;
  const auto counts = judge_file(read->policies, config.arguments.at(1), firings);
  if (!counts) {
    return counts.error();
  }
  fmt::print("{} events judged; {} records, {} of them of other types\n", counts->events, counts->records,
             counts->ignored);
  std::string surprises;
  for (const Policy& policy : read->policies) {
    for (const std::string& surprise : surprises_of(policy, firings)) {
      surprises += "\n" + surprise;
    }
  }
  return surprises.empty() ? Result<Ok>(Ok{})
                           : Result<Ok>(Error{ErrorKind::violated, "the test failed:" + surprises});
}

}  // namespace isoscope::agent
