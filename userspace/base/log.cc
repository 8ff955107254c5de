// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "base/text.h"

namespace isoscope::base::log {

namespace {

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::trace;
    case Level::verbose:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      break;
  }
  return spdlog::level::err;
}

Level least_level(int verbosity) {
  if (verbosity < 0) {
    return Level::error;
  }
  return verbosity == 0 ? Level::info : verbosity == 1 ? Level::verbose : Level::debug;
}

// Names only what needs a name: an ordinary message reads better without `info`.
class LevelWord final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string_view word = message.level == spdlog::level::err    ? "error: "
                                  : message.level == spdlog::level::warn ? "warning: "
                                                                         : "";
    out.append(word.data(), word.data() + word.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<LevelWord>(); }
};

bool wants_color(const Settings& settings) {
  if (settings.color) {
    return *settings.color;
  }
  const char* no_color = std::getenv("NO_COLOR");
  return (no_color == nullptr || *no_color == '\0') && ::isatty(STDERR_FILENO) == 1;
}

std::shared_ptr<spdlog::logger> make_logger(const Settings& settings) {
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>();
  sink->set_color_mode(wants_color(settings) ? spdlog::color_mode::always : spdlog::color_mode::never);
  sink->set_color(spdlog::level::warn, sink->yellow_bold);
  sink->set_color(spdlog::level::err, sink->red_bold);

  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<LevelWord>('*').set_pattern(settings.verbosity >= 2 ? "%H:%M:%S.%e isoscope: %^%*%$%v"
                                                                          : "isoscope: %^%*%$%v");
  auto logger = std::make_shared<spdlog::logger>("isoscope", std::move(sink));
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog_level(least_level(settings.verbosity)));
  logger->flush_on(spdlog::level::trace);
  // spdlog's own fallback would print about itself on standard error once per second; a standard error that
  // cannot be written leaves nobody to tell.
  logger->set_error_handler([](const std::string&) {});
  return logger;
}

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = make_logger({});
  return instance;
}

}  // namespace

void set_up(const Settings& settings) {
  logger() = make_logger(settings);
}

bool enabled(Level level) {
  return logger()->should_log(spdlog_level(level));
}

void write(Level level, std::string_view text) {
  if (!enabled(level)) {
    return;
  }
  std::string safe;
  while (true) {
    const std::size_t end = text.find('\n');
    safe += printable(text.substr(0, end));
    if (end == std::string_view::npos || end + 1 == text.size()) {
      break;
    }
    safe += "\n          ";  // as wide as `isoscope: `
    text.remove_prefix(end + 1);
  }
  logger()->log(spdlog_level(level), spdlog::string_view_t(safe.data(), safe.size()));
}

}  // namespace isoscope::base::log
