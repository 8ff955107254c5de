// SPDX-License-Identifier: Apache-2.0
#include "identity/resources.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <utility>

#include "base/unique_fd.h"
#include "identity/process.h"

namespace isoscope::identity {

namespace {

using base::UniqueFd;

// io.stat has some hundred bytes for each device; a machine with 500 of them still fits.
constexpr std::size_t buffer_bytes = std::size_t{64} << 10;
// Processes of a unit that are asked for their network namespace before it is given up.
constexpr std::size_t pids_tried = 16;
constexpr std::uint32_t loop_major = 7;
constexpr std::uint64_t ns_of_us = 1000;

template <typename T>
std::optional<T> number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

// Words between any number of blanks; empty at the end.
std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\n"), text.size()));
  const std::size_t end = std::min(text.find_first_of(" \t\n"), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

// `key 123` lines: what stands behind a key goes where the table says. True if the first key was there.
struct Field {
  std::string_view key;
  std::uint64_t* value;
};
template <std::size_t N>
bool read_keyed(std::string_view text, const std::array<Field, N>& fields) {
  bool has_first = false;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string_view key = take_until(line, ' ');
    for (const Field& field : fields) {
      if (key != field.key) {
        continue;
      }
      if (const auto value = number<std::uint64_t>(line)) {
        *field.value = *value;
        has_first = has_first || &field == fields.data();
      }
    }
  }
  return has_first;
}

// One that is not known takes nothing from one that is.
void tighten(std::optional<std::uint64_t>& limit, const std::optional<std::uint64_t>& around) {
  if (limit && around) {
    limit = std::min(*limit, *around);
  } else if (around) {
    limit = around;
  }
}

std::optional<std::uint64_t> total_of(std::string_view line) {
  while (!line.empty()) {
    const std::string_view word = take_word(line);
    if (word.starts_with("total=")) {
      return number<std::uint64_t>(word.substr(6));
    }
  }
  return std::nullopt;
}

std::optional<BlockDevice> parse_device(std::string_view word) {
  const auto major = number<std::uint32_t>(take_until(word, ':'));
  const auto minor = number<std::uint32_t>(word);
  if (!major || !minor) {
    return std::nullopt;
  }
  return BlockDevice{*major, *minor};
}

// Not that of a cgroup which has come in its place: a service that restarts has the same path.
UniqueFd open_folder(const CgroupTree& cgroups, std::uint64_t cgroup_id) {
  const std::string folder = cgroups.folder_of(cgroup_id);
  UniqueFd fd(folder.empty() ? -1 : ::open(folder.c_str(), O_DIRECTORY | O_PATH | O_CLOEXEC));
  struct stat status {};
  if (fd && (::fstat(fd.get(), &status) != 0 || status.st_ino != cgroup_id)) {
    fd.reset();
  }
  return fd;
}

void add_figure(std::string_view word, IoUse& use) {
  const std::string_view key = take_until(word, '=');
  const std::uint64_t value = number<std::uint64_t>(word).value_or(0);
  if (key == "rbytes") {
    use.read_bytes = value;
  } else if (key == "wbytes") {
    use.written_bytes = value;
  } else if (key == "rios") {
    use.reads = value;
  } else if (key == "wios") {
    use.writes = value;
  }
}

}  // namespace

std::optional<CpuUse> parse_cpu_stat(std::string_view text) {
  std::uint64_t usage_us = 0, user_us = 0, system_us = 0, throttled_us = 0;
  Throttling throttling;
  const std::array<Field, 3> use{Field{"usage_usec", &usage_us}, Field{"user_usec", &user_us},
                                 Field{"system_usec", &system_us}};
  if (!read_keyed(text, use)) {
    return std::nullopt;
  }
  CpuUse result{usage_us * ns_of_us, user_us * ns_of_us, system_us * ns_of_us, std::nullopt};
  const std::array<Field, 3> limited{Field{"nr_periods", &throttling.periods},
                                     Field{"nr_throttled", &throttling.throttled_periods},
                                     Field{"throttled_usec", &throttled_us}};
  if (read_keyed(text, limited)) {
    throttling.throttled_ns = throttled_us * ns_of_us;
    result.throttling = throttling;
  }
  return result;
}

// `20000 100000`, quota and period in us, or `max 100000`.
std::optional<std::uint64_t> parse_cpu_max(std::string_view text) {
  const std::string_view quota_word = take_word(text);
  const auto period = number<std::uint64_t>(take_word(text));
  if (quota_word == "max") {
    return no_limit;
  }
  const auto quota = number<std::uint64_t>(quota_word);
  if (!quota || !period || *period == 0 || *quota > no_limit / 1'000'000) {
    return std::nullopt;
  }
  return *quota * 1'000'000 / *period;
}

// `some avg10=0.00 avg60=0.00 avg300=0.00 total=123`, then `full ...`; totals in us.
std::optional<Pressure> parse_pressure(std::string_view text) {
  std::optional<Pressure> pressure;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string_view kind = take_word(line);
    const auto total = total_of(line);
    if (!total) {
      continue;
    }
    if (kind == "some") {
      pressure = Pressure{*total * ns_of_us, std::nullopt};
    } else if (kind == "full" && pressure) {
      pressure->full_ns = *total * ns_of_us;
    }
  }
  return pressure;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const std::string_view word = take_word(text);
  return word == "max" ? no_limit : number<std::uint64_t>(word);
}

