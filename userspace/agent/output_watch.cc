// SPDX-License-Identifier: Apache-2.0
#include "agent/output_watch.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace isoscope::agent {

namespace {

// EAGAIN is how a write to a pipe that is full ends.
std::string reason(int error) {
  return error == EAGAIN ? "its reader takes nothing any more" : std::generic_category().message(error);
}

}  // namespace

std::optional<OutputWatch::News> OutputWatch::look(const sink::OutputFile& output) {
  const std::uint64_t before = std::exchange(lost_, output.write_errors());
  const bool lost_more = lost_ != before;
  if (lost_more && !losing_) {
    losing_ = true;
    lost_before_ = before;
    // Nothing to name if it works again by now.
    const std::string why = output.last_error() == 0 ? "for a while" : reason(output.last_error());
    return News{true, fmt::format("cannot write to {}: {}; what it does not take is lost and counted in the "
                                  "ledger as write_errors, and tracing goes on",
                                  output.path(), why)};
  }
  if (losing_ && !lost_more && output.last_error() == 0) {
    losing_ = false;
    return News{false, fmt::format("{} takes records again; {} lines were lost", output.path(),
                                   lost_ - lost_before_)};
  }
  return std::nullopt;
}

}  // namespace isoscope::agent
