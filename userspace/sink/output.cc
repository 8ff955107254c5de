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

#include "base/log.h"
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
  look_at_descriptor();
  is_terminal_ = ::isatty(fd_.get()) == 1;
}

void OutputFile::look_at_descriptor() {
  struct stat status {};
  is_regular_ = ::fstat(fd_.get(), &status) == 0 && S_ISREG(status.st_mode);
  size_ = is_regular_ ? static_cast<std::uint64_t>(status.st_size) : 0;
}

Result<OutputFile> OutputFile::create(const std::string& path, const config::Rotation& rotate) {
  Result<UniqueFd> fd = open_path(path);
  if (!fd) {
    return std::move(fd.error());
  }
  OutputFile file(path, std::move(*fd));
  if (rotate.size_bytes != 0 && file.is_regular_ && standard_descriptor(path) < 0) {
    // Where a link leads to: moved aside, the link itself would leave its file where it is, for ever.
    std::error_code unknown;
    const std::filesystem::path target = std::filesystem::canonical(path, unknown);
    file.path_ = unknown ? path : target.string();
    file.rotation_ = std::make_unique<Rotation>(file.path_, rotate);
    file.rotate_at_ = rotate.size_bytes;
  }
  return file;
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

OutputFile OutputFile::create_published(std::string name, std::function<void(std::string_view)> publish) {
  OutputFile file(std::move(name), UniqueFd{});
  file.publish_ = std::move(publish);
  return file;
}

Result<Ok> OutputFile::reopen() {
  if (publish_ || replaces_ || standard_descriptor(path_) >= 0) {
    return Ok{};
  }
  Result<UniqueFd> fd = open_path(path_);
  if (!fd) {
    return std::move(fd.error());
  }
  OutputFile fresh(path_, std::move(*fd));
  fresh.write_errors_ = write_errors_;
  fresh.rotation_ = std::move(rotation_);
  fresh.rotate_at_ = fresh.rotation_ == nullptr ? 0 : fresh.rotation_->size_bytes();
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
      size_ += static_cast<std::uint64_t>(written);
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

bool OutputFile::is_same_file(const OutputFile& other) const {
  const auto status_of = [](const OutputFile& file, struct stat& status) {
    const int failed =
        file.replaces_ ? ::stat(file.path_.c_str(), &status) : ::fstat(file.fd_.get(), &status);
    return failed == 0 && S_ISREG(status.st_mode);
  };
  struct stat ours {};
  struct stat theirs {};
  if (status_of(*this, ours) && status_of(other, theirs)) {
    return ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
  }
  // What is replaced as a whole need not be there yet.
  std::error_code unknown;
  const auto path_of = [&](const OutputFile& file) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(file.path_, unknown), unknown);
  };
  return replaces_ && other.replaces_ && path_of(*this) == path_of(other);
}

bool OutputFile::is_at_path() const {
  struct stat ours {};
  struct stat there {};
  return ::fstat(fd_.get(), &ours) == 0 && ::stat(path_.c_str(), &there) == 0 &&
         ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

// Without a new file the old one goes on, and is asked again when it has grown by as much.
void OutputFile::rotate() {
  std::string_view line_end = "\n";
  if (torn_ && !write_some(line_end)) {
    return;  // a full disk: there is nothing that a new file could take
  }
  const auto postpone = [this](const std::string& why) {
    rotate_at_ = size_ + rotation_->size_bytes();
    base::log::warning("cannot rotate {}: {}; it goes on growing", base::printable(path_), why);
  };
  const bool is_ours = is_at_path();  // else somebody has moved it, and what is there is not for us to move
  if (const int error = is_ours ? rotation_->move_aside() : 0; error != 0) {
    postpone(base::errno_text(error));
    return;
  }
  Result<UniqueFd> fd = open_path(path_);
  if (!fd) {
    if (is_ours) {
      rotation_->move_back();
    }
    postpone(fd.error().message);
    return;
  }
  fd_ = std::move(*fd);
  look_at_descriptor();
  torn_ = false;
  rotate_at_ = rotation_->size_bytes();
  if (is_ours) {
    rotation_->compress_newest();
  }
}

// Of `lines` those that still fit into the file; one at least.
std::string_view OutputFile::fitting(std::string_view lines) {
  if (rotation_ == nullptr) {
    return lines;
  }
  const auto fits = [&] {
    const std::uint64_t room = rotate_at_ > size_ ? rotate_at_ - size_ : 0;
    if (lines.size() <= room) {
      return lines.size();
    }
    const std::size_t end = lines.substr(0, room).rfind('\n');
    return end == std::string_view::npos ? 0 : end + 1;
  };
  if (fits() == 0 && size_ > 0) {
    rotate();
  }
  const std::size_t one = std::min(lines.find('\n'), lines.size() - 1) + 1;
  return lines.substr(0, std::max(fits(), one));
}

bool OutputFile::write_lines(std::string_view& lines) {
  std::string_view line_end = "\n";
  bool good = !torn_ || write_some(line_end);
  while (good && !lines.empty()) {
    good = write_some(lines);
  }
  return good;
}

void OutputFile::tidy() {
  if (rotation_ != nullptr) {
    rotation_->step();
  }
}

void OutputFile::write(std::string_view lines) {
  if (closed_ || lines.empty()) {
    return;
  }
  if (publish_) {
    publish_(lines);
    return;
  }
  if (replaces_) {
    replace(lines);
    return;
  }
  std::string_view rest = lines;
  bool good = true;
  while (good && !rest.empty()) {
    std::string_view part = fitting(rest);
    const std::size_t size = part.size();
    good = write_lines(part);
    rest.remove_prefix(size - part.size());
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
