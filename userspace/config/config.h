// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace isoscope::config {

enum class Format { table, ndjson, prom, otlp, otlp_logs, otlp_metrics };
enum class ColorMode { automatic, always, never };
enum class SortKey { time, count, name };

// As the path of an output: the descriptor, and not a file that is opened.
inline constexpr const char* standard_error = "/dev/stderr";

// When a file is moved aside for a new one, and how many of those are kept.
struct Rotation {
  std::uint64_t size_bytes = 0;  // 0: never
  std::uint32_t keep = 5;
  friend bool operator==(const Rotation&, const Rotation&) = default;
};

struct Output {
  std::string path = "-";        // `-`: standard output; standard_error: that
  std::optional<Format> format;  // empty: table on a terminal, ndjson elsewhere
  Rotation rotate = {};          // of regular files; not of prom, which does not grow
  friend bool operator==(const Output&, const Output&) = default;
};

// Which single events are streamed.
struct Streams {
  bool exits = false;
  bool switches = false;
  bool cgroups = false;
  bool accesses = false;   // by containers, pods and VMs, to what is not theirs; also what was refused
  bool attempts = false;   // of theirs to cross, which the kernel refused; and accesses that were refused
  bool crossings = false;  // every crossing; violations and unit records are always streamed
  friend bool operator==(const Streams&, const Streams&) = default;
};

struct VcpuRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;  // included
  friend bool operator==(const VcpuRange&, const VcpuRange&) = default;
};

// What is reported; an empty list lets everything through. Several values of one option are alternatives,
// several options must all hold.
struct Filters {
  std::vector<std::string> vm;         // name, uuid or pid:NNN; glob
  std::vector<std::string> container;  // id, a prefix of it of 12 characters or more, or name; glob
  std::vector<std::string> cgroup;     // path; matches it and everything below
  std::vector<std::string> unit;       // glob on the unit's name or id
  std::vector<std::uint32_t> pid;      // thread group
  std::vector<VcpuRange> vcpu;         // of VM exits
  std::vector<std::string> reason;     // of VM exits: name, glob or number; there is such a reason
  friend bool operator==(const Filters&, const Filters&) = default;
};

// The share of the time, above 0 and up to 1, that a unit's tasks may wait for a resource before it is called
// their bottleneck. On a shared machine to wait for a processor or a disk is nothing unusual: a tenth is
// where it shows. Waiting for memory is work done twice (reclaim, reading pages again that were dropped), and
// grows by leaps: half of that. 1 never calls a resource one.
struct BottleneckThresholds {
  double cpu = 0.10;
  double memory = 0.05;
  double io = 0.10;
  friend bool operator==(const BottleneckThresholds&, const BottleneckThresholds&) = default;
};

// The least severity of violations, or of findings of the matrix, that makes it fail.
enum class FailOn { never, low, medium, high, critical };

enum class Command {
  run,
  check,
  matrix,
  version,
  policy_validate,
  policy_test,
  policy_explain,
  policy,
  config_show,
  config_validate,
  config_schema,
  config,
  help
};

// What the service of the packages is given, and `isoscope config validate` reads where no file is named.
inline constexpr const char* usual_file = "/etc/isoscope/config.yaml";

// Everything the program was told, checked and complete.
struct Config {
  Command command = Command::help;
  std::string help_text;  // for Command::help: what to print

  std::vector<Output> outputs = {Output{}};  // never empty, unless there is `listen`
  std::string listen;  // where metrics are served: HOST:PORT or unix:PATH; empty: nowhere
  std::chrono::nanoseconds interval = std::chrono::seconds(5);
  std::chrono::nanoseconds duration{0};  // 0: until stopped
  Streams streams;
  std::chrono::nanoseconds slow_exit{0};  // 0: off
  Filters filters;
  // Keys of the labels of containers that records of units carry.
  std::vector<std::string> labels;
  BottleneckThresholds bottleneck;
  std::uint32_t top = 10;  // rows per table section; 0: all
  SortKey sort = SortKey::time;
  int verbosity = 0;  // -1 quiet, 0, 1 verbose, 2 and more: debug
  ColorMode color = ColorMode::automatic;
  std::uint32_t exit_histograms = 4096;  // pairs of vCPU and exit reason that have one at a time
  std::uint32_t accounts = 3072;         // cgroups and VMMs whose threads are counted apart at a time
  std::uint32_t series = 5000;           // of prom, at most
  std::uint32_t data_ring_bytes = 0;  // 0: chosen from what is streamed; else a power of two, 4 KiB or more
  bool json = false;                  // version, check, matrix
  std::vector<std::string> policies;  // files and folders; empty: the usual folder
  FailOn fail_on = FailOn::never;
  // Of commands that take more than options. For run: the program to run and its arguments, if any.
  std::vector<std::string> arguments;
  bool all = false;  // matrix: host software, too
  friend bool operator==(const Config&, const Config&) = default;
};

}  // namespace isoscope::config
