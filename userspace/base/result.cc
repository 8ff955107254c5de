// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <system_error>

namespace isoscope::base {

std::string errno_text(int error_number) {
  return std::generic_category().message(error_number);
}

}  // namespace isoscope::base
