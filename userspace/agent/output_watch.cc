// SPDX-License-Identifier: Apache-2.0
#include "agent/output_watch.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "base/result.h"
#include "base/text.h"

namespace isoscope::agent {

namespace {

// EAGAIN is how a write to a pipe that is full ends; 0 is a write since that was none of these.
std::string reason(int error) {
  switch (error) {
    case 0:
      return "it works again by now";
    case EAGAIN:
      return "its reader takes nothing any more";
    default:
      return base::errno_text(error);
  }
}

}  // namespace

std::optional<OutputWatch::News> OutputWatch::look(const sink::OutputFile& output) {
  const std::uint64_t before = std::exchange(lost_, output.write_errors());
  const bool lost_more = lost_ != before;
  if (lost_more && !losing_) {
    losing_ = true;
    lost_before_ = before;
    return News{true, fmt::format("cannot write to {}: {}; what it does not take is lost and counted in the "
                                  "ledger as write_errors, and tracing goes on",
                                  base::printable(output.path()), reason(output.last_error()))};
  }
  if (losing_ && !lost_more && output.last_error() == 0) {
    losing_ = false;
    return News{false, fmt::format("{} takes records again; {} lines were lost",
                                   base::printable(output.path()), lost_ - lost_before_)};
  }
  return std::nullopt;
}

}  // namespace isoscope::agent
