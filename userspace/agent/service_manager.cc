// SPDX-License-Identifier: Apache-2.0
#include "agent/service_manager.h"

#include <systemd/sd-daemon.h>

#include <cstdint>

#include "base/log.h"
#include "base/result.h"

namespace isoscope::agent {

namespace {

// A message that is lost shows: a start that times out, a watchdog that ends the service.
void tell(const char* what) {
  if (const int sent = ::sd_notify(0, what); sent < 0) {
    base::log::warning("cannot tell systemd {}: {}", what, base::errno_text(-sent));
  }
}

}  // namespace

void notify_ready() {
  tell("READY=1\nSTATUS=tracing");
}

void notify_reloading() {
  tell("RELOADING=1\nSTATUS=reading policies and opening outputs anew");
}

void notify_stopping() {
  tell("STOPPING=1\nSTATUS=writing the last window");
}

std::optional<std::chrono::nanoseconds> watchdog_period() {
  std::uint64_t usec = 0;
  if (::sd_watchdog_enabled(0, &usec) <= 0) {
    return std::nullopt;
  }
  return std::chrono::microseconds(usec / 2);
}

void feed_watchdog() {
  tell("WATCHDOG=1");
}

}  // namespace isoscope::agent
