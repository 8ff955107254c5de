// SPDX-License-Identifier: Apache-2.0
#include "agent/enforce.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/result.h"
#include "base/unique_fd.h"
#include "identity/process.h"

namespace isoscope::agent {

policy::Enforcement kill_process(const policy::Process& process) {
  if (process.pid <= 1 || process.pid == static_cast<std::uint32_t>(::getpid())) {
    return {false, "this process is never killed"};
  }
  if (process.start_boot_ns == 0) {
    return {false, "the event does not tell when the process started, so that its id could be another's"};
  }
  // First the descriptor, then the look whether it is the right process: its id may be taken by another in
  // between, but what the descriptor stands for cannot change.
  const base::UniqueFd process_fd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!process_fd) {
    return {false, errno == ESRCH ? "it was gone already" : base::errno_text(errno)};
  }
  if (identity::read_exe(process.pid, process.tid, process.start_boot_ns).empty()) {
    return {false, "it was gone already"};
  }
  if (::syscall(SYS_pidfd_send_signal, process_fd.get(), SIGKILL, nullptr, 0) != 0) {
    return {false, errno == ESRCH ? "it was gone already" : base::errno_text(errno)};
  }
  return {true, ""};
}

}  // namespace isoscope::agent