std::optional<MemoryEvents> parse_memory_events(std::string_view text) {
  MemoryEvents events;
  const std::array<Field, 2> fields{Field{"high", &events.high}, Field{"oom_kill", &events.oom_kills}};
  return read_keyed(text, fields) ? std::optional(events) : std::nullopt;
}

// `8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0`, a line a device. One without
// figures has its number alone, on some kernels without the end of its line: figures are those of the number
// before them. A device that was taken away is `(unknown)`; what went through it is counted, as nothing is
// under it.
std::optional<IoUse> parse_io_stat(std::string_view text,
                                   const std::function<bool(const BlockDevice&)>& counts) {
  IoUse sum;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    std::optional<BlockDevice> device;
    IoUse use;
    bool has_figures = false;
    while (!line.empty()) {
      const std::string_view word = take_word(line);
      if (word.find('=') == std::string_view::npos) {
        device = word.empty() ? device : parse_device(word);
        continue;
      }
      has_figures = true;
      add_figure(word, use);
    }
    if (has_figures && (!device || counts(*device))) {
      sum.read_bytes += use.read_bytes;
      sum.written_bytes += use.written_bytes;
      sum.reads += use.reads;
      sum.writes += use.writes;
    }
  }
  return sum;
}

// Two lines of headings, then `  eth0: bytes packets errs drop fifo frame compressed multicast bytes ...`.
std::optional<NetworkUse> parse_net_dev(std::string_view text) {
  if (!take_until(text, '\n').starts_with("Inter-")) {
    return std::nullopt;
  }
  take_until(text, '\n');
  constexpr std::size_t columns = 10;  // the tenth is the last of interest
  NetworkUse sum;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::size_t colon = line.rfind(':');  // an alias has one in its name
    if (colon == std::string_view::npos) {
      continue;
    }
    std::string_view name = line.substr(0, colon);
    line.remove_prefix(colon + 1);
    std::array<std::uint64_t, columns> values{};
    for (std::uint64_t& value : values) {
      value = number<std::uint64_t>(take_word(line)).value_or(0);
    }
    if (take_word(name) != "lo") {
      sum.received_bytes += values[0];
      sum.received_packets += values[1];
      sum.sent_bytes += values[8];
      sum.sent_packets += values[9];
    }
  }
  return sum;
}

std::optional<HostMemory> parse_meminfo(std::string_view text) {
  std::optional<std::uint64_t> total;
  std::optional<std::uint64_t> available;
  while (!text.empty() && (!total || !available)) {
    std::string_view line = take_until(text, '\n');
    const std::string_view key = take_until(line, ':');
    if (key == "MemTotal") {
      total = number<std::uint64_t>(take_word(line));
    } else if (key == "MemAvailable") {
      available = number<std::uint64_t>(take_word(line));
    }
  }
  if (!total || !available) {
    return std::nullopt;
  }
  return HostMemory{*total * 1024, *available * 1024};
}

