// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <ostream>
#include <sstream>
#include <system_error>
#include <thread>

namespace isoscope::live {

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string proc(std::uint32_t pid, const std::string& file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

// A line `Name:\tvalue` of /proc/PID/status.
std::uint64_t status_line(std::uint32_t pid, const std::string& name, int base) {
  std::ifstream file(proc(pid, "status"));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) {
      return std::stoull(line.substr(name.size() + 1), nullptr, base);
    }
  }
  return 0;
}

}  // namespace

bool eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

Gate::Gate() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    fail("pipe2");
  }
  read_.reset(ends[0]);
  write_.reset(ends[1]);
}

void Gate::open() const {
  const char byte = 0;
  if (::write(write_.get(), &byte, 1) != 1) {
    fail("write to a pipe");
  }
}

void Gate::wait() const {
  // In naps: each is a context switch. A kernel may not tell of every switch (the 6.18 one this was first run
  // on leaves out about three a second), and then the state check has to find its change at the next.
  constexpr int nap_ms = 10;
  pollfd wanted{read_.get(), POLLIN, 0};
  while (::poll(&wanted, 1, nap_ms) == 0) {
  }
  char byte = 0;
  while (::read(read_.get(), &byte, 1) < 0 && errno == EINTR) {
  }
}

bool Gate::await() const {
  pollfd wanted{read_.get(), POLLIN, 0};
  const int milliseconds = std::chrono::milliseconds(patience).count();
  if (::poll(&wanted, 1, milliseconds) != 1) {
    return false;
  }
  wait();
  return true;
}

Child::Child(const How& how, const std::function<int()>& body) {
  if (how.flags == 0 && how.cgroup < 0 && how.pid == 0) {
    pid_ = ::fork();
  } else {
    clone_args arguments{};
    arguments.flags = how.flags;
    arguments.exit_signal = SIGCHLD;
    if (how.cgroup >= 0) {
      arguments.flags |= CLONE_INTO_CGROUP;
      arguments.cgroup = static_cast<__u64>(how.cgroup);
    }
    if (how.pid != 0) {
      arguments.set_tid = reinterpret_cast<__u64>(&how.pid);
      arguments.set_tid_size = 1;
    }
    pid_ = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
  }
  if (pid_ < 0) {
    fail("clone3");
  }
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    int status = 125;
    try {
      status = body();
    } catch (...) {
    }
    ::_exit(status);
  }
}

Child::~Child() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Child::kill() const {
  ::kill(pid_, SIGKILL);
}

int Child::await_end() const {
  siginfo_t info{};
  const auto ended = [&] {
    return ::waitid(P_PID, pid(), &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == pid_;
  };
  if (!eventually(ended)) {
    return -1;
  }
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

std::ostream& operator<<(std::ostream& out, const SwitchCounts& counts) {
  return out << counts.voluntary << " voluntary, " << counts.involuntary << " involuntary";
}

SwitchCounts switches_of(std::uint32_t pid) {
  return {status_line(pid, "voluntary_ctxt_switches", 10),
          status_line(pid, "nonvoluntary_ctxt_switches", 10)};
}

std::uint64_t effective_capabilities_of(std::uint32_t pid) {
  return status_line(pid, "CapEff", 16);
}

std::uint64_t start_ticks_of(std::uint32_t pid) {
  std::ifstream file(proc(pid, "stat"));
  std::string line;
  std::getline(file, line);
  // Field 22; the second is a name in parentheses that may hold anything.
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  std::string field;
  for (int number = 3; number <= 22; ++number) {
    rest >> field;
  }
  return std::stoull(field);
}

event::NamespaceSet namespaces_of(std::uint32_t pid) {
  constexpr std::array files{"mnt", "uts", "ipc", "net", "pid_for_children", "cgroup", "time_for_children",
                             "user"};
  event::NamespaceSet set;
  for (std::size_t i = 0; i < files.size(); ++i) {
    struct stat info {};
    if (::stat(proc(pid, std::string("ns/") + files.at(i)).c_str(), &info) == 0) {
      set.inum.at(i) = static_cast<std::uint32_t>(info.st_ino);
    }
  }
  return set;
}

std::size_t first_cpu() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof(set), &set);
  std::size_t cpu = 0;
  while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &set)) {
    ++cpu;
  }
  return cpu;
}

void run_on(std::size_t cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof(set), &set);
}

}  // namespace isoscope::live
