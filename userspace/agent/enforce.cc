// SPDX-License-Identifier: Apache-2.0
#include "agent/enforce.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <variant>

#include "base/result.h"
#include "base/unique_fd.h"
#include "identity/process.h"

namespace isoscope::agent {

namespace {

// Seen anywhere else, the program may have run since.
bool is_seen_in_its_system_call(const policy::Event& event) {
  if (const auto* const crossing = std::get_if<policy::Crossing>(&event)) {
    return crossing->seen_at == event::SeenAt::commit;
  }
  const auto* const breach = std::get_if<policy::Breach>(&event);
  return breach != nullptr && breach->seen_at == event::SeenAt::commit;
}

}  // namespace

policy::Enforcement enforce(const policy::Event& event) {
  const policy::Incident& incident =
      std::visit([](const auto& one) -> const policy::Incident& { return one; }, event);
  if (incident.answer == event::Answer::killed) {
    policy::Enforcement done{.sent = true, .by = policy::Enforcement::By::kernel};
    done.ran_on = !is_seen_in_its_system_call(event);
    return done;
  }
  policy::Enforcement done = kill_process(incident.process);
  done.kernel_refused = incident.answer == event::Answer::refused;
  return done;
}

policy::Enforcement kill_process(const policy::Process& process) {
  if (process.pid <= 1 || process.pid == static_cast<std::uint32_t>(::getpid())) {
    return {.why_not = "this process is never killed"};
  }
  if (process.start_boot_ns == 0) {
    return {.why_not = "the event does not tell when the process started, so that its id could be another's"};
  }
  // First the descriptor, then the look whether it is the right process: its id may be taken by another in
  // between, but what the descriptor stands for cannot change.
  const base::UniqueFd process_fd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!process_fd) {
    return {.why_not = errno == ESRCH ? "it was gone already" : base::errno_text(errno)};
  }
  if (identity::read_exe(process.pid, process.tid, process.start_boot_ns).empty()) {
    return {.why_not = "it was gone already"};
  }
  if (::syscall(SYS_pidfd_send_signal, process_fd.get(), SIGKILL, nullptr, 0) != 0) {
    return {.why_not = errno == ESRCH ? "it was gone already" : base::errno_text(errno)};
  }
  return {.sent = true};
}

}  // namespace isoscope::agent
