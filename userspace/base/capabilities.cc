// SPDX-License-Identifier: Apache-2.0
#include "base/capabilities.h"

#include <cap-ng.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace isoscope::base {

namespace {

Error cannot(const char* what) {
  return {ErrorKind::failure, fmt::format("cannot {} capabilities: {}", what, errno_text(errno))};
}

// Of `wanted`, those that the thread has.
std::vector<unsigned> held(const std::vector<unsigned>& wanted) {
  std::vector<unsigned> have;
  std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(have),
               [](unsigned one) { return ::capng_have_capability(CAPNG_PERMITTED, one) == 1; });
  return have;
}

}  // namespace

Result<Ok> keep_capabilities(const std::vector<unsigned>& effective, const std::vector<unsigned>& permitted) {
  errno = 0;
  if (::capng_get_caps_process() != 0) {
    return cannot("read");
  }
  const std::vector<unsigned> usable = held(effective);
  const std::vector<unsigned> in_reserve = held(permitted);
  ::capng_clear(CAPNG_SELECT_CAPS);
  for (const unsigned one : usable) {
    ::capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), one);
  }
  for (const unsigned one : in_reserve) {
    ::capng_update(CAPNG_ADD, CAPNG_PERMITTED, one);
  }
  if (::capng_apply(CAPNG_SELECT_CAPS) != 0) {
    return cannot("drop");
  }
  return Ok{};
}

bool has_capability(unsigned one) {
  return ::capng_get_caps_process() == 0 && ::capng_have_capability(CAPNG_EFFECTIVE, one) == 1;
}

}  // namespace isoscope::base
