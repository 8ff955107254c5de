// SPDX-License-Identifier: Apache-2.0
#include "config/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <set>

#include "base/text.h"
#include "config/values.h"

namespace isoscope::config {

namespace {

using base::Error;
using base::Ok;
using base::Result;
using std::chrono::nanoseconds;

constexpr nanoseconds shortest_interval = std::chrono::milliseconds(100);
// Buckets of one window are 32 bits wide in the kernel; an hour is out of reach of a vCPU's exit rate.
constexpr nanoseconds longest_interval = std::chrono::hours(1);
constexpr std::uint64_t smallest_ring = 4096;
constexpr std::uint64_t largest_ring = 1U << 30;
constexpr std::uint32_t largest_pid = 4'194'304;  // PID_MAX_LIMIT of 64-bit kernels
constexpr std::string_view cgroup_mount = "/sys/fs/cgroup";

template <typename T>
Result<Ok> store(Result<T> value, T& into) {
  if (!value) {
    return std::move(value.error());
  }
  into = *value;
  return Ok{};
}

Result<Ok> append(std::string_view value, std::vector<std::string>& into) {
  if (value.empty()) {
    return value_error("is empty");
  }
  into.emplace_back(value);
  return Ok{};
}

Result<Ok> set_output(Draft& draft, std::string_view value) {
  if (value.empty()) {
    return value_error("is empty: a file, or - for standard output");
  }
  // Two writers into one file would cut each other's lines.
  if (std::any_of(draft.outputs.begin(), draft.outputs.end(),
                  [&](const Output& o) { return o.path == value; })) {
    return value_error("is given twice");
  }
  draft.outputs.push_back({std::string(value), draft.format});
  draft.format_came_last = false;
  return Ok{};
}

Result<Ok> set_format(Draft& draft, std::string_view value) {
  Format format{};
  if (Result<Ok> stored = store(parse_choice(value, formats()), format); !stored) {
    return stored;
  }
  draft.format = format;
  draft.format_came_last = true;
  return Ok{};
}

// Of one report, where `json` is what other commands have as an option of its own.
Result<Ok> set_report_format(Draft& draft, std::string_view value) {
  const std::vector<std::pair<std::string_view, bool>> words = {{"table", false}, {"json", true}};
  return store(parse_choice(value, words), draft.config.json);
}

Result<Ok> set_interval(Draft& draft, std::string_view value) {
  Result<nanoseconds> interval = parse_duration(value);
  if (interval && *interval < shortest_interval) {
    return value_error("is too short: 100ms is the shortest interval");
  }
  if (interval && *interval > longest_interval) {
    return value_error("is too long: 1h is the longest interval");
  }
  return store(std::move(interval), draft.config.interval);
}

// Items separated by commas. The error names the item, unless it is the only one.
template <typename Take>
Result<Ok> for_each_item(std::string_view value, Take take) {
  for (std::string_view rest = value;;) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view item = rest.substr(0, comma);
    if (Result<Ok> taken = take(item); !taken) {
      return item == value ? std::move(taken)
                           : Result<Ok>(value_error(fmt::format("has \"{}\", which {}", base::printable(item),
                                                                taken.error().message)));
    }
    if (comma == rest.size()) {
      return Ok{};
    }
    rest.remove_prefix(comma + 1);
  }
}

Result<Ok> set_events(Draft& draft, std::string_view value) {
  Streams& streams = draft.config.streams;
  const Streams all = {true, true, true, true, true, true};
  const std::vector<std::pair<std::string_view, bool Streams::*>> members = {
      {"exits", &Streams::exits},
      {"switches", &Streams::switches},
      {"cgroups", &Streams::cgroups},
      {"crossings", &Streams::crossings},
      {"accesses", &Streams::accesses},
      {"attempts", &Streams::attempts},
      {"all", nullptr}};
  return for_each_item(value, [&](std::string_view word) -> Result<Ok> {
    Result<bool Streams::*> member = parse_choice(word, members);
    if (!member) {
      return std::move(member.error());
    }
    if (*member == nullptr) {
      streams = all;
    } else {
      streams.*(*member) = true;
    }
    return Ok{};
  });
}

Result<Ok> set_bottleneck(Draft& draft, std::string_view value) {
  BottleneckThresholds& thresholds = draft.config.bottleneck;
  const std::vector<std::pair<std::string_view, double BottleneckThresholds::*>> resources = {
      {"cpu", &BottleneckThresholds::cpu},
      {"memory", &BottleneckThresholds::memory},
      {"io", &BottleneckThresholds::io}};
  return for_each_item(value, [&](std::string_view item) -> Result<Ok> {
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      return value_error("has no threshold: such as cpu=10%");
    }
    Result<double BottleneckThresholds::*> resource = parse_choice(item.substr(0, equals), resources);
    if (!resource) {
      return std::move(resource.error());
    }
    return store(parse_share(item.substr(equals + 1)), thresholds.*(*resource));
  });
}

