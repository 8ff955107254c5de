// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/facts.h"

namespace isoscope::policy {

// `message` of a rule is a text with fields of the event in braces, `{process.exe} left {unit}`, and `{{` and
// `}}` for braces. The error stands behind the text: `has {proces.exe}, which is not one of ...`.
base::Result<base::Ok> check_template(std::string_view text);

// The template, checked before, with the event's values; what is not known becomes `unknown`.
std::string expand(std::string_view text, const Facts& facts);

// What is said where a rule has no message: `nsenter left container web for host (mnt, net) by setns`.
std::string standard_message(const Facts& facts);

}  // namespace isoscope::policy
