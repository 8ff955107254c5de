// SPDX-License-Identifier: Apache-2.0
#include "sink/ndjson_policy.h"

#include <fmt/format.h>

#include <iterator>
#include <variant>

#include "policy/breach.h"
#include "policy/facts.h"
#include "sink/text.h"

namespace isoscope::sink {

namespace {

void add_tally(JsonObject& object, const policy::Tally& tally) {
  for (std::size_t i = 0; i < tally.size(); ++i) {
    object.number(policy::to_string(static_cast<policy::Severity>(i)), tally[i]);
  }
}

// An array of objects, one for each of `rows`.
template <typename Rows, typename AddRow>
void add_rows(Json& json, JsonObject& object, std::string_view name, const Rows& rows, AddRow add_row) {
  object.key(name);
  json.writer.StartArray();
  for (const auto& row : rows) {
    JsonObject one(json);
    add_row(one, row);
  }
  json.writer.EndArray();
}

void add_process(Json& json, const policy::Process& process) {
  JsonObject object(json, "process");
  object.number("pid", process.pid);
  object.number("tid", process.tid);
  object.number("parent_pid", process.parent_pid);
  object.number("uid", process.uid);
  object.text("comm", process.comm);
  object.text("exe", process.exe);
  object.id("start_boot_ns", process.start_boot_ns);
  object.text("cap_effective", fmt::format("{:016x}", process.cap_effective));  // as in /proc/PID/status
  if (process.exe_file.inode != 0) {
    constexpr unsigned minor_bits = 20;
    const std::uint32_t device = process.exe_file.device;
    JsonObject file(json, "exe_file");
    file.text("device", fmt::format("{}:{}", device >> minor_bits, device & ((1U << minor_bits) - 1)));
    file.id("inode", process.exe_file.inode);
  }
}

// Beside the process that it is of; the parent first.
void add_ancestry(Json& json, JsonObject& object, const identity::Ancestry& ancestry) {
  add_rows(json, object, "ancestry", ancestry.chain, [](JsonObject& one, const identity::Ancestor& ancestor) {
    one.number("pid", ancestor.pid);
    one.id("start_boot_ns", ancestor.start_boot_ns);
    one.text("exe", ancestor.exe);
  });
  object.boolean("ancestry_complete", ancestry.complete);
}

void add_move(Json& json, const policy::NamespaceMove& move) {
  JsonObject object(json);
  object.text("type", event::to_string(move.type));
  object.number("from", move.from);
  object.number("to", move.to);
  object.text("direction", policy::to_string(move.direction));
  object.boolean("new", move.to_is_new);
  if (!move.to_is_new) {
    add_unit_ref(json, "owner", move.to_owner);
  }
}

void add_policy(Json& json, const policy::Violation& violation) {
  JsonObject rule(json, "policy");
  rule.text("name", violation.policy);
  rule.text("rule", violation.rule);
  rule.text("effect", policy::to_string(violation.effect));
  rule.text("severity", policy::to_string(violation.severity));
}

void add_enforcement(Json& json, const policy::Enforcement& enforcement) {
  JsonObject object(json, "enforcement");
  object.text("signal", "SIGKILL");
  object.boolean("sent", enforcement.sent);
  object.text("by", policy::to_string(enforcement.by));
  object.boolean("completed", true);  // the action: it is seen when it is done
  object.boolean("ran_on", enforcement.ran_on);
  if (enforcement.kernel_refused) {
    object.boolean("kernel_refused", true);
  }
  if (!enforcement.sent) {
    object.text("why_not", enforcement.why_not);
  }
}

}  // namespace

void add_unit_ref(Json& json, std::string_view name, const identity::UnitRef& unit) {
  JsonObject object(json, name);
  object.text("kind", identity::to_string(unit.kind));
  object.text("id", unit.id);
  object.text("name", unit.name);
}

void add_event(Json& json, JsonObject& object, const policy::Crossing& crossing) {
  add_unit_ref(json, "unit", crossing.from);
  object.text("direction", policy::to_string(crossing.direction));
  object.text("mechanism", event::to_string(crossing.mechanism));
  object.text("seen_at", event::to_string(crossing.seen_at));
  if (crossing.initial) {
    object.boolean("initial_namespaces", true);
  }
  add_process(json, crossing.process);
  add_ancestry(json, object, crossing.ancestry);
  {
    JsonObject to(json, "to");
    add_unit_ref(json, "unit", crossing.to);
    if (!crossing.to_cgroup.empty()) {
      to.text("cgroup", crossing.to_cgroup);
    }
  }
  object.key("namespaces");
  json.writer.StartArray();
  for (const policy::NamespaceMove& move : crossing.moves) {
    add_move(json, move);
  }
  json.writer.EndArray();
}

void add_event(Json& json, JsonObject& object, const policy::Access& access) {
  const policy::Facts facts = policy::facts_of(access);
  add_unit_ref(json, "unit", access.from);
  object.text("direction", policy::to_string(access.direction));
  object.text("kind", event::to_string(access.kind));
  object.text("action", facts.action);
  add_process(json, access.process);
  add_ancestry(json, object, access.ancestry);
  {
    JsonObject to(json, "to");
    add_unit_ref(json, "unit", access.to);
    if (access.target_pid != 0) {
      to.number("pid", access.target_pid);
    }
  }
  if (!access.path.empty()) {
    object.text("path", access.path);
  }
  if (!facts.namespaces.empty()) {
    object.key("namespaces");
    json.writer.StartArray();
    for (const event::NamespaceType type : facts.namespaces) {
      write_text(json, event::to_string(type));
    }
    json.writer.EndArray();
  }
  object.number("detail", access.detail);
  if (access.error != 0) {
    object.number("errno", access.error);
  }
}

// Values that an invariant does not have are left out.
void add_event(Json& json, JsonObject& object, const policy::Breach& breach) {
  add_unit_ref(json, "unit", breach.from);
  object.text("invariant", event::to_string(breach.invariant));
  object.text("what", policy::describe(breach.invariant));
  object.text("seen_at", event::to_string(breach.seen_at));
  if (breach.set != event::CapabilitySet::none) {
    object.text("set", event::to_string(breach.set));
    object.text("before", fmt::format("{:016x}", breach.before));
    object.text("now", fmt::format("{:016x}", breach.now));
  } else if (breach.before != breach.now) {
    object.number("before", breach.before);
    object.number("now", breach.now);
  }
  add_process(json, breach.process);
  add_ancestry(json, object, breach.ancestry);
}

void add_violation(Json& json, JsonObject& object, const policy::Violation& violation) {
  const policy::Facts facts = policy::facts_of(violation.event);
  object.text("id", violation.id);
  add_policy(json, violation);
  add_unit_ref(json, "unit", facts.unit);
  object.key("resource");
  json.writer.StartArray();
  if (const auto* crossing = std::get_if<policy::Crossing>(&violation.event)) {
    for (const policy::NamespaceMove& move : crossing->moves) {  // also those of a lesser direction
      write_text(json, fmt::format("namespace/{}", event::to_string(move.type)));
    }
    if (!crossing->to_cgroup.empty()) {
      write_text(json, "cgroup");
    }
  } else {
    for (const std::string& resource : facts.resources) {
      write_text(json, resource);
    }
  }
  json.writer.EndArray();
  object.text("action", facts.action);
  object.text("message", violation.message);
  object.number("suppressed", violation.suppressed);
  if (violation.enforcement) {
    add_enforcement(json, *violation.enforcement);
  }
  constexpr const char* members[] = {"crossing", "access", "breach"};  // in the order of policy::Event
  static_assert(std::size(members) == std::variant_size_v<policy::Event>);
  JsonObject inner(json, members[violation.event.index()]);
  std::visit([&](const auto& event) { add_event(json, inner, event); }, violation.event);
}

void add_report(Json& json, JsonObject& object, const policy::ViolationReport& report,
                const std::function<std::uint64_t(std::uint64_t)>& wall_ns) {
  object.number("total", report.total());
  object.number("suppressed", report.suppressed());
  object.number("audited", report.audited());
  {
    JsonObject severities(json, "by_severity");
    add_tally(severities, report.by_severity());
  }
  add_rows(json, object, "by_unit", report.by_unit(), [&](JsonObject& one, const auto& row) {
    add_unit_ref(json, "unit", row.second.unit);
    add_tally(one, row.second.tally);
  });
  {
    JsonObject others(json, "other_units");
    add_tally(others, report.other_units());
  }
  add_rows(json, object, "by_policy", report.by_policy(), [&](JsonObject& one, const auto& row) {
    one.text("name", row.first);
    add_tally(one, row.second);
  });
  add_rows(json, object, "recent", report.recent(), [&](JsonObject& one, const policy::Violation& violation) {
    one.text("time", rfc3339(wall_ns(violation.incident().ts_mono_ns)));
    one.text("id", violation.id);
    add_policy(json, violation);
    add_unit_ref(json, "unit", violation.incident().from);
    one.text("message", violation.message);
    one.number("suppressed", violation.suppressed);
  });
}

}  // namespace isoscope::sink
