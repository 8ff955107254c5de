// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/violation.h"

namespace isoscope::sink {

// One line of NDJSON `isoscope.v1` read back.
struct ReadRecord {
  std::string type;
  std::string time;  // RFC 3339, as written
  std::string id;    // of violations and audits, else empty
  // Of the types `crossing`, `access`, `attempt`, `breach`, `violation` and `audit`.
  std::optional<policy::Event> event;
};

// Error: what makes the line no record, or its event none. Members that are not needed may be missing, as
// they are in records of older versions; those that rules are about may not. The text is not trusted.
base::Result<ReadRecord> read_record(std::string_view line);

}  // namespace isoscope::sink
