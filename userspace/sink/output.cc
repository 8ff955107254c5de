// SPDX-License-Identifier: Apache-2.0
#include "sink/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/text.h"
#include "sink/whole_file.h"

namespace isoscope::sink {

namespace {

using base::Error;
using base::Ok;
using base::Result;
using base::UniqueFd;

// The agent has one thread and takes its signals from a descriptor: a write that blocks on a reader who has
// stopped could not even be interrupted, and the rings would overflow. A second is more than a live reader
// needs; from then on lines are dropped (and counted) at once until it reads again.
constexpr int longest_wait_ms = 1000;

Error cannot_write(const std::string& path, int error_number) {
  const std::string name = path == "-" ? "standard output" : base::printable(path);
  return {base::ErrorKind::failure, fmt::format("cannot write {}: {}", name, base::errno_text(error_number))};
}

// The descriptor that a path stands for; -1: it is a file. /dev/stderr as a file could not be opened where it
// is a socket, as below systemd, and would begin anew at the start of a file that others write to.
int standard_descriptor(const std::string& path) {
  return path == "-" ? STDOUT_FILENO : path == "/dev/stderr" ? STDERR_FILENO : -1;
}

Result<UniqueFd> open_path(const std::string& path) {
  if (const int standard = standard_descriptor(path); standard >= 0) {
    UniqueFd fd(::fcntl(standard, F_DUPFD_CLOEXEC, 0));
    if (!fd) {
      return cannot_write(path, errno);
    }
    if ((::fcntl(fd.get(), F_GETFL) & O_ACCMODE) == O_RDONLY) {
      return cannot_write(path, EBADF);
    }
    return fd;
  }
  // O_NONBLOCK: opening a FIFO without a reader must fail, not wait.
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640));
  if (!fd) {
    return cannot_write(path, errno);
  }
  return fd;
}

}  // namespace

OutputFile::OutputFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {
  struct stat status {};
  is_regular_ = ::fstat(fd_.get(), &status) == 0 && S_ISREG(status.st_mode);
  is_terminal_ = ::isatty(fd_.get()) == 1;
}

Result<OutputFile> OutputFile::create(const std::string& path) {
  Result<UniqueFd> fd = open_path(path);
  if (!fd) {
    return std::move(fd.error());
  }
  return OutputFile(path, std::move(*fd));
}

Result<OutputFile> OutputFile::create_replaced(const std::string& path) {
  if (standard_descriptor(path) >= 0) {
    return create(path);
  }
  // To rename over a link would replace the link, and over a device the device: /dev/stdout is both.
  std::error_code unknown;
  const std::filesystem::path target = std::filesystem::canonical(path, unknown);
  const std::string real = unknown ? path : target.string();
  if (!unknown && !std::filesystem::is_regular_file(target, unknown)) {
    return create(path);
  }
  if (const int error = check_replaceable(real); error != 0) {
    return cannot_write(path, error);
  }
  OutputFile file(real, UniqueFd{});
  file.replaces_ = true;
  return file;
}

Result<Ok> OutputFile::reopen() {
  if (replaces_ || standard_descriptor(path_) >= 0) {
    return Ok{};
  }
  Result<UniqueFd> fd = open_path(path_);
  if (!fd) {
    return std::move(fd.error());
  }
  OutputFile fresh(path_, std::move(*fd));
  fresh.write_errors_ = write_errors_;
  *this = std::move(fresh);
  return Ok{};
}

bool OutputFile::wait_writable() {
  pollfd waiting{fd_.get(), POLLOUT, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, stalled_ ? 0 : longest_wait_ms);
  } while (ready < 0 && errno == EINTR);
  stalled_ = ready == 0;
  if (stalled_) {
    errno = EAGAIN;
  }
  return ready > 0;
}

// Takes what was written off the front of `bytes`. False with errno after an error.
bool OutputFile::write_some(std::string_view& bytes) {
  // A pipe that polls as writable takes PIPE_BUF bytes without blocking, and no more are certain.
  const std::size_t size = is_regular_ ? bytes.size() : std::min<std::size_t>(bytes.size(), PIPE_BUF);
  while (is_regular_ || wait_writable()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), size);
    if (written > 0) {
      torn_ = bytes[static_cast<std::size_t>(written) - 1] != '\n';
      bytes.remove_prefix(static_cast<std::size_t>(written));
      return true;
    }
    if (written < 0 && errno != EINTR && errno != EAGAIN) {
      return false;
    }
  }
  return false;
}

void OutputFile::replace(std::string_view text) {
  last_error_ = replace_file(path_, text);
  if (last_error_ != 0) {
    write_errors_ += static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
  }
}

void OutputFile::write(std::string_view lines) {
  if (closed_ || lines.empty()) {
    return;
  }
  if (replaces_) {
    replace(lines);
    return;
  }
  std::string_view rest = lines;
  std::string_view line_end = "\n";
  bool good = !torn_ || write_some(line_end);
  while (good && !rest.empty()) {
    good = write_some(rest);
  }
  if (good) {
    last_error_ = 0;
    return;
  }
  if (errno == EPIPE) {
    closed_ = true;
    return;
  }
  last_error_ = errno;
  write_errors_ += static_cast<std::uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
}

}  // namespace isoscope::sink
