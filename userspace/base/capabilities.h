// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/result.h"

namespace isoscope::base {

// Takes from the calling thread all capabilities but these (CAP_* of linux/capability.h), for ever: those of
// `effective` it may use, those of `permitted` alone it may still ask for. What it did not have it does not
// get. The kernel keeps capabilities per thread: other threads keep theirs.
Result<Ok> keep_capabilities(const std::vector<unsigned>& effective,
                             const std::vector<unsigned>& permitted = {});

// Whether this thread may use it now.
bool has_capability(unsigned one);

}  // namespace isoscope::base
