// SPDX-License-Identifier: Apache-2.0
#include "sink/table_resources.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>
#include <vector>

#include "sink/text.h"

namespace isoscope::sink {

namespace {

using aggregate::Bottleneck;
using aggregate::ResourcesRow;

constexpr std::size_t kind_width = 10;
constexpr std::size_t name_width = 21;

std::uint64_t usage_ns(const ResourcesRow& row) {
  return row.cpu ? row.cpu->usage_ns : 0;
}

std::string cpus(const ResourcesRow& row) {
  return row.cpu && row.span_ns > 0 ? fmt::format("{:.2f}", static_cast<double>(row.cpu->usage_ns) /
                                                                static_cast<double>(row.span_ns))
                                    : "-";
}

std::string throttled(const ResourcesRow& row) {
  return row.cpu && row.cpu->throttling
             ? human_duration(static_cast<double>(row.cpu->throttling->throttled_ns))
             : "-";
}

std::string percent(const std::optional<identity::Pressure>& pressure, std::uint64_t span_ns) {
  if (!pressure || span_ns == 0) {
    return "-";
  }
  const double share = static_cast<double>(pressure->some_ns) / static_cast<double>(span_ns);
  return fmt::format("{:.0f}", 100 * std::min(share, 1.0));
}

std::string bytes(const std::optional<std::uint64_t>& value) {
  return value ? human_bytes(*value) : "-";
}

std::string line(const ResourcesRow& row, const TableStyle& style) {
  const auto io = row.io ? std::optional(row.io->read_bytes + row.io->written_bytes) : std::nullopt;
  const auto network =
      row.network ? std::optional(row.network->received_bytes + row.network->sent_bytes) : std::nullopt;
  const bool stuck = row.bottleneck && *row.bottleneck != Bottleneck::none;
  const std::string bottleneck =
      fmt::format(" {:>10}", row.bottleneck ? aggregate::to_string(*row.bottleneck) : "-");
  return fit(identity::to_string(row.unit.kind), kind_width) + style.bold(fit(row.unit.name, name_width)) +
         fmt::format(
             " {:>7} {:>9} {:>11} {:>8} {:>8} {:>8}", cpus(row), throttled(row),
             fmt::format("{}/{}/{}", percent(row.cpu_pressure, row.span_ns),
                         percent(row.memory_pressure, row.span_ns), percent(row.io_pressure, row.span_ns)),
             bytes(row.memory_current), bytes(io), bytes(network)) +
         (stuck ? style.bold(bottleneck) : bottleneck) + "\n";
}

}  // namespace

void append_resources(const aggregate::Snapshot& window, const TableStyle& style, std::string& out) {
  if (window.resources.empty()) {
    out += style.none("resources of units") + "\n";
    return;
  }
  std::vector<ResourcesRow> rows = window.resources;
  std::stable_sort(rows.begin(), rows.end(), [&](const ResourcesRow& a, const ResourcesRow& b) {
    if (style.sort == config::SortKey::name || usage_ns(a) == usage_ns(b)) {
      return std::tie(a.unit.name, a.unit.id) < std::tie(b.unit.name, b.unit.id);
    }
    return usage_ns(a) > usage_ns(b);
  });
  out += style.dim(fmt::format("{:<{}} {:>7} {:>9} {:>11} {:>8} {:>8} {:>8} {:>10}", "UNIT, all in it",
                               kind_width + name_width, "CPUs", "throttled", "waits c/m/i", "memory", "io",
                               "network", "bottleneck")) +
         "\n";
  const std::size_t shown = style.shown(rows.size());
  for (std::size_t i = 0; i < shown; ++i) {
    out += line(rows[i], style);
  }
  if (shown < rows.size()) {
    out += style.dim(fmt::format("({} more)", rows.size() - shown)) + "\n";
  }
}

}  // namespace isoscope::sink