ResourceReader::ResourceReader(Roots roots) : roots_(std::move(roots)), buffer_(buffer_bytes) {}

void ResourceReader::begin_round() {
  limits_.clear();
  stacked_.clear();
}

// A cgroup file is made as a whole by its first read, whatever its length; empty if it cannot be read.
std::string_view ResourceReader::read_file(int folder, const char* name, bool* is_there) {
  const UniqueFd fd(::openat(folder, name, O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return {};
  }
  ssize_t got = 0;
  do {
    got = ::read(fd.get(), buffer_.data(), buffer_.size());
  } while (got < 0 && errno == EINTR);
  if (is_there != nullptr) {
    *is_there = got >= 0;
  }
  return got <= 0 ? std::string_view() : std::string_view(buffer_.data(), static_cast<std::size_t>(got));
}

// Lists such as net/dev come by the page.
std::string_view ResourceReader::read_whole(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::size_t size = 0;
  while (fd && size < buffer_.size()) {
    const ssize_t got = ::read(fd.get(), buffer_.data() + size, buffer_.size() - size);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      break;
    }
    size += static_cast<std::size_t>(got);
  }
  return {buffer_.data(), size};
}

// Opening a file that is not there costs nearly what reading one does: where a controller is off, one of its
// files has said so.
ResourceLimits ResourceReader::own_limits(int folder) {
  ResourceLimits limits;
  limits.cpu_millionths = parse_cpu_max(read_file(folder, "cpu.max"));
  limits.memory_max = parse_bytes(read_file(folder, "memory.max"));
  if (limits.memory_max) {
    limits.memory_high = parse_bytes(read_file(folder, "memory.high"));
  }
  return limits;
}

void ResourceReader::tighten_by_parents(ResourceLimits& limits, const CgroupTree& cgroups,
                                        std::uint64_t cgroup_id) {
  if (const std::uint64_t parent = cgroups.parent_of(cgroup_id); parent != 0) {
    const ResourceLimits& around = limits_of(cgroups, parent);
    tighten(limits.cpu_millionths, around.cpu_millionths);
    tighten(limits.memory_max, around.memory_max);
    tighten(limits.memory_high, around.memory_high);
  }
}

const ResourceLimits& ResourceReader::limits_of(const CgroupTree& cgroups, std::uint64_t cgroup_id) {
  if (const auto known = limits_.find(cgroup_id); known != limits_.end()) {
    return known->second;
  }
  const UniqueFd fd = open_folder(cgroups, cgroup_id);
  ResourceLimits limits = fd ? own_limits(fd.get()) : ResourceLimits{};
  tighten_by_parents(limits, cgroups, cgroup_id);
  return limits_[cgroup_id] = limits;
}

// What a device-mapper or RAID device is asked for is asked again of the disks under it, and io.stat has both
// for the same cgroup. A loop device has no disk in its folder, but a file that stands on one.
bool ResourceReader::stands_on_others(const BlockDevice& device) {
  if (device.major == loop_major) {
    return true;
  }
  const std::uint64_t key = (std::uint64_t{device.major} << 32) | device.minor;
  if (const auto known = stacked_.find(key); known != stacked_.end()) {
    return known->second;
  }
  const std::string path = fmt::format("{}/{}:{}/slaves", roots_.devices, device.major, device.minor);
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  bool stacked = false;
  while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
    stacked = stacked || entry->d_name[0] != '.';
  }
  return stacked_[key] = stacked;
}

// An empty file is that of a cgroup that has not used a device yet: its figures are 0.
std::optional<IoUse> ResourceReader::read_io(int folder) {
  bool is_there = false;
  const std::string_view text = read_file(folder, "io.stat", &is_there);
  if (!is_there) {
    return std::nullopt;
  }
  return parse_io_stat(text, [this](const BlockDevice& device) { return !stands_on_others(device); });
}

