// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "policy/engine.h"
#include "policy/fold.h"
#include "policy/violation.h"

namespace isoscope::agent {

// The policies in force, and what they made known so far.
class Guard {
 public:
  // Error: config, with all that is wrong in the files (see read_policies).
  static base::Result<Guard> create(std::vector<std::string> paths);

  // Judges an event, and kills its process where an enforced policy denies it.
  std::vector<policy::Violation> judge(const policy::Event& event);
  // What of that is to be reported now: repeats are counted (see policy::Fold). Only what counts makes a
  // verdict; it does so at once, reported or not.
  std::vector<policy::Violation> take(std::vector<policy::Violation> violations, bool counts);
  // The counted ones whose window has ended by `now_ns`; at the end of a run, all of them.
  std::vector<policy::Violation> expire(std::uint64_t now_ns) { return fold_.expire(now_ns); }
  std::vector<policy::Violation> flush() { return fold_.flush(); }

  // In one place for as long as this is; reload() changes what is in it.
  const policy::PolicySet& policies() const { return policies_; }

  // Reads the policies anew; those in force stay where something is wrong, and the log says so.
  void reload();

  // Error: violated, if there was a violation that counts of this severity or a higher one.
  base::Result<base::Ok> verdict(config::FailOn fail_on) const;

 private:
  Guard(std::vector<std::string> paths, policy::PolicySet policies)
      : paths_(std::move(paths)), policies_(std::move(policies)) {}

  std::vector<std::string> paths_;
  policy::PolicySet policies_;
  policy::Fold fold_;
  std::optional<policy::Severity> worst_;
};

}  // namespace isoscope::agent
