// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace isoscope::sink {

// A new file in place of what has this name: what is there is removed, and a link that somebody puts there
// meanwhile is not followed. Empty with errno after an error.
base::UniqueFd create_anew(const std::string& path, mode_t mode);

// 0, or errno. Waits for a disk, so not for pipes.
int write_all(int fd, std::string_view bytes);

}  // namespace isoscope::sink
