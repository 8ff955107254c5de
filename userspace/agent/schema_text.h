// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace isoscope::agent {

// The JSON Schemas of packaging/schemas, as the build found them.
std::string_view config_schema_text();
std::string_view policy_schema_text();
std::string_view events_schema_text();

}  // namespace isoscope::agent
