// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sink/json.h"
#include "sink/matrix_report.h"
#include "sink/text.h"

namespace isoscope::sink {

namespace {

using event::NamespaceType;
using policy::Matrix;
using policy::MatrixRow;

constexpr std::string_view schema = "isoscope.matrix.v1";

const char* type_name(std::size_t index) {
  return event::to_string(static_cast<NamespaceType>(index));
}

void add_members(JsonObject& object, const identity::UnitRef& unit) {
  object.text("kind", identity::to_string(unit.kind));
  object.text("id", unit.id);
  object.text("name", unit.name);
}

void add_unit_ref(Json& json, std::string_view name, const identity::UnitRef& unit) {
  JsonObject object(json, name);
  add_members(object, unit);
}

template <typename Items, typename Write>
void add_array(Json& json, JsonObject& object, std::string_view name, const Items& items, Write write) {
  object.key(name);
  json.writer.StartArray();
  for (const auto& item : items) {
    write(item);
  }
  json.writer.EndArray();
}

void add_units(Json& json, JsonObject& object, const Matrix& matrix, const std::vector<std::size_t>& units) {
  add_array(json, object, "units", units, [&](std::size_t unit) {
    JsonObject member(json);
    add_members(member, matrix.rows[unit].ref);
  });
}

void add_types(Json& json, JsonObject& object, const std::vector<NamespaceType>& types) {
  add_array(json, object, "namespaces", types,
            [&](NamespaceType type) { write_text(json, event::to_string(type)); });
}

void add_host(Json& json, const MatrixReport& report) {
  JsonObject host(json, "host");
  host.text("name", report.host.name);
  host.text("machine_id", report.host.machine_id);
  host.text("boot_id", report.host.boot_id);
  JsonObject namespaces(json, "namespaces");
  for (std::size_t type = 0; type < event::namespace_types; ++type) {
    if (report.matrix.host.inum[type] != 0) {
      namespaces.number(type_name(type), report.matrix.host.inum[type]);
    }
  }
}

void add_namespace(Json& json, const Matrix& matrix, const MatrixRow& row, std::size_t type) {
  JsonObject cell(json, type_name(type));
  cell.text("relation", policy::to_string(row.relations[type]));
  if (row.namespaces.inum[type] != 0) {
    cell.number("inum", row.namespaces.inum[type]);
  }
  if (row.groups[type] != policy::no_group) {
    cell.text("group", matrix.groups[row.groups[type]].name);
  }
}

void add_row(Json& json, const Matrix& matrix, const MatrixRow& row) {
  JsonObject object(json);
  add_unit_ref(json, "unit", row.ref);
  object.text("cgroup", row.cgroup_path);
  if (!row.pod_uid.empty()) {
    object.text("pod_uid", row.pod_uid);
  }
  if (row.parent) {
    add_unit_ref(json, "parent", matrix.rows[*row.parent].ref);
  }
  object.number("processes", row.processes);
  object.number("pid", row.pid);
  JsonObject namespaces(json, "namespaces");
  for (std::size_t type = 0; type < event::namespace_types; ++type) {
    add_namespace(json, matrix, row, type);
  }
}

void add_groups(Json& json, JsonObject& object, const MatrixReport& report) {
  object.key("groups");
  json.writer.StartArray();
  for (const policy::NamespaceGroup& group : report.matrix.groups) {
    if (!report.shows(group.units)) {
      continue;
    }
    JsonObject member(json);
    member.text("group", group.name);
    add_types(json, member, group.types);
    member.boolean("expected", group.expected);
    member.text("kinship", policy::to_string(group.kinship));
    add_units(json, member, report.matrix, group.units);
  }
  json.writer.EndArray();
}

void add_counts(Json& json, const policy::PairCounts& counts, std::size_t type) {
  JsonObject object(json, type_name(type));
  object.number("private", counts.separate);
  object.number("shared", counts.shared);
  object.number("host", counts.host);
  object.number("unknown", counts.unknown);
}

void add_pair(Json& json, const Matrix& matrix, const policy::UnitPair& pair) {
  JsonObject object(json);
  add_unit_ref(json, "a", matrix.rows[pair.a].ref);
  add_unit_ref(json, "b", matrix.rows[pair.b].ref);
  {
    JsonObject namespaces(json, "namespaces");
    for (std::size_t type = 0; type < event::namespace_types; ++type) {
      namespaces.text(type_name(type), policy::to_string(pair.relations[type]));
    }
  }
  object.text("cgroup", policy::to_string(pair.cgroup));
  object.text("kinship", policy::to_string(pair.kinship));
}

// Of all units, whatever the filters say; the list is of those that they let through.
void add_pairs(Json& json, const MatrixReport& report) {
  const Matrix& matrix = report.matrix;
  JsonObject pairs(json, "pairs");
  pairs.number("total", matrix.total_pairs);
  pairs.number("related", matrix.related_pairs);
  pairs.number("unlisted", matrix.related_pairs - matrix.pairs.size());
  {
    JsonObject counts(json, "counts");
    for (std::size_t type = 0; type < event::namespace_types; ++type) {
      add_counts(json, matrix.counts[type], type);
    }
  }
  pairs.key("list");
  json.writer.StartArray();
  for (const policy::UnitPair& pair : matrix.pairs) {
    if (report.shows({pair.a, pair.b})) {
      add_pair(json, matrix, pair);
    }
  }
  json.writer.EndArray();
}

void add_findings(Json& json, JsonObject& object, const MatrixReport& report) {
  object.key("findings");
  json.writer.StartArray();
  for (const policy::MatrixFinding& finding : report.matrix.findings) {
    if (!report.shows(finding.units)) {
      continue;
    }
    JsonObject member(json);
    member.text("rule", finding.rule);
    member.text("severity", policy::to_string(finding.severity));
    add_units(json, member, report.matrix, finding.units);
    add_types(json, member, finding.types);
    if (finding.processes != 0) {
      member.number("processes", finding.processes);
      add_array(json, member, "pids", finding.pids, [&](std::uint32_t pid) { json.writer.Uint(pid); });
    }
    member.text("reason", finding.reason);
  }
  json.writer.EndArray();
}

}  // namespace

bool MatrixReport::shows(const std::vector<std::size_t>& units) const {
  return std::any_of(units.begin(), units.end(), [this](std::size_t unit) { return shown[unit]; });
}

std::string matrix_json(const MatrixReport& report) {
  Json json;
  {
    JsonObject object(json);
    object.text("schema", schema);
    object.text("time", rfc3339(report.wall_ns));
    add_host(json, report);
    object.key("units");
    json.writer.StartArray();
    for (std::size_t i = 0; i < report.matrix.rows.size(); ++i) {
      if (report.shown[i]) {
        add_row(json, report.matrix, report.matrix.rows[i]);
      }
    }
    json.writer.EndArray();
    add_groups(json, object, report);
    add_pairs(json, report);
    add_findings(json, object, report);
    object.number("units_total", report.matrix.rows.size());
    object.number("units_without_process", report.idle_units);
    object.number("processes_unread", report.unread_processes);
  }
  return std::string(json.text()) + "\n";
}

}  // namespace isoscope::sink
