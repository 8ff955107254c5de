// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace isoscope::probe {

// Sends libbpf's messages to our own log, at debug level: what they mean for the user is said by the Result
// of the call that failed.
void bridge_libbpf_log();

// The first warning that libbpf gave since the last call, which is the one that names the program and the
// cause, to be quoted in an error; empty if there was none.
std::string take_libbpf_warning();

}  // namespace isoscope::probe
