// SPDX-License-Identifier: Apache-2.0
#include "sink/whole_file.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "sink/file_io.h"

namespace isoscope::sink {

namespace {

constexpr mode_t mode = 0644;

std::string temporary(const std::string& path) {
  return path + ".tmp";
}

}  // namespace

int replace_file(const std::string& path, std::string_view text) {
  const std::string name = temporary(path);
  base::UniqueFd fd = create_anew(name, mode);
  if (!fd) {
    return errno;
  }
  int error = write_all(fd.get(), text);
  if (error == 0 && ::fchmod(fd.get(), mode) != 0) {  // whatever the umask is
    error = errno;
  }
  fd.reset();
  if (error == 0 && ::rename(name.c_str(), path.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) {
    ::unlink(name.c_str());
  }
  return error;
}

int check_replaceable(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return EISDIR;
  }
  const std::string name = temporary(path);
  if (!create_anew(name, mode)) {
    return errno;
  }
  ::unlink(name.c_str());
  return 0;
}

}  // namespace isoscope::sink