void ResourceReader::read_memory(int folder, ResourceReading& reading) {
  reading.memory_current = parse_bytes(read_file(folder, "memory.current"));
  if (reading.memory_current) {
    reading.memory_peak = parse_bytes(read_file(folder, "memory.peak"));
    reading.memory_events = parse_memory_events(read_file(folder, "memory.events"));
    reading.limits.memory_max = parse_bytes(read_file(folder, "memory.max"));
    reading.limits.memory_high = parse_bytes(read_file(folder, "memory.high"));
  }
}

std::optional<ResourceReading> ResourceReader::read(const CgroupTree& cgroups, std::uint64_t cgroup_id) {
  const UniqueFd fd = open_folder(cgroups, cgroup_id);
  if (!fd) {
    return std::nullopt;
  }
  ResourceReading reading;
  reading.cpu = parse_cpu_stat(read_file(fd.get(), "cpu.stat"));
  if (!reading.cpu) {  // every cgroup of v2 has one: this is cgroup v1
    return std::nullopt;
  }
  if (reading.cpu->throttling) {
    reading.limits.cpu_millionths = parse_cpu_max(read_file(fd.get(), "cpu.max"));
  }
  reading.cpu_pressure = parse_pressure(read_file(fd.get(), "cpu.pressure"));
  reading.memory_pressure = parse_pressure(read_file(fd.get(), "memory.pressure"));
  reading.io_pressure = parse_pressure(read_file(fd.get(), "io.pressure"));
  read_memory(fd.get(), reading);
  reading.io = read_io(fd.get());
  tighten_by_parents(reading.limits, cgroups, cgroup_id);
  return reading;
}

ResourceReading ResourceReader::read_machine(const CgroupTree& cgroups) {
  ResourceReading reading;
  if (const UniqueFd fd = open_folder(cgroups, cgroups.id_of("/")); fd) {
    reading.cpu = parse_cpu_stat(read_file(fd.get(), "cpu.stat"));
    reading.io = read_io(fd.get());
  }
  if (reading.cpu) {
    // The root's usage_usec has time that a hypervisor took away (steal), which nobody here used.
    reading.cpu->usage_ns = reading.cpu->user_ns + reading.cpu->system_ns;
    reading.cpu->throttling.reset();  // the root has no limit
  }
  reading.cpu_pressure = parse_pressure(read_whole(roots_.proc + "/pressure/cpu"));
  reading.memory_pressure = parse_pressure(read_whole(roots_.proc + "/pressure/memory"));
  reading.io_pressure = parse_pressure(read_whole(roots_.proc + "/pressure/io"));
  if (const auto memory = parse_meminfo(read_whole(roots_.proc + "/meminfo"))) {
    reading.memory_current = memory->total - std::min(memory->total, memory->available);
    reading.limits.memory_max = memory->total;
  }
  return reading;
}

// The namespace is looked at after the counters: if the process is in it now, it was then.
std::optional<NetworkUse> ResourceReader::network_of(std::uint32_t pid, std::uint32_t inum) {
  auto use = parse_net_dev(read_whole(fmt::format("{}/{}/net/dev", roots_.proc, pid)));
  if (!use || parse_namespace_link(read_link(fmt::format("{}/{}/ns/net", roots_.proc, pid))) != inum) {
    return std::nullopt;
  }
  use->inum = inum;
  return use;
}

std::optional<NetworkUse> ResourceReader::read_network(const CgroupTree& cgroups,
                                                       const std::vector<std::uint64_t>& cgroup_ids,
                                                       std::uint32_t inum, std::uint32_t& known_pid) {
  if (known_pid != 0) {
    if (auto use = network_of(known_pid, inum)) {
      return use;
    }
    known_pid = 0;
  }
  std::size_t tried = 0;
  for (const std::uint64_t id : cgroup_ids) {
    const std::string folder = cgroups.folder_of(id);
    if (folder.empty()) {
      continue;
    }
    for (const std::uint32_t pid : parse_cgroup_procs(read_whole(folder + "/cgroup.procs"))) {
      if (++tried > pids_tried) {
        return std::nullopt;
      }
      if (auto use = network_of(pid, inum)) {
        known_pid = pid;
        return use;
      }
    }
  }
  return std::nullopt;
}

}  // namespace isoscope::identity
