// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "identity/resources.h"
#include "identity/unit.h"

namespace isoscope::aggregate {

enum class Bottleneck { none, cpu, memory, io };
const char* to_string(Bottleneck bottleneck);

// What a unit, with all that is inside of it, used between two readings. Empty is what is not known.
struct ResourcesRow {
  identity::UnitRef unit;
  std::uint64_t cgroup_id = 0;  // the root: the host, which is the whole machine
  std::string cgroup_path;
  // Between the readings: the window's length, or more where the unit did not run in the windows before.
  std::uint64_t span_ns = 0;

  // Differences.
  std::optional<identity::CpuUse> cpu;
  std::optional<identity::Pressure> cpu_pressure;
  std::optional<identity::Pressure> memory_pressure;
  std::optional<identity::Pressure> io_pressure;
  std::optional<identity::MemoryEvents> memory_events;
  std::optional<identity::IoUse> io;
  std::optional<identity::NetworkUse> network;

  // As they stand at the end. The peak is that of the cgroup's life.
  std::optional<std::uint64_t> memory_current;
  std::optional<std::uint64_t> memory_peak;
  identity::ResourceLimits limits;

  std::optional<double> efficiency;
  std::optional<Bottleneck> bottleneck;
};

}  // namespace isoscope::aggregate
