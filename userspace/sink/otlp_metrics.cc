// SPDX-License-Identifier: Apache-2.0
#include "sink/otlp_metrics.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "event/reason.h"
#include "sink/otlp_json.h"
#include "sink/text.h"

namespace isoscope::sink {

namespace {

using Attributes = std::initializer_list<OtlpAttribute>;
using aggregate::DurationStats;
using aggregate::ResourcesRow;
using aggregate::SchedRow;
using aggregate::VmExitsRow;

constexpr unsigned delta = 1;  // of AggregationTemporality

enum class Kind { sum, gauge, histogram };

// One metric. It is written with its first point, so that there is none without.
class Metric {
 public:
  Metric(Json& json, const OtlpSpan& span, Kind kind, const char* name, const char* unit)
      : json_(json), span_(span), kind_(kind), name_(name), unit_(unit) {}
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;
  ~Metric() {
    if (is_open_) {
      close();
    }
  }

  void count(Attributes attributes, std::uint64_t value) {
    point(attributes, [&](JsonObject& object) { object.id("asInt", value); });
  }
  void seconds(Attributes attributes, std::uint64_t ns) {
    point(attributes, [&](JsonObject& object) {
      object.key("asDouble");
      json_.writer.Double(in_seconds(ns));
    });
  }
  void distribution(Attributes attributes, const DurationStats& stats, bool has_ends) {
    point(attributes, [&](JsonObject& object) { add_histogram(object, stats, has_ends); });
  }

 private:
  static double in_seconds(std::uint64_t ns) { return static_cast<double>(ns) / 1e9; }

  void open() {
    is_open_ = true;
    json_.writer.StartObject();
    write_member("name", name_);
    write_member("unit", unit_);
    json_.writer.Key(kind_ == Kind::sum ? "sum" : kind_ == Kind::gauge ? "gauge" : "exponentialHistogram");
    json_.writer.StartObject();
    json_.writer.Key("dataPoints");
    json_.writer.StartArray();
  }
  void close() {
    json_.writer.EndArray();
    if (kind_ != Kind::gauge) {
      json_.writer.Key("aggregationTemporality");
      json_.writer.Uint(delta);
    }
    if (kind_ == Kind::sum) {
      json_.writer.Key("isMonotonic");
      json_.writer.Bool(true);
    }
    json_.writer.EndObject();
    json_.writer.EndObject();
  }
  void write_member(const char* key, const char* text) {
    json_.writer.Key(key);
    json_.writer.String(text);
  }

  template <typename AddValue>
  void point(Attributes attributes, AddValue add_value) {
    if (!is_open_) {
      open();
    }
    JsonObject object(json_);
    add_otlp_attributes(json_, object, attributes);
    if (kind_ != Kind::gauge) {
      object.id("startTimeUnixNano", span_.start_ns);
    }
    object.id("timeUnixNano", span_.end_ns);
    add_value(object);
  }

  void add_histogram(JsonObject& object, const DurationStats& stats, bool has_ends) {
    const auto filled = [](std::uint64_t count) { return count != 0; };
    const auto first = std::find_if(stats.buckets.begin(), stats.buckets.end(), filled);
    const auto last = std::find_if(stats.buckets.rbegin(), stats.buckets.rend(), filled).base();
    object.id("count", stats.count);
    object.key("sum");
    json_.writer.Double(in_seconds(stats.sum_ns));
    object.number("scale", ISOSCOPE_HIST_SCALE);
    object.id("zeroCount", 0);
    {
      JsonObject positive(json_, "positive");
      constexpr int lowest = ISOSCOPE_HIST_OFFSET;
      positive.signed_number("offset", lowest + (first - stats.buckets.begin()));
      positive.key("bucketCounts");
      json_.writer.StartArray();
      for (auto bucket = first; bucket < last; ++bucket) {
        json_.writer.String(std::to_string(*bucket).c_str());
      }
      json_.writer.EndArray();
    }
    if (has_ends) {
      object.key("min");
      json_.writer.Double(in_seconds(stats.min_ns));
      object.key("max");
      json_.writer.Double(in_seconds(stats.max_ns));
    }
  }

  Json& json_;
  OtlpSpan span_;
  Kind kind_;
  const char* name_;
  const char* unit_;
  bool is_open_ = false;
};

// Writes metrics over the rows of a window: `add(metric, row)` adds the points of a row.
class Writer {
 public:
  Writer(Json& json, const OtlpSpan& span) : json_(json), span_(span) {}

  template <typename Rows, typename Add>
  void operator()(Kind kind, const char* name, const char* unit, const Rows& rows, Add add) const {
    Metric metric(json_, span_, kind, name, unit);
    for (const auto& row : rows) {
      add(metric, row);
    }
  }