// What is smaller would be rotated with every window.
Result<Ok> set_rotate_size(Draft& draft, std::string_view value) {
  constexpr std::uint64_t smallest = 64U << 10;
  Result<std::uint64_t> bytes = parse_size(value);
  if (bytes && *bytes < smallest) {
    return value_error("is too small: 64K is the smallest file");
  }
  return store(std::move(bytes), draft.rotate.size_bytes);
}

Result<Ok> set_listen(Draft& draft, std::string_view value) {
  if (const Result<Listen> where = parse_listen(value); !where) {
    return where.error();
  }
  draft.config.listen = value;
  return Ok{};
}

Result<Ok> add_cgroup(Draft& draft, std::string_view value) {
  if (value == cgroup_mount || value.starts_with(std::string(cgroup_mount) + "/")) {
    value.remove_prefix(cgroup_mount.size());
  }
  while (value.size() > 1 && value.ends_with('/')) {
    value.remove_suffix(1);
  }
  if (value.empty()) {
    value = "/";
  }
  if (!value.starts_with('/')) {
    return value_error("is not a cgroup path: it begins with / (the cgroup root), such as /system.slice");
  }
  return append(value, draft.config.filters.cgroup);
}

Result<Ok> add_pid(Draft& draft, std::string_view value) {
  Result<std::uint32_t> pid = parse_number(value, 1, largest_pid);
  if (!pid) {
    return std::move(pid.error());
  }
  draft.config.filters.pid.push_back(*pid);
  return Ok{};
}

Result<Ok> add_vcpus(Draft& draft, std::string_view value) {
  return for_each_item(value, [&](std::string_view item) -> Result<Ok> {
    Result<VcpuRange> range = parse_vcpus(item);
    if (!range) {
      return std::move(range.error());
    }
    draft.config.filters.vcpu.push_back(*range);
    return Ok{};
  });
}

Result<Ok> add_reasons(Draft& draft, std::string_view value) {
  return for_each_item(value, [&](std::string_view item) -> Result<Ok> {
    if (Result<Ok> good = check_reason(item, draft.exit_reasons); !good) {
      return good;
    }
    return append(item, draft.config.filters.reason);
  });
}

Result<Ok> set_ring(Draft& draft, std::string_view value) {
  Result<std::uint64_t> bytes = parse_size(value);
  if (!bytes) {
    return std::move(bytes.error());
  }
  if (!std::has_single_bit(*bytes) || *bytes < smallest_ring || *bytes > largest_ring) {
    return value_error("does not fit: a power of two from 4K to 1G");
  }
  draft.config.data_ring_bytes = static_cast<std::uint32_t>(*bytes);
  return Ok{};
}

// On the command line -v has no value and adds one; in a file it is a number or a boolean.
Result<Ok> add_verbosity(Draft& draft, std::string_view value) {
  int& verbosity = draft.config.verbosity;
  if (value.empty()) {
    verbosity = std::max(verbosity, 0) + 1;
    return Ok{};
  }
  const std::vector<std::pair<std::string_view, int>> words = {
      {"false", 0}, {"0", 0}, {"true", 1}, {"1", 1}, {"2", 2}};
  return store(parse_choice(value, words), verbosity);
}

