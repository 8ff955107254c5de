// SPDX-License-Identifier: Apache-2.0
#include "sink/file_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace isoscope::sink {

base::UniqueFd create_anew(const std::string& path, mode_t mode) {
  ::unlink(path.c_str());
  return base::UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
}

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) {
      return errno;
    }
    bytes.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace isoscope::sink
