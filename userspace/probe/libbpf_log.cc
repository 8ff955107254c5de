// SPDX-License-Identifier: Apache-2.0
#include "probe/libbpf_log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <utility>

#include "base/log.h"

namespace isoscope::probe {

namespace {

// libbpf's logger is one per process, and so is what it warned of.
std::string& first_warning() {
  static std::string warning;
  return warning;
}

// The verifier's answers are as long as they like.
[[gnu::format(printf, 1, 0)]] std::string format_message(const char* format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, arguments);
  std::string message(length > 0 ? static_cast<std::size_t>(length) : 0, '\0');
  std::vsnprintf(message.data(), message.size() + 1, format, again);
  va_end(again);
  while (!message.empty() && message.back() == '\n') {
    message.pop_back();
  }
  return message;
}

[[gnu::format(printf, 2, 0)]] int on_message(libbpf_print_level level, const char* format,
                                             va_list arguments) {
  if (level == LIBBPF_DEBUG && !base::log::enabled(base::log::Level::debug)) {
    return 0;
  }
  std::string message = format_message(format, arguments);
  base::log::debug("{}", message);
  if (level == LIBBPF_WARN && first_warning().empty()) {
    first_warning() = std::move(message);
  }
  return 0;
}

}  // namespace

void bridge_libbpf_log() {
  libbpf_set_print(on_message);
}

std::string take_libbpf_warning() {
  return std::exchange(first_warning(), {});
}

}  // namespace isoscope::probe
