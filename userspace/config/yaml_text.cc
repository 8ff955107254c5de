// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "config/options.h"

namespace isoscope::config {

namespace {

// In double quotes, whatever it is: without them `on` would be a boolean to some, `*.service` an alias to
// all.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string duration_text(std::chrono::nanoseconds time) {
  constexpr std::pair<std::int64_t, std::string_view> units[] = {{3'600'000'000'000, "h"},
                                                                 {60'000'000'000, "m"},
                                                                 {1'000'000'000, "s"},
                                                                 {1'000'000, "ms"},
                                                                 {1'000, "us"}};
  for (const auto& [ns, unit] : units) {
    if (time.count() % ns == 0) {
      return fmt::format("{}{}", time.count() / ns, unit);
    }
  }
  return fmt::format("{}ns", time.count());
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::pair<unsigned, std::string_view> units[] = {{30, "GiB"}, {20, "MiB"}, {10, "KiB"}};
  for (const auto& [power, unit] : units) {
    if (bytes % (std::uint64_t{1} << power) == 0) {
      return fmt::format("{}{}", bytes >> power, unit);
    }
  }
  return fmt::format("{}", bytes);
}

// Per cent in the fewest digits that are read as this very share again. Dividing by 100 rounds, so it may be
// a neighbour of the product.
std::string share_text(double share) {
  const double product = share * 100;
  double percent = product;
  for (const double near : {std::nextafter(product, 0.0), product, std::nextafter(product, 200.0)}) {
    percent = near / 100 == share ? near : percent;
  }
  percent = product / 100 == share ? product : percent;
  std::array<char, 400> digits{};
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), percent, std::chars_format::fixed);
  return error == std::errc{} ? std::string(digits.data(), end) + "%" : fmt::format("{}%", percent);
}

template <typename T>
std::string_view word_of(T value, const std::vector<std::pair<std::string_view, T>>& words) {
  const auto found =
      std::find_if(words.begin(), words.end(), [&](const auto& word) { return word.second == value; });
  return found == words.end() ? std::string_view() : found->first;
}

class Yaml {
 public:
  template <typename T>
  void value(std::string_view key, const T& text) {
    text_ += fmt::format("{}: {}\n", key, text);
  }
  // No list, no key.
  template <typename T, typename AsText>
  void list(std::string_view key, const std::vector<T>& items, AsText as_text) {
    std::vector<std::string> texts;
    std::transform(items.begin(), items.end(), std::back_inserter(texts), as_text);
    if (!texts.empty()) {
      text_ += fmt::format("{}: [{}]\n", key, fmt::join(texts, ", "));
    }
  }
  void strings(std::string_view key, const std::vector<std::string>& items) {
    list(key, items, [](const std::string& item) { return quoted(item); });
  }
  void line(const std::string& text) { text_ += text + "\n"; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void put_streams(const Streams& streams, Yaml& yaml) {
  std::vector<std::string> words;
  for (const auto& [on, word] : {std::pair{streams.exits, "exits"},
                                 {streams.switches, "switches"},
                                 {streams.cgroups, "cgroups"},
                                 {streams.crossings, "crossings"},
                                 {streams.accesses, "accesses"},
                                 {streams.attempts, "attempts"}}) {
    if (on) {
      words.emplace_back(word);
    }
  }
  yaml.list("events", words, [](const std::string& word) { return word; });
}

void put_filters(const Filters& filters, Yaml& yaml) {
  yaml.strings("vm", filters.vm);
  yaml.strings("container", filters.container);
  yaml.strings("cgroup", filters.cgroup);
  yaml.strings("unit", filters.unit);
  yaml.list("pid", filters.pid, [](std::uint32_t pid) { return fmt::format("{}", pid); });
  yaml.list("vcpu", filters.vcpu, [](const VcpuRange& range) {
    return range.first == range.last ? fmt::format("{}", range.first)
                                     : fmt::format("{}-{}", range.first, range.last);
  });
  yaml.strings("reason", filters.reason);
}

void put_outputs(const std::vector<Output>& outputs, Yaml& yaml) {
  if (outputs.empty()) {
    return;
  }
  yaml.line("outputs:");
  for (const Output& output : outputs) {
    yaml.line("  - path: " + quoted(output.path));
    if (output.format) {
      yaml.line(fmt::format("    format: {}", word_of(*output.format, formats())));
    }
    if (output.rotate.size_bytes != 0) {
      yaml.line(fmt::format("    rotate: {{size: {}, keep: {}}}", size_text(output.rotate.size_bytes),
                            output.rotate.keep));
    }
  }
}

void put_tracing(const Config& config, Yaml& yaml) {
  yaml.value("interval", duration_text(config.interval));
  if (config.duration.count() != 0) {
    yaml.value("duration", duration_text(config.duration));
  }
  put_streams(config.streams, yaml);
  if (config.slow_exit.count() != 0) {
    yaml.value("slow-exit", duration_text(config.slow_exit));
  }
  if (config.data_ring_bytes != 0) {
    yaml.value("data-ring", size_text(config.data_ring_bytes));
  }
  yaml.value("exit-histograms", config.exit_histograms);
  yaml.value("accounts", config.accounts);
  yaml.strings("label", config.labels);
  yaml.line(fmt::format("bottleneck: {{cpu: {}, memory: {}, io: {}}}", share_text(config.bottleneck.cpu),
                        share_text(config.bottleneck.memory), share_text(config.bottleneck.io)));
  yaml.strings("policy", config.policies);
  if (config.fail_on != FailOn::never) {
    yaml.value("fail-on", word_of(config.fail_on, severities()));
  }
}

}  // namespace

std::string yaml_text(const Config& config) {
  Yaml yaml;
  put_tracing(config, yaml);
  put_filters(config.filters, yaml);
  yaml.value("top", config.top);
  yaml.value("sort", word_of(config.sort, sort_keys()));
  yaml.value("color", word_of(config.color, color_modes()));
  if (config.verbosity < 0) {
    yaml.value("quiet", "true");
  } else if (config.verbosity > 0) {
    yaml.value("verbose", std::min(config.verbosity, 2));  // two and more are the same
  }
  yaml.value("series", config.series);
  if (!config.listen.empty()) {
    yaml.value("listen", quoted(config.listen));
  }
  put_outputs(config.outputs, yaml);
  return yaml.take();
}

}  // namespace isoscope::config
