// SPDX-License-Identifier: Apache-2.0
// Any bytes as a file of policies: they are refused with errors that can be shown, or they are policies that
// can be explained and asked.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "base/text.h"
#include "policy/engine.h"
#include "policy/explain.h"
#include "policy/message.h"
#include "policy/parse.h"

namespace {

using namespace isoscope::policy;

void require(bool condition, const std::string& what) {
  if (!condition) {
    std::cerr << "violated: " << what << '\n';
    std::abort();
  }
}

void check_error(const isoscope::base::Error& error) {
  require(error.message.starts_with("f:"), "an error begins with its place: " + error.message);
  require(error.message == isoscope::base::printable(error.message),
          "an error can be shown: " + error.message);
  require(error.kind == isoscope::base::ErrorKind::config, "an error is one of configuration");
}

Crossing escape() {
  Crossing crossing;
  crossing.from = {isoscope::identity::UnitKind::container, "c0ffee", "shop/web"};
  crossing.direction = Direction::escape;
  crossing.mechanism = isoscope::event::Mechanism::setns;
  crossing.process.exe = "/usr/bin/nsenter";
  crossing.process.comm = "nsenter";
  NamespaceMove move;
  move.direction = Direction::escape;
  crossing.moves = {move};
  return crossing;
}

void ask(std::vector<Policy> policies) {
  for (const Policy& policy : policies) {
    require(!policy.name.empty() && !policy.rules.empty(), "a policy has a name and rules");
    require(!explain(policy).empty(), "a policy can be explained");
    for (const Rule& rule : policy.rules) {
      require(!rule.name.empty(), "a rule has a name");
      require(static_cast<bool>(check_template(rule.message)), "a message is a template");
    }
  }
  const PolicySet set(std::move(policies));
  for (const Violation& violation : judge(escape(), set)) {
    require(violation.effect != Effect::allow, "what is allowed is not made known");
  }
  Facts access;
  access.event = EventKind::access;
  access.action = "ptrace";
  for (const Ruling& ruling : set.judge(access)) {
    expand(ruling.rule->message, access);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Parsed parsed = parse("f", text);
  for (const isoscope::base::Error& error : parsed.errors) {
    check_error(error);
  }
  if (parsed.errors.empty()) {
    ask(std::move(parsed.policies));
  }
  return 0;
}
