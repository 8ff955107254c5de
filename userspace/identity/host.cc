// SPDX-License-Identifier: Apache-2.0
#include "identity/host.h"

#include <sys/utsname.h>

#include "identity/process.h"

namespace isoscope::identity {

namespace {

std::string first_line(const std::string& path) {
  const auto text = read_small_file(path);
  return text ? text->substr(0, text->find('\n')) : "";
}

}  // namespace

Host read_host() {
  utsname names{};
  ::uname(&names);
  return Host{names.nodename, first_line("/etc/machine-id"), first_line("/proc/sys/kernel/random/boot_id")};
}

}  // namespace isoscope::identity
