// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "aggregate/recheck.h"
#include "probe/probe.h"

namespace isoscope::agent {

// Walks over all tasks if security records were dropped, a few times at most: what finds no room or is about
// to run is for the next call. `drain` takes what is in the security ring.
void recheck(probe::Probe& probe, aggregate::RecheckBook& book, const std::function<void()>& drain);

}  // namespace isoscope::agent
