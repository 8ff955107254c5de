// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

// The agent's own messages, on standard error and nowhere else: standard output is data.
namespace isoscope::base::log {

enum class Level { debug, verbose, info, warning, error };

struct Settings {
  int verbosity = 0;  // -1: errors only; 0: info and warnings; 1: verbose; 2 and more: debug, with times
  std::optional<bool> color;  // empty: if standard error is a terminal and NO_COLOR is not set
};

// May be called again (reload). Before the first call the default settings hold.
void set_up(const Settings& settings);

bool enabled(Level level);

// One message, `isoscope: [warning: |error: ]text`. Control characters in it are made harmless; the lines of
// a longer text are indented, so that a name with a newline in it cannot forge a message.
void write(Level level, std::string_view text);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) {
    write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
  }
}

template <typename... Args>
void verbose(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::verbose)) {
    write(Level::verbose, fmt::format(format, std::forward<Args>(args)...));
  }
}

template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) {
    write(Level::info, fmt::format(format, std::forward<Args>(args)...));
  }
}

template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::warning)) {
    write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
  }
}

template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace isoscope::base::log
