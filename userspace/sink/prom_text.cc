// SPDX-License-Identifier: Apache-2.0
#include "sink/prom_text.h"

#include <utility>

#include "sink/prom_exposition.h"

namespace isoscope::sink {

namespace {

using Labels = Exposition::Labels;
using Type = Exposition::Type;

double seconds(std::uint64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

double number(std::uint64_t count) {
  return static_cast<double>(count);  // exact up to 2^53
}

Labels with(Labels labels, const char* name, std::string value) {
  labels.emplace_back(name, std::move(value));
  return labels;
}

Labels vm_labels(const PromSeries::Owner& owner) {
  return {{"id", owner.id}, {"vm", owner.name}};
}

Labels unit_labels(const PromSeries::Owner& owner) {
  return {{"kind", owner.kind}, {"id", owner.id}, {"unit", owner.name}};
}

template <typename Take>
void for_each_owner(const PromSeries& series, Take take) {
  for (const auto& [key, owner] : series.owners()) {
    take(owner);
  }
  take(series.other());
}

void add_exits(const PromSeries& series, Exposition& out) {
  out.begin(Type::counter, "isoscope_vm_exits_total", "VM exits by the kernel's name of their reason.");
  for_each_owner(series, [&](const PromSeries::Owner& owner) {
    if (owner.exits) {
      for (const auto& [reason, count] : owner.exits->by_reason) {
        out.add(with(vm_labels(owner), "reason", reason), number(count));
      }
    }
  });
  out.begin(Type::counter, "isoscope_vm_exit_seconds_total",
            "Time between VM exits and the next entries, by where it went; halted is the guest's own sleep.");
  for_each_owner(series, [&](const PromSeries::Owner& owner) {
    if (owner.exits) {
      const event::Split& split = owner.exits->split;
      const std::pair<const char*, std::uint64_t> parts[] = {{"halted", split.halted_ns},
                                                             {"kernel", split.kernel_ns(owner.exits->sum_ns)},
                                                             {"preempted", split.preempted_ns},
                                                             {"userspace", split.userspace_ns}};
      for (const auto& [part, ns] : parts) {
        out.add(with(vm_labels(owner), "part", part), seconds(ns));
      }
    }
  });
  out.begin(Type::histogram, "isoscope_vm_exit_duration_seconds", "Durations of VM exits that are no halts.");
  for_each_owner(series, [&](const PromSeries::Owner& owner) {
    if (owner.exits) {
      out.add(vm_labels(owner), owner.exits->durations);
    }
  });
}

void add_sched(const PromSeries& series, Exposition& out) {
  const auto for_each = [&](auto take) {
    for_each_owner(series, [&](const PromSeries::Owner& owner) {
      if (owner.sched) {
        take(unit_labels(owner), *owner.sched);
      }
    });
  };
  out.begin(Type::counter, "isoscope_context_switches_total", "Switches away from threads of the unit.");
  for_each([&](const Labels& labels, const PromSeries::Sched& sched) {
    out.add(with(labels, "type", "involuntary"), number(sched.involuntary));
    out.add(with(labels, "type", "voluntary"), number(sched.voluntary));
  });
  out.begin(Type::counter, "isoscope_on_cpu_seconds_total", "Time for which threads of the unit ran.");
  for_each([&](const Labels& labels, const PromSeries::Sched& sched) {
    out.add(labels, seconds(sched.on_cpu_ns));
  });
  out.begin(Type::counter, "isoscope_preempted_seconds_total",
            "Time for which threads of the unit waited after another task had taken their CPU.");
  for_each([&](const Labels& labels, const PromSeries::Sched& sched) {
    out.add(labels, seconds(sched.preempted_ns));
  });
  out.begin(Type::histogram, "isoscope_run_queue_wait_seconds",
            "Waits of the unit's threads for a CPU, from being able to run until they ran.");
  for_each([&](const Labels& labels, const PromSeries::Sched& sched) { out.add(labels, sched.waits); });
}

void add_security(const PromSeries& series, Exposition& out) {
  const auto add_rules = [&](const std::map<PromSeries::RuleKey, std::uint64_t>& rules) {
    for (const auto& [key, count] : rules) {
      const auto& [policy, rule, severity] = key;
      out.add({{"policy", policy}, {"rule", rule}, {"severity", severity}}, number(count));
    }
  };
  out.begin(Type::counter, "isoscope_violations_total", "Violations, those that were folded too.");
  add_rules(series.violations());
  out.begin(Type::counter, "isoscope_audits_total", "What rules audit, what was folded too.");
  add_rules(series.audits());
  out.begin(Type::counter, "isoscope_crossings_total",
            "Crossings of namespaces and cgroups; with --events crossings alone.");
  for (const auto& [key, count] : series.crossings()) {
    out.add({{"direction", std::get<0>(key)}, {"mechanism", std::get<1>(key)}}, number(count));
  }
}

void add_ledger(const aggregate::Ledger& ledger, Exposition& out) {
  out.begin(Type::counter, "isoscope_events_total", "Records through the rings that were handled.");
  for (const aggregate::ClassLedger& row : ledger.classes) {
    out.add({{"class", row.name}}, number(row.handled));
  }
  out.begin(Type::counter, "isoscope_events_lost_total",
            "Records that found no room in their ring, or could not be read.");
  for (const aggregate::ClassLedger& row : ledger.classes) {
    out.add({{"class", row.name}, {"cause", "ring_full"}}, number(row.dropped));
  }
  out.add({{"class", "unknown"}, {"cause", "undecodable"}}, number(ledger.undecodable));
  out.begin(Type::counter, "isoscope_failures_total",
            "What could not be followed, told apart or read, by cause; as in the ledger.");
  for (const aggregate::CauseLedger& row : ledger.causes) {
    out.add({{"cause", row.name}}, number(row.count));
  }
  out.begin(Type::counter, "isoscope_unmatched_exits_total", "VM exits that never saw an entry.");
  out.add({}, number(ledger.unmatched_exits));
  out.begin(Type::counter, "isoscope_unmatched_entries_total", "VM entries without an exit before.");
  out.add({}, number(ledger.unmatched_entries));
  out.begin(Type::counter, "isoscope_write_errors_total", "Lines that outputs could not write.");
  out.add({}, number(ledger.write_errors));
  out.begin(Type::gauge, "isoscope_map_entries", "Entries in use of a table in the kernel.");
  for (const aggregate::MapLedger& row : ledger.maps) {
    out.add({{"map", row.name}}, number(row.entries));
  }
  out.begin(Type::gauge, "isoscope_map_capacity", "Entries that a table in the kernel has room for.");
  for (const aggregate::MapLedger& row : ledger.maps) {
    out.add({{"map", row.name}}, number(row.capacity));
  }
}

void add_program(const PromSeries& series, const aggregate::Ledger& ledger, const PromProgram& program,
                 Exposition& out) {
  out.begin(Type::counter, "isoscope_series_overflow_total",
            "Additions to the series named other, since there are as many as --series allows.");
  out.add({}, number(series.overflow()));
  out.begin(Type::gauge, "isoscope_build_info", "The version that runs; always 1.");
  out.add({{"version", program.version}}, 1);
  out.begin(Type::counter, "process_cpu_seconds_total", "Time on CPU of isoscope, user and system.");
  out.add({}, seconds(ledger.agent_cpu_ns));
  out.begin(Type::gauge, "process_resident_memory_bytes", "Resident memory of isoscope.");
  out.add({}, number(ledger.agent_resident_bytes));
  out.begin(Type::gauge, "process_start_time_seconds", "Start of isoscope, since the Unix epoch.");
  out.add({}, seconds(program.started_wall_ns));
}

}  // namespace

std::string prom_text(const PromSeries& series, const aggregate::Ledger& ledger, const PromProgram& program) {
  Exposition out;
  add_exits(series, out);
  add_sched(series, out);
  add_security(series, out);
  add_ledger(ledger, out);
  add_program(series, ledger, program, out);
  return out.take();
}

}  // namespace isoscope::sink
