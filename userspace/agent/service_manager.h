// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>

namespace isoscope::agent {

// What systemd is told by a service of Type=notify (sd_notify(3)). Started by anybody else, all of it does
// nothing: NOTIFY_SOCKET and WATCHDOG_USEC say so.

// Everything is attached: what happens from now on is seen.
void notify_ready();
// SIGHUP is being carried out; notify_ready() ends it.
void notify_reloading();
void notify_stopping();

// How often the watchdog has to hear from us: half of what the unit allows (sd_watchdog_enabled(3)). Nothing,
// where it does not watch.
std::optional<std::chrono::nanoseconds> watchdog_period();
// To be called from the event loop, so that one which hangs is noticed.
void feed_watchdog();

}  // namespace isoscope::agent
