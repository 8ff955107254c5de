// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

struct ZSTD_CCtx_s;

namespace isoscope::sink {

// Compresses a file with zstd, piece by piece: the thread that does it drains the rings as well, and 100 MiB
// at once would keep it from them for half a second.
class CompressedCopy {
 public:
  // Reads `source`, which nobody may write to any more, and makes `target` when all is done; until then it is
  // TARGET.tmp. Its mode is that of the source.
  static base::Result<CompressedCopy> create(const std::string& source, const std::string& target);

  CompressedCopy(CompressedCopy&&) = default;
  CompressedCopy& operator=(CompressedCopy&&) = delete;
  ~CompressedCopy();

  // One piece. True when the target is there and the source removed, if it still has its name: another writer
  // may have moved it. After an error nothing is left of the target.
  base::Result<bool> step();

 private:
  struct FreeContext {
    void operator()(ZSTD_CCtx_s* context) const;
  };

  CompressedCopy(std::string source, std::string target);
  base::Error failed(const std::string& why) const;
  void remove_source() const;

  std::string source_;
  std::string target_;
  base::UniqueFd in_;
  base::UniqueFd out_;
  std::unique_ptr<ZSTD_CCtx_s, FreeContext> context_;
  std::vector<char> raw_;
  std::vector<char> packed_;
};

}  // namespace isoscope::sink
