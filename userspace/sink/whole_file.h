// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace isoscope::sink {

// Makes `text` the content of the file at once: whoever reads it sees the old text or the new one, and never
// a part. It is written to PATH.tmp in the same folder, which must be writable, and renamed; readable for
// all, since who collects it is not root. No fsync: what a crash loses comes again with the next window.
//
// 0, or errno, in which case the old file stays.
int replace_file(const std::string& path, std::string_view text);

// Whether replace_file() could begin: 0, or errno.
int check_replaceable(const std::string& path);

}  // namespace isoscope::sink
