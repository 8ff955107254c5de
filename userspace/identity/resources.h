// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "identity/cgroup_tree.h"

namespace isoscope::identity {

// What a cgroup used since it was made, and what it is allowed to use, from its files. A cgroup's files count
// what is below it too. Empty is what no file tells: its controller is off, or the kernel is too old.

// Of the cgroup's own cpu.max. A limit further up or down shows there alone.
struct Throttling {
  std::uint64_t periods = 0;
  std::uint64_t throttled_periods = 0;
  std::uint64_t throttled_ns = 0;  // summed over the processors: it may exceed the time that went by
};

struct CpuUse {
  std::uint64_t usage_ns = 0;
  std::uint64_t user_ns = 0;
  std::uint64_t system_ns = 0;
  std::optional<Throttling> throttling;
};

// Time stalled. `some`: a task waited; `full`: all that were not idle did. The kernel averages over the
// processors, weighted by the time for which each had something to do.
struct Pressure {
  std::uint64_t some_ns = 0;
  std::optional<std::uint64_t> full_ns;  // of the processor since Linux 5.13
};

struct MemoryEvents {
  std::uint64_t high = 0;  // times that memory.high was exceeded
  std::uint64_t oom_kills = 0;
};

struct IoUse {
  std::uint64_t read_bytes = 0;
  std::uint64_t written_bytes = 0;
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
};

// Of a network namespace, loopback left out.
struct NetworkUse {
  std::uint32_t inum = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_packets = 0;
  std::uint64_t sent_packets = 0;
};

// What `max` in a file means.
inline constexpr std::uint64_t no_limit = UINT64_MAX;

// The smallest of the cgroup's own and those of the cgroups around it.
struct ResourceLimits {
  std::optional<std::uint64_t> cpu_millionths;  // of one processor
  std::optional<std::uint64_t> memory_max;
  std::optional<std::uint64_t> memory_high;
};

struct ResourceReading {
  std::optional<CpuUse> cpu;
  std::optional<Pressure> cpu_pressure;
  std::optional<Pressure> memory_pressure;
  std::optional<Pressure> io_pressure;
  std::optional<std::uint64_t> memory_current;
  std::optional<std::uint64_t> memory_peak;
  std::optional<MemoryEvents> memory_events;
  std::optional<IoUse> io;
  std::optional<NetworkUse> network;
  ResourceLimits limits;
};

// A device by its number, as in io.stat.
struct BlockDevice {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
};

// The formats, each on the text of one file. Empty: it is not that file.
std::optional<CpuUse> parse_cpu_stat(std::string_view text);
std::optional<std::uint64_t> parse_cpu_max(std::string_view text);  // millionths of a processor
std::optional<Pressure> parse_pressure(std::string_view text);
std::optional<std::uint64_t> parse_bytes(std::string_view text);  // one number, or `max`
std::optional<MemoryEvents> parse_memory_events(std::string_view text);
// Sums the devices for which `counts` is true. It is asked for those alone that have figures.
std::optional<IoUse> parse_io_stat(std::string_view text,
                                   const std::function<bool(const BlockDevice&)>& counts);
std::optional<NetworkUse> parse_net_dev(std::string_view text);  // without inum
struct HostMemory {
  std::uint64_t total = 0;
  std::uint64_t available = 0;
};
std::optional<HostMemory> parse_meminfo(std::string_view text);

// Reads cgroups with one read() a file through a buffer that is kept. What many cgroups share (limits of
// those around them, which devices stand on others) is read once between two calls of begin_round().
class ResourceReader {
 public:
  // Where the kernel's file systems are; others for tests.
  struct Roots {
    std::string proc = "/proc";
    std::string devices = "/sys/dev/block";
  };

  ResourceReader() : ResourceReader(Roots{}) {}
  explicit ResourceReader(Roots roots);

  void begin_round();

  // Empty if the cgroup is gone, or one of v1. Its network is not read.
  std::optional<ResourceReading> read(const CgroupTree& cgroups, std::uint64_t cgroup_id);

  // The whole machine: use of the processors and of devices from the root cgroup, pressure and memory from
  // /proc. `current` is what is not available for new programs, the limit all there is.
  ResourceReading read_machine(const CgroupTree& cgroups);

  // What went through a network namespace, read from a process of it: from `known_pid` if that still is in
  // it, otherwise from the first in one of the cgroups, whose number is put there. 0: none.
  std::optional<NetworkUse> read_network(const CgroupTree& cgroups,
                                         const std::vector<std::uint64_t>& cgroup_ids, std::uint32_t inum,
                                         std::uint32_t& known_pid);

 private:
  std::string_view read_file(int folder, const char* name, bool* is_there = nullptr);
  std::string_view read_whole(const std::string& path);
  void read_memory(int folder, ResourceReading& reading);
  ResourceLimits own_limits(int folder);
  void tighten_by_parents(ResourceLimits& limits, const CgroupTree& cgroups, std::uint64_t cgroup_id);
  const ResourceLimits& limits_of(const CgroupTree& cgroups, std::uint64_t cgroup_id);
  std::optional<IoUse> read_io(int folder);
  bool stands_on_others(const BlockDevice& device);
  std::optional<NetworkUse> network_of(std::uint32_t pid, std::uint32_t inum);

  Roots roots_;
  std::vector<char> buffer_;
  std::unordered_map<std::uint64_t, ResourceLimits> limits_;  // by cgroup
  std::unordered_map<std::uint64_t, bool> stacked_;           // by device number
};

}  // namespace isoscope::identity
