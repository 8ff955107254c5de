// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "config/config.h"
#include "event/record.h"
#include "identity/unit.h"

namespace isoscope::agent {

// Decides which reports the user asked for. A filter that a report says nothing about (a VM's name, for a
// container's switches) lets it not through: who asks for one VM wants to read of that VM alone.
class Filter {
 public:
  explicit Filter(config::Filters filters) : filters_(std::move(filters)) {}

  // The exits that a report is about: one, or all of a vCPU and reason.
  struct Exits {
    std::uint32_t vcpu_id = 0;
    event::Isa isa = event::Isa::unknown;
    std::uint32_t reason = 0;
    bool other = false;  // those that found no place of their own
  };

  // What a report is about. Null or 0: it has none.
  struct Subject {
    const identity::UnitRef* unit = nullptr;
    const identity::Vm* vm = nullptr;
    const std::string* cgroup_path = nullptr;
    std::uint32_t pid = 0;
    const Exits* exits = nullptr;
  };
  bool passes(const Subject& subject) const;
  bool empty() const;

 private:
  config::Filters filters_;
};

}  // namespace isoscope::agent
