// SPDX-License-Identifier: Apache-2.0
#include "sink/ndjson_resources.h"

#include <optional>

namespace isoscope::sink {

namespace {

using aggregate::ResourcesRow;

void add_known(JsonObject& object, std::string_view name, const std::optional<std::uint64_t>& value) {
  if (value) {
    object.number(name, *value);
  }
}

void add_limit(JsonObject& object, std::string_view name, const std::optional<std::uint64_t>& limit) {
  if (limit == identity::no_limit) {
    object.null(name);
  } else {
    add_known(object, name, limit);
  }
}

void add_cpu(Json& json, const ResourcesRow& row) {
  if (!row.cpu) {
    return;
  }
  JsonObject cpu(json, "cpu");
  cpu.number("usage_ns", row.cpu->usage_ns);
  cpu.number("user_ns", row.cpu->user_ns);
  cpu.number("system_ns", row.cpu->system_ns);
  if (row.limits.cpu_millionths == identity::no_limit) {
    cpu.null("limit_cpus");
  } else if (row.limits.cpu_millionths) {
    cpu.real("limit_cpus", static_cast<double>(*row.limits.cpu_millionths) / 1e6);
  }
  if (row.cpu->throttling) {
    cpu.number("periods", row.cpu->throttling->periods);
    cpu.number("throttled_periods", row.cpu->throttling->throttled_periods);
    cpu.number("throttled_ns", row.cpu->throttling->throttled_ns);
  }
}

void add_pressure(Json& json, std::string_view name, const std::optional<identity::Pressure>& pressure,
                  std::uint64_t span_ns) {
  if (!pressure) {
    return;
  }
  const auto share = [&](std::uint64_t ns) { return static_cast<double>(ns) / static_cast<double>(span_ns); };
  JsonObject object(json, name);
  object.number("some_ns", pressure->some_ns);
  add_known(object, "full_ns", pressure->full_ns);
  if (span_ns > 0) {
    object.real("some_share", share(pressure->some_ns));
    if (pressure->full_ns) {
      object.real("full_share", share(*pressure->full_ns));
    }
  }
}

void add_pressures(Json& json, const ResourcesRow& row) {
  if (!row.cpu_pressure && !row.memory_pressure && !row.io_pressure) {
    return;
  }
  JsonObject pressure(json, "pressure");
  add_pressure(json, "cpu", row.cpu_pressure, row.span_ns);
  add_pressure(json, "memory", row.memory_pressure, row.span_ns);
  add_pressure(json, "io", row.io_pressure, row.span_ns);
}

void add_memory(Json& json, const ResourcesRow& row) {
  if (!row.memory_current) {
    return;
  }
  JsonObject memory(json, "memory");
  memory.number("current_bytes", *row.memory_current);
  add_known(memory, "peak_bytes", row.memory_peak);
  add_limit(memory, "limit_bytes", row.limits.memory_max);
  add_limit(memory, "high_bytes", row.limits.memory_high);
  if (row.memory_events) {
    memory.number("high_events", row.memory_events->high);
    memory.number("oom_kills", row.memory_events->oom_kills);
  }
}

void add_io(Json& json, const ResourcesRow& row) {
  if (!row.io) {
    return;
  }
  JsonObject io(json, "io");
  io.number("read_bytes", row.io->read_bytes);
  io.number("written_bytes", row.io->written_bytes);
  io.number("reads", row.io->reads);
  io.number("writes", row.io->writes);
}

void add_network(Json& json, const ResourcesRow& row) {
  if (!row.network) {
    return;
  }
  JsonObject network(json, "network");
  network.number("namespace", row.network->inum);
  network.number("received_bytes", row.network->received_bytes);
  network.number("sent_bytes", row.network->sent_bytes);
  network.number("received_packets", row.network->received_packets);
  network.number("sent_packets", row.network->sent_packets);
}

}  // namespace

void add_resources(Json& json, JsonObject& object, const ResourcesRow& row) {
  {
    JsonObject cgroup(json, "cgroup");
    cgroup.id("id", row.cgroup_id);
    cgroup.text("path", row.cgroup_path);
  }
  object.number("span_ns", row.span_ns);
  add_cpu(json, row);
  add_pressures(json, row);
  add_memory(json, row);
  add_io(json, row);
  add_network(json, row);
  if (row.efficiency) {
    object.real("efficiency", *row.efficiency);
  }
  if (row.bottleneck) {
    object.text("bottleneck", aggregate::to_string(*row.bottleneck));
  }
}

}  // namespace isoscope::sink
