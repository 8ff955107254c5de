// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sink/report.h"
#include "sink/table_style.h"

namespace isoscope::sink {

// One streamed record in one line, without its time and without the end of the line. Names in it are
// harmless.

// `container web`; `host`.
std::string unit_label(const identity::UnitRef& unit);

std::string describe(const VmExitReport& report);
std::string describe(const SwitchReport& report);
std::string describe(const UnitReport& report);
std::string describe(const CgroupReport& report);
std::string describe(const policy::Crossing& crossing);
std::string describe(const policy::Access& access);
std::string describe(const policy::Breach& breach);
// `critical no-escape/escape-to-host: container web -> host by setns: mnt ... pid 123 (nsenter)`
std::string describe(const policy::Violation& violation);
// `systemd(1) > containerd-shim(812) > sh(901)`: who started it, the oldest first. What is not known, or too
// much for a line, is `...`. Empty: nobody is known.
std::string describe(const identity::Ancestry& ancestry);

}  // namespace isoscope::sink
