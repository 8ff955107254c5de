// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/config.h"
#include "sink/compressed_copy.h"

namespace isoscope::sink {

// What became of a file that had grown large enough: NAME.1.zst is the newest, NAME.2.zst the one before, up
// to `keep`. NAME.1 is one that is not compressed yet; if that failed, it stays and moves on as it is.
class Rotation {
 public:
  // One that an earlier run left uncompressed is taken up.
  Rotation(std::string path, const config::Rotation& settings);

  std::uint64_t size_bytes() const { return size_bytes_; }

  // Moves the file to NAME.1, and those before it on by one; the last is removed. 0, or errno if the file is
  // where it was.
  int move_aside();
  // Moves it back: no new file could be opened.
  void move_back();
  // Begins with NAME.1, when its writer has gone over to a new file.
  void compress_newest();
  // Compresses another piece, if there is something to compress.
  void step();

 private:
  std::string name(std::uint32_t number, bool packed) const;
  void finish();

  std::string path_;
  std::uint64_t size_bytes_;
  std::uint32_t keep_;
  std::optional<CompressedCopy> copy_;
};

}  // namespace isoscope::sink