Result<Ok> set_quiet(Draft& draft, std::string_view value) {
  const std::vector<std::pair<std::string_view, int>> words = {{"true", -1}, {"false", 0}};
  return store(parse_choice(value.empty() ? "true" : value, words), draft.config.verbosity);
}

Result<Ok> set_color(Draft& draft, std::string_view value) {
  const std::vector<std::pair<std::string_view, ColorMode>> modes = {
      {"auto", ColorMode::automatic}, {"always", ColorMode::always}, {"never", ColorMode::never}};
  return store(parse_choice(value, modes), draft.config.color);
}

Result<Ok> set_sort(Draft& draft, std::string_view value) {
  const std::vector<std::pair<std::string_view, SortKey>> keys = {
      {"time", SortKey::time}, {"count", SortKey::count}, {"name", SortKey::name}};
  return store(parse_choice(value, keys), draft.config.sort);
}

Result<Ok> set_fail_on(Draft& draft, std::string_view value) {
  const std::vector<std::pair<std::string_view, FailOn>> severities = {{"low", FailOn::low},
                                                                       {"medium", FailOn::medium},
                                                                       {"high", FailOn::high},
                                                                       {"critical", FailOn::critical}};
  return store(parse_choice(value, severities), draft.config.fail_on);
}

// clang-format off
constexpr Option table[] = {
    {"output", 'o', "FILE|-", for_run, false, true, Section::output,
     "write to FILE, - is standard output; repeatable\n(default: -, with a COMMAND standard error)",
     set_output, [](Draft& draft) { draft.outputs.clear(); }},
    {"format", 'f', "FORMAT", for_run, true, false, Section::output,
     "table, ndjson or prom, for the outputs after it,\nelse for the last one (default: table on a\n"
     "terminal, ndjson elsewhere)",
     set_format, nullptr},
    {"format", 'f', "FORMAT", for_matrix, false, false, Section::output,
     "table, or json: one object (default: table)",
     set_report_format, nullptr},
    {"interval", 'i', "TIME", for_run, true, false, Section::output,
     "length of a window, 100ms or more (default: 5s)",
     set_interval, nullptr},
    {"listen", 0, "ADDRESS", for_run, true, false, Section::output,
     "serve what -f prom writes by HTTP, to this host:\n127.0.0.1:PORT, [::1]:PORT or unix:PATH; then there\n"
     "is no default output",
     set_listen, nullptr},
    {"rotate-size", 0, "SIZE", for_run, true, false, Section::output,
     "move a file aside before it grows beyond this, such\nas 100M, and compress it (default: never)",
     set_rotate_size, nullptr},
    {"rotate-keep", 0, "N", for_run, true, false, Section::output,
     "files that were moved aside are kept: the last N\n(default: 5)",
     [](Draft& draft, std::string_view value) {
       return store(parse_number(value, 1, 1000), draft.rotate.keep);
     }, nullptr},
    {"top", 0, "N", for_run | for_matrix, true, false, Section::output,
     "rows per section of a table, 0 for all (default: 10)",
     [](Draft& draft, std::string_view value) {
       return store(parse_number(value, 0, 1'000'000), draft.config.top);
     }, nullptr},
    {"sort", 0, "KEY", for_run, true, false, Section::output,
     "order of a table's rows: time, count or name\n(default: time)",
     set_sort, nullptr},
    {"series", 0, "N", for_run, true, false, Section::output,
     "series of prom at most, 100 or more; what exceeds\nthem is counted as other (default: 5000)",
     [](Draft& draft, std::string_view value) {
       return store(parse_number(value, 100, 1'000'000), draft.config.series);
     }, nullptr},
    {"color", 0, "WHEN", for_run | for_check | for_matrix, true, false, Section::output,
     "auto, always or never; NO_COLOR is honoured\n(default: auto)",
     set_color, nullptr},

    {"duration", 'd', "TIME", for_run, true, false, Section::tracing,
     "stop after this run time (default: never); ends\na command by SIGTERM",
     [](Draft& draft, std::string_view value) {
       return store(parse_duration(value), draft.config.duration);
     }, nullptr},
    {"events", 0, "LIST", for_run, true, true, Section::tracing,
     "stream single events: exits, switches, cgroups,\ncrossings, accesses, attempts or all, separated by\ncommas",
     set_events, [](Draft& draft) { draft.config.streams = {}; }},
    {"slow-exit", 0, "TIME", for_run, true, false, Section::tracing,
     "stream VM exits that take this long or longer",
     [](Draft& draft, std::string_view value) {
       return store(parse_duration(value), draft.config.slow_exit);
     }, nullptr},
    {"data-ring", 0, "SIZE", for_run, true, false, Section::tracing,
     "buffer for streamed events, a power of two such\nas 4M (default: chosen from what is streamed)",
     set_ring, nullptr},

    {"label", 0, "KEY", for_run, true, true, Section::tracing,
     "carry this label of containers in the records of\nunits",
     [](Draft& draft, std::string_view value) { return append(value, draft.config.labels); },
     [](Draft& draft) { draft.config.labels.clear(); }},

    {"exit-histograms", 0, "N", for_run, true, false, Section::tracing,
     "pairs of vCPU and exit reason that are told apart\nat a time, 1 KiB each (default: 4096)",
     [](Draft& draft, std::string_view value) {
       constexpr std::uint32_t most = 65'535;  // what an index of 16 bits can tell apart
       return store(parse_number(value, 1, most), draft.config.exit_histograms);
     }, nullptr},
    {"accounts", 0, "N", for_run, true, false, Section::tracing,
     "cgroups and VMMs whose threads are counted apart\nat a time, 1 KiB each (default: 3072)",
     [](Draft& draft, std::string_view value) {
       constexpr std::uint32_t most = 1U << 20;
       return store(parse_number(value, 1, most), draft.config.accounts);
     }, nullptr},

    {"bottleneck", 0, "LIST", for_run, true, true, Section::tracing,
     "share of the time that a unit may wait for a\nresource before it is its bottleneck\n"
     "(default: cpu=10%,memory=5%,io=10%)",
     set_bottleneck, nullptr, true},

    {"policy", 0, "PATH", for_run, true, true, Section::policy,
     "policies from this file, or from the *.yaml and\n*.yml of this folder; repeatable\n"
     "(default: /etc/isoscope/policies.d, if it is there)",
     [](Draft& draft, std::string_view value) { return append(value, draft.config.policies); },
     [](Draft& draft) { draft.config.policies.clear(); }},
    {"fail-on", 0, "SEVERITY", for_run, true, false, Section::policy,
     "end with 3 if there was a violation of low,\nmedium, high or critical severity, or above it;\n"
     "of COMMAND and what it started, if there is one",
     set_fail_on, nullptr},

    {"vm", 0, "NAME", for_run | for_matrix, true, true, Section::filters,
     "VMs with this name, uuid or pid:NNN; a glob",
     [](Draft& draft, std::string_view value) { return append(value, draft.config.filters.vm); },
     [](Draft& draft) { draft.config.filters.vm.clear(); }},
    {"container", 0, "ID|NAME", for_run | for_matrix, true, true, Section::filters,
     "containers with this name, id or the first 12\nor more digits of it; a glob",
     [](Draft& draft, std::string_view value) { return append(value, draft.config.filters.container); },
     [](Draft& draft) { draft.config.filters.container.clear(); }},
    {"cgroup", 0, "PATH", for_run | for_matrix, true, true, Section::filters,
     "this cgroup and all below it, such as /system.slice",
     add_cgroup, [](Draft& draft) { draft.config.filters.cgroup.clear(); }},
    {"pid", 0, "PID", for_run, true, true, Section::filters,
     "this process, all its threads",
     add_pid, [](Draft& draft) { draft.config.filters.pid.clear(); }},
    {"vcpu", 0, "N", for_run, true, true, Section::filters,
     "VM exits of this vCPU; 0-3 is a range",
     add_vcpus, [](Draft& draft) { draft.config.filters.vcpu.clear(); }},
    {"reason", 0, "NAME|NUMBER", for_run, true, true, Section::filters,
     "VM exits for this reason, such as npf, hlt,\nEPT_VIOLATION or 0x400; a glob",
     add_reasons, [](Draft& draft) { draft.config.filters.reason.clear(); }},
    {"unit", 0, "GLOB", for_run | for_matrix, true, true, Section::filters,
     "units whose name or id matches, and VMs whose pod,\ncontainer or systemd unit does",
     [](Draft& draft, std::string_view value) { return append(value, draft.config.filters.unit); },
     [](Draft& draft) { draft.config.filters.unit.clear(); }},
    {"all", 0, nullptr, for_matrix, false, false, Section::filters,
     "services and other cgroups of the host, too, which\notherwise stand in the word host",
     [](Draft& draft, std::string_view) -> Result<Ok> {
       draft.config.all = true;
       return Ok{};
     }, nullptr},

    {"fail-on", 0, "SEVERITY", for_matrix, false, false, Section::general,
     "end with status 3 if there is a finding that is\nlow, medium, high, critical, or worse",
     set_fail_on, nullptr},

    {"config", 'c', "FILE", for_run, false, false, Section::general,
     "read options from a YAML file; the command line wins",
     [](Draft&, std::string_view value) -> Result<Ok> {
       return value.empty() ? Result<Ok>(value_error("is empty: a YAML file")) : Result<Ok>(Ok{});
     }, nullptr},
    {"json", 0, nullptr, for_check | for_version, false, false, Section::general,
     "print one JSON object",
     [](Draft& draft, std::string_view) -> Result<Ok> {
       draft.config.json = true;
       return Ok{};
     }, nullptr},
    {"quiet", 'q', nullptr, for_run | for_check | for_matrix, true, false, Section::general,
     "no messages but errors",
     set_quiet, nullptr},
    {"verbose", 'v', nullptr, for_run | for_check | for_matrix, true, false, Section::general,
     "more messages; twice: debug",
     add_verbosity, [](Draft& draft) { draft.config.verbosity = 0; }},
    {"help", 'h', nullptr, for_run | for_check | for_version | for_policy | for_matrix, false, false, Section::general,
     "show this and exit",
     [](Draft&, std::string_view) -> Result<Ok> { return Ok{}; }, nullptr},
};
// clang-format on

}  // namespace

