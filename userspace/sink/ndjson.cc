// SPDX-License-Identifier: Apache-2.0
#include "sink/ndjson.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "event/reason.h"
#include "sink/ndjson_invariants.h"
#include "sink/ndjson_policy.h"
#include "sink/ndjson_resources.h"
#include "sink/text.h"

namespace isoscope::sink {

namespace {

const char* isa_name(event::Isa isa) {
  switch (isa) {
    case event::Isa::unknown:
      return "unknown";
    case event::Isa::vmx:
      return "vmx";
    case event::Isa::svm:
      return "svm";
  }
  return "unknown";
}

const char* action_name(CgroupReport::Action action) {
  switch (action) {
    case CgroupReport::Action::made:
      return "made";
    case CgroupReport::Action::removed:
      return "removed";
    case CgroupReport::Action::attached:
      return "attached";
  }
  return "?";
}

void add_cgroup(Json& json, std::uint64_t id, std::string_view path) {
  JsonObject object(json, "cgroup");
  object.id("id", id);
  object.text("path", path);
}

// Members whose value is not known are left out.
void add_metadata(Json& json, JsonObject& object, const identity::Metadata& metadata) {
  const auto add = [](JsonObject& to, std::string_view name, const std::string& value) {
    if (!value.empty()) {
      to.text(name, value);
    }
  };
  add(object, "runtime", metadata.runtime);
  add(object, "container", metadata.container);
  add(object, "image", metadata.image);
  if (!metadata.pod_uid.empty() || !metadata.pod_name.empty()) {
    JsonObject pod(json, "pod");
    add(pod, "uid", metadata.pod_uid);
    add(pod, "name", metadata.pod_name);
    add(pod, "namespace", metadata.pod_namespace);
  }
  if (!metadata.labels.empty()) {
    JsonObject labels(json, "labels");
    for (const auto& [key, value] : metadata.labels) {
      labels.text(key, value);
    }
  }
}

void add_vm(Json& json, const identity::Vm& vm) {
  JsonObject object(json, "vm");
  object.text("id", vm.id);
  object.text("name", vm.name);
  object.text("uuid", vm.uuid);
  object.text("vmm", vm.vmm);
  object.number("pid", vm.pid);
  if (vm.cgroup_id != 0) {
    add_cgroup(json, vm.cgroup_id, vm.cgroup_path);
  }
  if (vm.scope) {
    JsonObject scope(json, "scope");
    scope.text("kind", identity::to_string(vm.scope->kind));
    scope.text("id", vm.scope->id);
    scope.text("name", vm.scope->name);
  }
}

void add_window(Json& json, const aggregate::Snapshot& window) {
  JsonObject object(json, "window");
  object.number("number", window.window);
  object.id("start_mono_ns", window.start_mono_ns);
  object.id("end_mono_ns", window.end_mono_ns);
}

void add_task(Json& json, std::string_view name, std::uint32_t pid, std::uint32_t tid) {
  JsonObject object(json, name);
  object.number("pid", pid);
  object.number("tid", tid);
}

void add_histogram(Json& json, const aggregate::DurationStats& stats) {
  const auto filled = [](std::uint64_t count) { return count != 0; };
  const auto first = std::find_if(stats.buckets.begin(), stats.buckets.end(), filled);
  const auto last = std::find_if(stats.buckets.rbegin(), stats.buckets.rend(), filled).base();
  JsonObject object(json, "hist");
  object.number("scale", ISOSCOPE_HIST_SCALE);
  constexpr int lowest = ISOSCOPE_HIST_OFFSET;
  object.signed_number("offset", first == stats.buckets.end() ? 0 : lowest + (first - stats.buckets.begin()));
  object.key("counts");
  json.writer.StartArray();
  for (auto bucket = first; bucket < last; ++bucket) {
    json.writer.Uint64(*bucket);
  }
  json.writer.EndArray();
}

// A member that is null, not 0, where it is not known.
void add_ns(JsonObject& object, std::string_view name, bool known, double value) {
  if (known) {
    object.number(name, static_cast<std::uint64_t>(std::llround(value)));
  } else {
    object.null(name);
  }
}

void add_distribution(Json& json, JsonObject& object, const aggregate::DurationStats& stats, bool known) {
  add_ns(object, "mean_ns", known,
         stats.count == 0 ? 0 : static_cast<double>(stats.sum_ns) / static_cast<double>(stats.count));
  add_ns(object, "p50_ns", known, stats.quantile_ns(0.5));
  add_ns(object, "p90_ns", known, stats.quantile_ns(0.9));
  add_ns(object, "p99_ns", known, stats.quantile_ns(0.99));
  add_ns(object, "p999_ns", known, stats.quantile_ns(0.999));
  add_histogram(json, stats);
}

// What is not known: no exit finished in the window, or (the row of others) only their sum was kept.
void add_durations(Json& json, JsonObject& object, const aggregate::DurationStats& stats) {
  object.number("finished", stats.count);
  object.number("sum_ns", stats.sum_ns);
  const bool known = has_distribution(stats);
  add_ns(object, "min_ns", known, static_cast<double>(stats.min_ns));
  add_ns(object, "max_ns", known, static_cast<double>(stats.max_ns));
  add_distribution(json, object, stats, known);
}

// Their least and greatest are known by their buckets alone.
void add_waits(Json& json, JsonObject& object, const aggregate::DurationStats& waits) {
  object.number("count", waits.count);
  object.number("sum_ns", waits.sum_ns);
  add_distribution(json, object, waits, waits.count > 0);
}

void add_preempted_by(Json& json, JsonObject& object, const std::vector<aggregate::PreemptedBy>& rows) {
  object.key("preempted_by");
  json.writer.StartArray();
  for (const aggregate::PreemptedBy& row : rows) {
    JsonObject by(json);
    if (row.unit) {
      add_unit_ref(json, "unit", *row.unit);
    } else {
      by.null("unit");
    }
    by.number("count", row.count);
    by.number("waited_ns", row.waited_ns);
  }
  json.writer.EndArray();
}

// The four parts make `duration_ns`.
void add_split(Json& json, const event::Split& split, std::uint64_t duration_ns) {
  JsonObject object(json, "split");
  object.number("kernel_ns", split.kernel_ns(duration_ns));
  object.number("halted_ns", split.halted_ns);
  object.number("userspace_ns", split.userspace_ns);
  object.number("preempted_ns", split.preempted_ns);
}

void add_reason(JsonObject& object, event::Isa isa, std::uint32_t reason, bool other) {
  object.text("isa", isa_name(isa));
  object.text("reason", other ? std::string(event::other_reasons) : event::reason_name(isa, reason));
  if (other) {
    object.null("reason_code");
  } else {
    object.number("reason_code", reason);
  }
  if (!other && event::is_failed_entry(isa, reason)) {
    object.boolean("failed_entry", true);
  }
}

void add_classes(Json& json, const aggregate::Ledger& ledger) {
  JsonObject classes(json, "classes");
  for (const aggregate::ClassLedger& row : ledger.classes) {
    JsonObject object(json, row.name);
    object.number("made", row.made);
    object.number("handled", row.handled);
    object.number("dropped", row.dropped);
  }
}

}  // namespace

NdjsonSink::NdjsonSink(OutputFile output, const base::WallClock& clock, const Host& host)
    : Sink(std::move(output), clock) {
  {
    JsonObject object(json_);
    object.text("name", host.name);
    object.text("machine_id", host.machine_id);
    object.text("boot_id", host.boot_id);
  }
  host_json_ = json_.text();
}

template <typename Members>
void NdjsonSink::line(const char* type, std::uint64_t mono_ns, Members members) {
  json_.clear();
  {
    JsonObject object(json_);
    object.text("schema", record_schema);
    object.text("type", type);
    object.text("time", rfc3339(wall_ns(mono_ns)));
    object.id("mono_ns", mono_ns);
    object.number("seq", next_seq_++);
    object.raw("host", host_json_);
    members(object);
  }
  text().append(json_.text());
  text().push_back('\n');
}

void NdjsonSink::format(const Report& report) {
  std::visit([this](const auto& one) { add(one); }, report);
}

void NdjsonSink::format_summary(const aggregate::Snapshot& summary) {
  add_violations(summary);
  add_invariants(summary, true);
  add_ledger(summary, true);
}

void NdjsonSink::add(const aggregate::Snapshot& window) {
  for (const aggregate::VmExitsRow& row : window.vm_exits) {
    line("vm_exits", window.end_mono_ns, [&](JsonObject& object) {
      add_window(json_, window);
      add_vm(json_, row.vm);
      add_unit_ref(json_, "unit", row.unit);
      object.number("vcpu", row.vcpu_id);
      object.number("tid", row.tid);
      add_reason(object, row.isa, row.reason, row.other);
      object.number("count", row.count);
      object.number("nested", row.nested);
      add_durations(json_, object, row.stats);
      add_split(json_, row.split, row.stats.sum_ns);
    });
  }
  for (const aggregate::SchedRow& row : window.sched) {
    add(window, row);
  }
  for (const aggregate::ResourcesRow& row : window.resources) {
    line("unit_resources", window.end_mono_ns, [&](JsonObject& object) {
      add_window(json_, window);
      add_unit_ref(json_, "unit", row.unit);
      add_resources(json_, object, row);
    });
  }
  add_invariants(window, false);
  add_ledger(window, false);
}

void NdjsonSink::add(const aggregate::Snapshot& window, const aggregate::SchedRow& row) {
  line("sched", window.end_mono_ns, [&](JsonObject& object) {
    add_window(json_, window);
    add_unit_ref(json_, "unit", row.unit);
    {
      JsonObject switches(json_, "switches");
      switches.number("voluntary", row.voluntary);
      switches.number("involuntary", row.involuntary);
    }
    object.number("on_cpu_ns", row.on_cpu_ns);
    object.number("threads", row.threads);
    object.number("wakeups", row.wakeups);
    object.number("migrations", row.migrations);
    {
      JsonObject run_queue(json_, "run_queue");
      add_waits(json_, run_queue, row.run_queue);
    }
    object.number("preempted_ns", row.preempted_ns);
    add_preempted_by(json_, object, row.preempted_by);
    if (row.steal_ns) {
      object.number("steal_ns", *row.steal_ns);
    }
  });
}

void NdjsonSink::add(const VmExitReport& report) {
  line("vm_exit", report.meta.ts_ns, [&](JsonObject& object) {
    add_vm(json_, report.vm);
    add_unit_ref(json_, "unit", report.unit);
    object.number("vcpu", report.exit.vcpu_id);
    object.number("tid", report.meta.tid);
    object.number("cpu", report.meta.cpu);
    add_reason(object, report.exit.isa, report.exit.reason, false);
    object.id("start_mono_ns", report.exit.start_ns);
    object.number("duration_ns", report.exit.duration_ns);
    add_split(json_, report.exit.split, report.exit.duration_ns);
    if (report.exit.guest_rip == 0) {
      object.null("guest_rip");
    } else {
      object.text("guest_rip", fmt::format("{:#x}", report.exit.guest_rip));
    }
  });
}

void NdjsonSink::add(const SwitchReport& report) {
  line("switch", report.meta.ts_ns, [&](JsonObject& object) {
    object.number("cpu", report.meta.cpu);
    {
      JsonObject prev(json_, "prev");
      prev.number("pid", report.meta.tgid);
      prev.number("tid", report.meta.tid);
      add_unit_ref(json_, "unit", report.prev);
    }
    {
      JsonObject next(json_, "next");
      next.number("pid", report.change.next_tgid);
      next.number("tid", report.change.next_tid);
      add_unit_ref(json_, "unit", report.next);
    }
    object.text("reason", report.change.voluntary ? "voluntary" : "involuntary");
    object.number("prev_state", report.change.prev_state);
    object.number("ran_ns", report.change.ran_ns);
    object.number("waited_ns", report.change.next_waited_ns);
  });
}

void NdjsonSink::add(const UnitReport& report) {
  line("unit", report.ts_mono_ns, [&](JsonObject& object) {
    object.text("state", identity::to_string(report.unit.state));
    add_unit_ref(json_, "unit", report.unit.ref);
    add_cgroup(json_, report.unit.cgroup_id, report.unit.cgroup_path);
    if (report.unit.parent) {
      add_unit_ref(json_, "parent", *report.unit.parent);
    }
    add_metadata(json_, object, report.unit.metadata);
    JsonObject namespaces(json_, "namespaces");
    for (std::size_t i = 0; i < event::namespace_types; ++i) {
      if (report.unit.namespaces.inum[i] != 0) {
        namespaces.number(event::to_string(static_cast<event::NamespaceType>(i)),
                          report.unit.namespaces.inum[i]);
      }
    }
  });
}

void NdjsonSink::add(const CgroupReport& report) {
  line("cgroup", report.meta.ts_ns, [&](JsonObject& object) {
    object.text("action", action_name(report.action));
    add_cgroup(json_, report.cgroup_id, report.path);
    add_task(json_, "process", report.meta.tgid, report.meta.tid);
    if (report.action == CgroupReport::Action::attached) {
      add_task(json_, "moved", report.moved_pid, report.moved_tid);
    }
  });
}

void NdjsonSink::add(const policy::Crossing& crossing) {
  line("crossing", crossing.ts_mono_ns, [&](JsonObject& object) { add_event(json_, object, crossing); });
}

void NdjsonSink::add(const policy::Access& access) {
  line(access.error == 0 ? "access" : "attempt", access.ts_mono_ns,
       [&](JsonObject& object) { add_event(json_, object, access); });
}

void NdjsonSink::add(const policy::Breach& breach) {
  line("breach", breach.ts_mono_ns, [&](JsonObject& object) { add_event(json_, object, breach); });
}

void NdjsonSink::add(const policy::Violation& violation) {
  const char* type = violation.effect == policy::Effect::deny ? "violation" : "audit";
  line(type, violation.incident().ts_mono_ns,
       [&](JsonObject& object) { add_violation(json_, object, violation); });
}

void NdjsonSink::add_violations(const aggregate::Snapshot& summary) {
  line("violations", summary.end_mono_ns, [&](JsonObject& object) {
    object.boolean("final", true);
    add_report(json_, object, violations(), [this](std::uint64_t mono_ns) { return wall_ns(mono_ns); });
  });
}

void NdjsonSink::add_invariants(const aggregate::Snapshot& window, bool final_one) {
  line("invariants", window.end_mono_ns, [&](JsonObject& object) {
    add_window(json_, window);
    object.boolean("final", final_one);
    sink::add_invariants(json_, object, window.invariants);
  });
}

void NdjsonSink::add_ledger(const aggregate::Snapshot& window, bool final_one) {
  const aggregate::Ledger& ledger = window.ledger;
  line("ledger", window.end_mono_ns, [&](JsonObject& object) {
    add_window(json_, window);
    object.boolean("final", final_one);
    add_classes(json_, ledger);
    {
      JsonObject causes(json_, "causes");
      for (const aggregate::CauseLedger& row : ledger.causes) {
        causes.number(row.name, row.count);
      }
    }
    {
      JsonObject maps(json_, "maps");
      for (const aggregate::MapLedger& row : ledger.maps) {
        JsonObject map(json_, row.name);
        map.number("entries", row.entries);
        map.number("capacity", row.capacity);
      }
    }
    {
      JsonObject recheck(json_, "recheck");
      recheck.number("count", ledger.recheck.count);
      recheck.number("tasks", ledger.recheck.tasks);
      recheck.number("found", ledger.recheck.found);
      recheck.number("open_ns", ledger.recheck.open_ns);
      recheck.boolean("complete", ledger.recheck.complete);
    }
    object.number("undecodable", ledger.undecodable);
    object.number("unmatched_exits", ledger.unmatched_exits);
    object.number("unmatched_entries", ledger.unmatched_entries);
    object.number("unknown_reasons", ledger.unknown_reasons);
    object.number("namespace_checks", ledger.namespace_checks);
    object.number("credential_checks", ledger.credential_checks);
    object.number("accesses_folded", ledger.accesses_folded);
    object.number("waits_unknown", ledger.waits_unknown);
    object.number("task_slot_collisions", ledger.task_collisions);
    object.number("write_errors", ledger.write_errors);
    JsonObject own(json_, "own");
    own.number("cpu_ns", ledger.agent_cpu_ns);
  });
}

}  // namespace isoscope::sink
