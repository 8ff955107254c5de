// SPDX-License-Identifier: Apache-2.0
#include "policy/violation.h"

namespace isoscope::policy {

const char* to_string(Direction direction) {
  switch (direction) {
    case Direction::escape:
      return "escape";
    case Direction::lateral:
      return "lateral";
    case Direction::enter:
      return "enter";
    case Direction::nest:
      return "nest";
    case Direction::own:
      return "own";
    case Direction::leave_cgroup:
      return "leave_cgroup";
    case Direction::host:
      return "host";
  }
  return "?";
}

const char* to_string(Enforcement::By by) {
  switch (by) {
    case Enforcement::By::agent:
      return "agent";
    case Enforcement::By::kernel:
      return "kernel";
  }
  return "?";
}

const char* to_string(Severity severity) {
  switch (severity) {
    case Severity::low:
      return "low";
    case Severity::medium:
      return "medium";
    case Severity::high:
      return "high";
    case Severity::critical:
      return "critical";
  }
  return "?";
}

const char* to_string(Effect effect) {
  switch (effect) {
    case Effect::allow:
      return "allow";
    case Effect::audit:
      return "audit";
    case Effect::deny:
      return "deny";
  }
  return "?";
}

}  // namespace isoscope::policy
