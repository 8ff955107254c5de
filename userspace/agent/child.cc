// SPDX-License-Identifier: Apache-2.0
#include "agent/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace isoscope::agent {

namespace {

using base::Error;
using base::ErrorKind;
using base::Result;
using base::UniqueFd;

constexpr int not_found = 127;
constexpr int not_executable = 126;
constexpr int killed = 128;

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

std::optional<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return std::nullopt;
  }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Error cannot_start(const char* what, int error) {
  return {ErrorKind::failure,
          fmt::format("cannot start the command ({}): {}", what, base::errno_text(error))};
}

template <typename T>
bool read_whole(int fd, T& value) {
  ssize_t got = 0;
  do {
    got = ::read(fd, &value, sizeof(value));
  } while (got < 0 && errno == EINTR);
  return got == sizeof(value);
}

// In the child. Its parent may be gone by the time it would be let go: then the pipe ends without a byte.
[[noreturn]] void wait_and_execute(const std::vector<std::string>& words, Pipe start, const Pipe& error) {
  start.writer.reset();
  char go = 0;
  if (!read_whole(start.reader.get(), go)) {
    ::_exit(0);
  }
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));  // execvp does not write to them
  }
  arguments.push_back(nullptr);
  ::execvp(arguments.front(), arguments.data());
  const int number = errno;
  [[maybe_unused]] const ssize_t written = ::write(error.writer.get(), &number, sizeof(number));
  ::_exit(number == ENOENT ? not_found : not_executable);
}

}  // namespace

Result<Child> Child::create(const std::vector<std::string>& words,
                            const std::optional<kernel::CgroupHierarchy>& hierarchy) {
  auto start = make_pipe();
  auto error = make_pipe();
  if (!start || !error) {
    return cannot_start("pipe2", errno);
  }
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    return cannot_start("prctl", errno);
  }
  const pid_t pid = ::fork();
  if (pid < 0) {
    return cannot_start("fork", errno);
  }
  if (pid == 0) {
    wait_and_execute(words, *std::move(start), *error);
  }
  Child child(words.front(), pid, std::move(start->writer), std::move(error->reader));
  auto cgroup = ChildCgroup::create(hierarchy, child.pid());
  if (cgroup) {
    child.cgroup_ = std::move(*cgroup);
  } else {
    base::log::warning(
        "{}; what the command started is known by its parents alone, and a violation by who was gone "
        "before that was read counts as the command's",
        cgroup.error().message);
  }
  return child;
}

Child::Child(Child&& other) noexcept
    : program_(std::move(other.program_)),
      pid_(std::exchange(other.pid_, -1)),
      start_(std::move(other.start_)),
      error_(std::move(other.error_)),
      cgroup_(std::move(other.cgroup_)),
      ended_(other.ended_),
      status_(other.status_),
      failure_(std::move(other.failure_)) {}

Child::~Child() {
  if (pid_ < 0 || ended_) {
    return;
  }
  if (!start_) {
    send(SIGTERM);  // it may take its time; nobody waits for it any more
    return;
  }
  start_.reset();
  ::waitpid(pid_, nullptr, 0);
}

void Child::let_go() {
  const char go = 1;
  // Where the child is gone already, its end is what will be told.
  [[maybe_unused]] const ssize_t written = ::write(start_.get(), &go, sizeof(go));
  start_.reset();
}

bool Child::reap() {
  int wait_status = 0;
  for (pid_t ended = 0; (ended = ::waitpid(-1, &wait_status, WNOHANG)) > 0;) {
    if (ended == pid_) {
      take_end(wait_status);
    }
  }
  return ended_;
}

void Child::take_end(int wait_status) {
  ended_ = true;
  status_ = WIFSIGNALED(wait_status) ? killed + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
  int number = 0;
  if (read_whole(error_.get(), number)) {
    failure_ = fmt::format("cannot run {}: {}", base::printable(program_), base::errno_text(number));
  }
}

void Child::send(int signal) const {
  if (!ended_) {  // until it is reaped, its id is nobody else's
    ::kill(pid_, signal);
  }
}

}  // namespace isoscope::agent
