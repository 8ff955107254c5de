// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "agent/census.h"
#include "agent/commands.h"
#include "agent/filter.h"
#include "agent/host_view.h"
#include "base/clock.h"
#include "base/log.h"
#include "identity/host.h"
#include "identity/process.h"
#include "identity/unit_enrichment.h"
#include "identity/vcpu_files.h"
#include "policy/matrix.h"
#include "probe/discover.h"
#include "sink/matrix_report.h"

namespace isoscope::agent {

namespace {

using base::Error;
using base::ErrorKind;
using base::Ok;
using base::Result;
using identity::ProcessInfo;
using identity::UnitRegistry;

// A runtime puts itself together in stages, and is for some milliseconds in a unit's cgroup with the host's
// namespaces. What is a fault is still one after this.
constexpr std::chrono::milliseconds settling_time{200};

// With the names that are in the files of their runtimes; the cache looks at some in a round.
void adopt(UnitRegistry& registry, const std::vector<ProcessInfo>& processes) {
  identity::UnitEnrichment enrichment(registry, identity::metadata_source({}));
  const std::uint64_t now = base::monotonic_ns();
  auto changes = enrichment.take(registry.adopt(processes, base::boottime_ns()), now);
  for (std::size_t looked_at = 0; looked_at < changes.size();
       looked_at += identity::MetadataCache::looks_per_round) {
    enrichment.retry(now);
  }
}

// What a runtime's stages look like, too.
bool may_pass(const policy::Matrix& matrix) {
  return std::any_of(matrix.findings.begin(), matrix.findings.end(),
                     [](const policy::MatrixFinding& finding) {
                       return finding.processes > 0 || finding.severity == policy::Severity::critical;
                     });
}

Result<sink::MatrixReport> look(const config::Config& config) {
  const HostView host(probe::discover_cgroups());
  UnitRegistry registry = host.make_registry();
  const auto processes = host.list_processes();
  if (!processes) {
    return processes.error();
  }
  adopt(registry, *processes);
  const auto vmms = identity::find_vmms(*processes);
  adopt_vms(registry, *processes, vmms);
  Census census = take_census(registry, *processes, vmms, config.all);
  sink::MatrixReport report{.matrix = policy::make_matrix(census.input), .shown = {}, .host = {}};
  if (may_pass(report.matrix)) {
    std::this_thread::sleep_for(settling_time);
    const auto again = host.list_processes();
    if (!again) {
      return again.error();
    }
    census = take_census(registry, settled(*processes, *again), vmms, config.all);
    report.matrix = policy::make_matrix(census.input);
  }
  report.idle_units = census.idle_units;
  report.unread_processes = identity::count_unreadable();
  report.host = identity::read_host();
  report.wall_ns = base::WallClock().wall_ns(base::monotonic_ns());
  const Filter filter(config.filters);
  for (std::size_t i = 0; i < census.vms.size(); ++i) {
    const policy::MatrixRow& row = report.matrix.rows[i];
    report.shown.push_back(filter.passes({.unit = &row.ref,
                                          .vm = census.vms[i] ? &*census.vms[i] : nullptr,
                                          .cgroup_path = &row.cgroup_path}));
  }
  return report;
}

Result<Ok> print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return Error{ErrorKind::failure,
                 fmt::format("cannot write to standard output: {}", base::errno_text(errno))};
  }
  return Ok{};
}

sink::TableStyle style_of(const config::Config& config) {
  sink::TableStyle style;
  style.color = config.color == config::ColorMode::always ||
                (config.color == config::ColorMode::automatic && ::isatty(STDOUT_FILENO) == 1);
  style.top = config.top;
  style.filtered = !Filter(config.filters).empty();
  return style;
}

policy::Severity severity_of(config::FailOn fail_on) {
  switch (fail_on) {
    case config::FailOn::never:
    case config::FailOn::critical:
      break;
    case config::FailOn::low:
      return policy::Severity::low;
    case config::FailOn::medium:
      return policy::Severity::medium;
    case config::FailOn::high:
      return policy::Severity::high;
  }
  return policy::Severity::critical;
}

// What the filters hide is not looked for.
Result<Ok> judge(const sink::MatrixReport& report, policy::Severity least) {
  const auto& findings = report.matrix.findings;
  const auto count = std::count_if(findings.begin(), findings.end(), [&](const auto& finding) {
    return finding.severity >= least && report.shows(finding.units);
  });
  if (count == 0) {
    return Ok{};
  }
  const bool is_worst = least == policy::Severity::critical;
  return Error{ErrorKind::violated, fmt::format("{} finding{} {}{}", count, count == 1 ? " is" : "s are",
                                                policy::to_string(least), is_worst ? "" : " or worse")};
}

}  // namespace

Result<Ok> matrix(const config::Config& config) {
  const auto report = look(config);
  if (!report) {
    return report.error();
  }
  if (report->unread_processes > 0) {
    const std::string unread =
        fmt::format("the namespaces of {} process{} cannot be read: {}", report->unread_processes,
                    report->unread_processes == 1 ? "" : "es", identity::why_unreadable());
    if (report->matrix.rows.empty()) {
      return Error{ErrorKind::permission, fmt::format("no unit is to be seen, and {}", unread)};
    }
    base::log::warning("{}", unread);
  }
  if (auto done =
          print(config.json ? sink::matrix_json(*report) : sink::matrix_table(*report, style_of(config)));
      !done) {
    return done;
  }
  return config.fail_on == config::FailOn::never ? Result<Ok>(Ok{})
                                                 : judge(*report, severity_of(config.fail_on));
}

}  // namespace isoscope::agent
