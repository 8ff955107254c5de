// SPDX-License-Identifier: Apache-2.0
#include "aggregate/resources.h"

#include <algorithm>
#include <array>
#include <utility>

namespace isoscope::aggregate {

namespace {

using identity::CpuUse;
using identity::IoUse;
using identity::MemoryEvents;
using identity::NetworkUse;
using identity::Pressure;
using identity::ResourceReading;
using identity::Throttling;

// The counters of each kind; differences and sums are made of them one by one.
template <typename T>
struct Counters;
template <>
struct Counters<Throttling> {
  static constexpr std::array all{&Throttling::periods, &Throttling::throttled_periods,
                                  &Throttling::throttled_ns};
};
template <>
struct Counters<CpuUse> {
  static constexpr std::array all{&CpuUse::usage_ns, &CpuUse::user_ns, &CpuUse::system_ns};
};
template <>
struct Counters<Pressure> {
  static constexpr std::array all{&Pressure::some_ns};
};
template <>
struct Counters<MemoryEvents> {
  static constexpr std::array all{&MemoryEvents::high, &MemoryEvents::oom_kills};
};
template <>
struct Counters<IoUse> {
  static constexpr std::array all{&IoUse::read_bytes, &IoUse::written_bytes, &IoUse::reads, &IoUse::writes};
};
template <>
struct Counters<NetworkUse> {
  static constexpr std::array all{&NetworkUse::received_bytes, &NetworkUse::sent_bytes,
                                  &NetworkUse::received_packets, &NetworkUse::sent_packets};
};

template <typename T>
std::optional<T> since(const std::optional<T>& now, const std::optional<T>& before) {
  if (!now || !before) {
    return std::nullopt;
  }
  T difference = *now;
  for (const auto counter : Counters<T>::all) {
    if (difference.*counter < (*before).*counter) {
      return std::nullopt;
    }
    difference.*counter -= (*before).*counter;
  }
  return difference;
}

std::optional<CpuUse> since_cpu(const std::optional<CpuUse>& now, const std::optional<CpuUse>& before) {
  auto use = since(now, before);
  if (use) {
    use->throttling = since(now->throttling, before->throttling);
  }
  return use;
}

std::optional<Pressure> since_pressure(const std::optional<Pressure>& now,
                                       const std::optional<Pressure>& before) {
  auto pressure = since(now, before);
  if (pressure && pressure->full_ns) {
    const bool grown = before->full_ns && *before->full_ns <= *now->full_ns;
    pressure->full_ns = grown ? std::optional(*now->full_ns - *before->full_ns) : std::nullopt;
  }
  return pressure;
}

std::optional<NetworkUse> since_network(const std::optional<NetworkUse>& now,
                                        const std::optional<NetworkUse>& before) {
  return now && before && now->inum == before->inum ? since(now, before) : std::nullopt;
}

// What a counter of `now` was when the cgroup was made.
template <typename T>
void put_zero(const std::optional<T>& now, std::optional<T>& before) {
  if (now && !before) {
    before = T{};
  }
}

ResourceReading nothing_of(const ResourceReading& now) {
  ResourceReading before;
  put_zero(now.cpu, before.cpu);
  if (before.cpu) {
    put_zero(now.cpu->throttling, before.cpu->throttling);
  }
  for (const auto pressure :
       {&ResourceReading::cpu_pressure, &ResourceReading::memory_pressure, &ResourceReading::io_pressure}) {
    put_zero(now.*pressure, before.*pressure);
    if (before.*pressure) {
      put_zero((now.*pressure)->full_ns, (before.*pressure)->full_ns);
    }
  }
  put_zero(now.memory_events, before.memory_events);
  put_zero(now.io, before.io);
  return before;
}

template <typename T>
void add(std::optional<T>& sum, const std::optional<T>& more) {
  if (!sum || !more) {
    sum = sum ? sum : more;
    return;
  }
  for (const auto counter : Counters<T>::all) {
    (*sum).*counter += (*more).*counter;
  }
}

void add_cpu(std::optional<CpuUse>& sum, const std::optional<CpuUse>& more) {
  const bool both = sum && more;
  add(sum, more);
  if (both) {
    add(sum->throttling, more->throttling);
  }
}

void add_pressure(std::optional<Pressure>& sum, const std::optional<Pressure>& more) {
  const bool both = sum && more;
  add(sum, more);
  if (both && more->full_ns) {
    sum->full_ns = sum->full_ns.value_or(0) + *more->full_ns;
  }
}

double as_double(std::uint64_t value) {
  return static_cast<double>(value);
}

double cpus_of(const ResourcesRow& row) {
  return row.cpu && row.span_ns > 0 ? std::max(1.0, as_double(row.cpu->usage_ns) / as_double(row.span_ns))
                                    : 1.0;
}

}  // namespace

const char* to_string(Bottleneck bottleneck) {
  switch (bottleneck) {
    case Bottleneck::none:
      return "none";
    case Bottleneck::cpu:
      return "cpu";
    case Bottleneck::memory:
      return "memory";
    case Bottleneck::io:
      return "io";
  }
  return "?";
}

std::optional<std::uint64_t> cpu_waiting_ns(const ResourcesRow& row) {
  const bool throttling = row.cpu && row.cpu->throttling;
  if (!row.cpu_pressure && !throttling) {
    return std::nullopt;
  }
  const double stalled = row.cpu_pressure ? as_double(row.cpu_pressure->some_ns) * cpus_of(row) : 0;
  return std::max(static_cast<std::uint64_t>(stalled), throttling ? row.cpu->throttling->throttled_ns : 0);
}

std::optional<double> efficiency_of(const ResourcesRow& row) {
  const auto waiting = cpu_waiting_ns(row);
  if (!row.cpu || !waiting || row.cpu->usage_ns + *waiting == 0) {
    return std::nullopt;
  }
  return as_double(row.cpu->usage_ns) / as_double(row.cpu->usage_ns + *waiting);
}

std::optional<Bottleneck> bottleneck_of(const ResourcesRow& row,
                                        const config::BottleneckThresholds& thresholds) {
  const auto waiting = cpu_waiting_ns(row);
  if (row.span_ns == 0 || (!waiting && !row.memory_pressure && !row.io_pressure)) {
    return std::nullopt;
  }
  const double span = as_double(row.span_ns);
  Bottleneck worst = Bottleneck::none;
  double worst_factor = 1;
  const auto judge = [&](Bottleneck resource, double waited_ns, double threshold) {
    const double factor = std::min(waited_ns / span, 1.0) / threshold;
    if (factor > worst_factor) {
      worst = resource;
      worst_factor = factor;
    }
  };
  if (waiting) {
    judge(Bottleneck::cpu, as_double(*waiting) / cpus_of(row), thresholds.cpu);
  }
  if (row.memory_pressure) {
    judge(Bottleneck::memory, as_double(row.memory_pressure->some_ns), thresholds.memory);
  }
  if (row.io_pressure) {
    judge(Bottleneck::io, as_double(row.io_pressure->some_ns), thresholds.io);
  }
  return worst;
}

void merge(ResourcesRow& sum, const ResourcesRow& later, const config::BottleneckThresholds& thresholds) {
  sum.span_ns += later.span_ns;
  add_cpu(sum.cpu, later.cpu);
  add_pressure(sum.cpu_pressure, later.cpu_pressure);
  add_pressure(sum.memory_pressure, later.memory_pressure);
  add_pressure(sum.io_pressure, later.io_pressure);
  add(sum.memory_events, later.memory_events);
  add(sum.io, later.io);
  add(sum.network, later.network);
  sum.memory_current = later.memory_current;
  sum.memory_peak = std::max(sum.memory_peak, later.memory_peak);
  sum.limits = later.limits;
  sum.efficiency = efficiency_of(sum);
  sum.bottleneck = bottleneck_of(sum, thresholds);
}

void ResourceWindows::begin(std::uint64_t cgroup_id, const ResourceReading& reading, std::uint64_t now_ns) {
  previous_[cgroup_id] = Previous{now_ns, false, reading};
}

void ResourceWindows::begin_empty(std::uint64_t cgroup_id, std::uint64_t now_ns) {
  previous_[cgroup_id] = Previous{now_ns, true, {}};
}

std::optional<ResourcesRow> ResourceWindows::close(std::uint64_t cgroup_id, const ResourceReading& reading,
                                                   std::uint64_t now_ns) {
  const auto known = previous_.find(cgroup_id);
  if (known == previous_.end()) {
    begin(cgroup_id, reading, now_ns);
    return std::nullopt;
  }
  Previous& previous = known->second;
  const ResourceReading before = previous.empty ? nothing_of(reading) : previous.reading;
  ResourcesRow row;
  row.cgroup_id = cgroup_id;
  row.span_ns = now_ns - std::min(now_ns, previous.at_ns);
  row.cpu = since_cpu(reading.cpu, before.cpu);
  row.cpu_pressure = since_pressure(reading.cpu_pressure, before.cpu_pressure);
  row.memory_pressure = since_pressure(reading.memory_pressure, before.memory_pressure);
  row.io_pressure = since_pressure(reading.io_pressure, before.io_pressure);
  row.memory_events = since(reading.memory_events, before.memory_events);
  row.io = since(reading.io, before.io);
  row.network = since_network(reading.network, before.network);
  row.memory_current = reading.memory_current;
  row.memory_peak = reading.memory_peak;
  row.limits = reading.limits;
  row.efficiency = efficiency_of(row);
  row.bottleneck = bottleneck_of(row, thresholds_);
  previous = Previous{now_ns, false, reading};
  return row;
}

void ResourceWindows::forget_if(const std::function<bool(std::uint64_t cgroup_id)>& gone) {
  std::erase_if(previous_, [&](const auto& entry) { return gone(entry.first); });
}

}  // namespace isoscope::aggregate