const std::vector<std::pair<std::string_view, Format>>& formats() {
  static const std::vector<std::pair<std::string_view, Format>> all = {
      {"table", Format::table}, {"ndjson", Format::ndjson}, {"prom", Format::prom}};
  return all;
}

std::span<const Option> options() {
  return table;
}

const Option* find_option(std::string_view name, unsigned commands) {
  const auto* found = std::find_if(std::begin(table), std::end(table), [&](const Option& option) {
    return name == option.name && (option.commands & commands) != 0;
  });
  return found == std::end(table) ? nullptr : found;
}

Result<Ok> apply_all(const std::vector<OptionValue>& values, Draft& draft) {
  std::set<const Option*> seen;
  for (const auto& [option, value] : values) {
    if (seen.insert(option).second && option->reset != nullptr) {
      option->reset(draft);
    }
    if (Result<Ok> applied = option->apply(draft, value); !applied) {
      return Error{
          base::ErrorKind::usage,
          fmt::format("--{} {} {}", option->name,
                      value.empty() ? std::string("\"\"") : base::printable(value), applied.error().message)};
    }
  }
  return Ok{};
}

Config finish(Draft draft, bool no_color) {
  const bool runs_program = draft.config.command == Command::run && !draft.config.arguments.empty();
  if (draft.outputs.empty() && runs_program) {  // whose standard output is its own
    draft.outputs.push_back({standard_error, draft.format.value_or(Format::table)});
  } else if (draft.outputs.empty() && (draft.config.listen.empty() || draft.format)) {
    draft.outputs.push_back({"-", draft.format});
  } else if (!draft.outputs.empty() && draft.format_came_last) {
    draft.outputs.back().format = draft.format;
  }
  for (Output& output : draft.outputs) {
    if (output.rotate.size_bytes == 0) {
      output.rotate = draft.rotate;
    }
  }
  draft.config.outputs = std::move(draft.outputs);
  if (no_color && draft.config.color == ColorMode::automatic) {
    draft.config.color = ColorMode::never;
  }
  return std::move(draft.config);
}

}  // namespace isoscope::config
