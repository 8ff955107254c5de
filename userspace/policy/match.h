// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "policy/facts.h"
#include "policy/policy.h"

namespace isoscope::policy {

// An event may be of several namespaces or resources at once. What stops it needs to name one of them; what
// lets it through must name them all, or an allowed `net` would take a `mnt` along.
enum class Reach { one, all };

bool matches(const Match& match, const Facts& facts, Reach reach);

// Whether the rule is about the event: `on` matches, and no `except` does.
bool applies(const Rule& rule, const Facts& facts);

// fnmatch(3); `*` matches `/` as well.
bool glob_matches(const std::string& glob, const std::string& text);

}  // namespace isoscope::policy