 private:
  Json& json_;
  OtlpSpan span_;
};

std::string reason_of(const VmExitsRow& row) {
  return row.other ? std::string(event::other_reasons) : event::reason_name(row.isa, row.reason);
}

void write_exits(const Writer& write, const std::vector<VmExitsRow>& rows) {
  write(Kind::sum, "isoscope.vm.exits", "{exit}", rows, [](Metric& metric, const VmExitsRow& row) {
    metric.count(
        {{"vm.id", row.vm.id}, {"vm.name", row.vm.name}, {"vcpu", row.vcpu_id}, {"reason", reason_of(row)}},
        row.count);
  });
  write(Kind::sum, "isoscope.vm.exit.time", "s", rows, [](Metric& metric, const VmExitsRow& row) {
    const std::pair<const char*, std::uint64_t> parts[] = {{"kernel", row.split.kernel_ns(row.stats.sum_ns)},
                                                           {"halted", row.split.halted_ns},
                                                           {"userspace", row.split.userspace_ns},
                                                           {"preempted", row.split.preempted_ns}};
    for (const auto& [part, ns] : parts) {
      metric.seconds({{"vm.id", row.vm.id},
                      {"vm.name", row.vm.name},
                      {"vcpu", row.vcpu_id},
                      {"reason", reason_of(row)},
                      {"part", part}},
                     ns);
    }
  });
  write(Kind::histogram, "isoscope.vm.exit.duration", "s", rows, [](Metric& metric, const VmExitsRow& row) {
    if (has_distribution(row.stats)) {
      metric.distribution(
          {{"vm.id", row.vm.id}, {"vm.name", row.vm.name}, {"vcpu", row.vcpu_id}, {"reason", reason_of(row)}},
          row.stats, true);
    }
  });
}

// Of a unit; `more` is a further attribute.
template <typename Take>
void with_unit(const identity::UnitRef& unit, Take take) {
  take(OtlpAttribute{"unit.kind", identity::to_string(unit.kind)}, OtlpAttribute{"unit.id", unit.id},
       OtlpAttribute{"unit.name", unit.name});
}

void write_preemptions(const Writer& write, const std::vector<SchedRow>& rows) {
  write(Kind::sum, "isoscope.preemption.time", "s", rows, [](Metric& metric, const SchedRow& row) {
    with_unit(row.unit, [&](const auto& kind, const auto& id, const auto& name) {
      for (const aggregate::PreemptedBy& by : row.preempted_by) {
        const identity::UnitRef nobody{identity::UnitKind::host, "", ""};
        const identity::UnitRef& other = by.unit ? *by.unit : nobody;
        metric.seconds({kind,
                        id,
                        name,
                        {"by.kind", by.unit ? identity::to_string(other.kind) : "nobody"},
                        {"by.id", other.id},
                        {"by.name", other.name}},
                       by.waited_ns);
      }
    });
  });
}

void write_sched(const Writer& write, const std::vector<SchedRow>& rows) {
  write(Kind::sum, "isoscope.context_switches", "{switch}", rows, [](Metric& metric, const SchedRow& row) {
    with_unit(row.unit, [&](const auto& kind, const auto& id, const auto& name) {
      metric.count({kind, id, name, {"type", "voluntary"}}, row.voluntary);
      metric.count({kind, id, name, {"type", "involuntary"}}, row.involuntary);
    });
  });
  const auto seconds = [&](const char* name, std::uint64_t SchedRow::*member) {
    write(Kind::sum, name, "s", rows, [member](Metric& metric, const SchedRow& row) {
      with_unit(row.unit, [&](const auto&... unit) { metric.seconds({unit...}, row.*member); });
    });
  };
  seconds("isoscope.on_cpu.time", &SchedRow::on_cpu_ns);
  seconds("isoscope.preempted.time", &SchedRow::preempted_ns);
  write_preemptions(write, rows);
  write(Kind::sum, "isoscope.vm.steal.time", "s", rows, [](Metric& metric, const SchedRow& row) {
    if (row.steal_ns) {
      with_unit(row.unit, [&](const auto&... unit) { metric.seconds({unit...}, *row.steal_ns); });
    }
  });
  write(Kind::histogram, "isoscope.run_queue.wait", "s", rows, [](Metric& metric, const SchedRow& row) {
    if (row.run_queue.count > 0) {
      with_unit(row.unit, [&](const auto&... unit) { metric.distribution({unit...}, row.run_queue, false); });
    }
  });
}

void write_pressure(const Writer& write, const std::vector<ResourcesRow>& rows) {
  write(Kind::sum, "isoscope.unit.pressure.time", "s", rows, [](Metric& metric, const ResourcesRow& row) {
    with_unit(row.unit, [&](const auto&... unit) {
      const std::pair<const char*, const std::optional<identity::Pressure>*> all[] = {
          {"cpu", &row.cpu_pressure}, {"memory", &row.memory_pressure}, {"io", &row.io_pressure}};
      for (const auto& [resource, pressure] : all) {
        if (*pressure) {
          metric.seconds({unit..., {"resource", resource}}, (*pressure)->some_ns);
        }
      }
    });
  });
}

void write_resources(const Writer& write, const std::vector<ResourcesRow>& rows) {
  write(Kind::sum, "isoscope.unit.cpu.time", "s", rows, [](Metric& metric, const ResourcesRow& row) {
    with_unit(row.unit, [&](const auto&... unit) {
      if (row.cpu) {
        metric.seconds({unit..., {"mode", "user"}}, row.cpu->user_ns);
        metric.seconds({unit..., {"mode", "system"}}, row.cpu->system_ns);
      }
    });
  });
  write(Kind::sum, "isoscope.unit.throttled.time", "s", rows, [](Metric& metric, const ResourcesRow& row) {
    if (row.cpu && row.cpu->throttling) {
      with_unit(row.unit,
                [&](const auto&... unit) { metric.seconds({unit...}, row.cpu->throttling->throttled_ns); });
    }
  });
  write_pressure(write, rows);
  write(Kind::gauge, "isoscope.unit.memory.usage", "By", rows, [](Metric& metric, const ResourcesRow& row) {
    if (row.memory_current) {
      with_unit(row.unit, [&](const auto&... unit) { metric.count({unit...}, *row.memory_current); });
    }
  });
  write(Kind::sum, "isoscope.unit.disk.io", "By", rows, [](Metric& metric, const ResourcesRow& row) {
    with_unit(row.unit, [&](const auto&... unit) {
      if (row.io) {
        metric.count({unit..., {"direction", "read"}}, row.io->read_bytes);
        metric.count({unit..., {"direction", "write"}}, row.io->written_bytes);
      }
    });
  });
  write(Kind::sum, "isoscope.unit.network.io", "By", rows, [](Metric& metric, const ResourcesRow& row) {
    with_unit(row.unit, [&](const auto&... unit) {
      if (row.network) {
        metric.count({unit..., {"direction", "receive"}}, row.network->received_bytes);
        metric.count({unit..., {"direction", "transmit"}}, row.network->sent_bytes);
      }
    });
  });
}

// What this kernel cannot tell has no point: 0 checks would look like 0 breaches.
void write_invariants(const Writer& write, const std::vector<aggregate::InvariantRow>& rows) {
  const auto counts = [&](const char* name, const char* unit,
                          std::uint64_t aggregate::InvariantRow::*member) {
    write(Kind::sum, name, unit, rows, [member](Metric& metric, const aggregate::InvariantRow& row) {
      if (row.watched) {
        metric.count({{"invariant", event::to_string(row.invariant)}}, row.*member);
      }
    });
  };
  counts("isoscope.invariant.checks", "{check}", &aggregate::InvariantRow::checks);
  counts("isoscope.invariant.breaches", "{breach}", &aggregate::InvariantRow::breaches);
}

void write_ledger(const Writer& write, const aggregate::Ledger& ledger) {
  using aggregate::CauseLedger;
  using aggregate::ClassLedger;
  write(Kind::sum, "isoscope.events", "{record}", ledger.classes, [](Metric& metric, const ClassLedger& row) {
    metric.count({{"class", row.name}}, row.handled);
  });
  write(Kind::sum, "isoscope.events.lost", "{record}", ledger.classes,
        [](Metric& metric, const ClassLedger& row) {
          metric.count({{"class", row.name}}, row.dropped);
        });
  write(Kind::sum, "isoscope.failures", "{failure}", ledger.causes,
        [](Metric& metric, const CauseLedger& row) {
          metric.count({{"cause", row.name}}, row.count);
        });
  const aggregate::Ledger* const one[] = {&ledger};
  write(Kind::sum, "isoscope.write_errors", "{line}", one,
        [](Metric& metric, const auto* row) { metric.count({}, row->write_errors); });
  write(Kind::sum, "process.cpu.time", "s", one,
        [](Metric& metric, const auto* row) { metric.seconds({}, row->agent_cpu_ns); });
  write(Kind::gauge, "process.memory.usage", "By", one,
        [](Metric& metric, const auto* row) { metric.count({}, row->agent_resident_bytes); });
}

}  // namespace

void write_otlp_metrics(Json& json, const OtlpSpan& span, const aggregate::Snapshot& window) {
  const Writer write(json, span);
  write_exits(write, window.vm_exits);
  write_sched(write, window.sched);
  write_resources(write, window.resources);
  write_invariants(write, window.invariants.rows);
  write_ledger(write, window.ledger);
}

}  // namespace isoscope::sink
