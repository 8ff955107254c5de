// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sink/output.h"

namespace isoscope::agent {

// Notices when an output begins to lose lines, and when it takes them again: once each, however long it
// lasts.
class OutputWatch {
 public:
  struct News {
    bool bad = false;
    std::string words;
  };

  // What there is to say since the last look, which is a window ago.
  std::optional<News> look(const sink::OutputFile& output);

 private:
  bool losing_ = false;
  std::uint64_t lost_ = 0;         // in all, at the last look
  std::uint64_t lost_before_ = 0;  // in all, when the trouble began
};

}  // namespace isoscope::agent
