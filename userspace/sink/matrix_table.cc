// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"
#include "sink/matrix_report.h"
#include "sink/table_lines.h"
#include "sink/text.h"

namespace isoscope::sink {

namespace {

using event::NamespaceType;
using policy::Matrix;
using policy::MatrixFinding;
using policy::MatrixRow;
using policy::Relation;
using policy::Severity;

constexpr std::size_t widest_line = 100;
constexpr std::size_t widest_unit = 50;
constexpr std::size_t narrowest_unit = 20;

const char* type_name(std::size_t index) {
  return event::to_string(static_cast<NamespaceType>(index));
}

std::size_t columns(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) {
    base::take_character(text);
  }
  return count;
}

std::string plural(std::uint64_t count, std::string_view one) {
  return fmt::format("{} {}{}", human_count(count), one, count == 1 ? "" : "s");
}

std::string cell(const Matrix& matrix, const MatrixRow& row, std::size_t type) {
  switch (row.relations[type]) {
    case Relation::unknown:
      return "-";
    case Relation::shared:
      return fmt::format("shared:{}", matrix.groups[row.groups[type]].name);
    case Relation::separate:
    case Relation::host:
      break;
  }
  return policy::to_string(row.relations[type]);
}

// Items separated by commas, in lines of `indent` blanks and as much as fits.
std::string wrapped(const std::vector<std::string>& items, std::size_t indent) {
  std::string text;
  std::size_t used = widest_line;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string item = items[i] + (i + 1 < items.size() ? "," : "");
    const std::size_t width = columns(item);
    if (used + 1 + width > widest_line) {
      text += text.empty() ? "" : "\n";
      text.append(indent, ' ');
      used = indent;
    } else {
      text += ' ';
      used += 1;
    }
    text += item;
    used += width;
  }
  return text + "\n";
}

class Tables {
 public:
  Tables(const MatrixReport& report, const TableStyle& style)
      : report_(report), matrix_(report.matrix), style_(style) {}

  std::string write() {
    text_ = fmt::format("{}\n", style_.bold(heading()));
    for (const auto& section : {units(), groups(), pairs(), findings()}) {
      text_ += section.empty() ? "" : "\n" + section;
    }
    return std::move(text_);
  }

 private:
  std::string heading() const {
    std::string text =
        fmt::format("{}, {}", plural(matrix_.rows.size(), "unit"), plural(matrix_.total_pairs, "pair"));
    text += matrix_.related_pairs == 0
                ? ", none of which shares more than the host's"
                : fmt::format(", {} of which {} a namespace or overlap", human_count(matrix_.related_pairs),
                              matrix_.related_pairs == 1 ? "shares" : "share");
    if (report_.idle_units > 0) {
      text += fmt::format("\n{} without a process", plural(report_.idle_units, "more unit"));
    }
    if (report_.unread_processes > 0) {
      text += fmt::format("\nnot complete: the namespaces of {} process{} could not be read",
                          human_count(report_.unread_processes), report_.unread_processes == 1 ? "" : "es");
    }
    return text;
  }

  std::string label(std::size_t unit) const { return unit_label(matrix_.rows[unit].ref); }

  std::vector<std::size_t> shown_units() const {
    std::vector<std::size_t> units;
    for (std::size_t i = 0; i < matrix_.rows.size(); ++i) {
      if (report_.shown[i]) {
        units.push_back(i);
      }
    }
    std::stable_sort(units.begin(), units.end(), [this](std::size_t a, std::size_t b) {
      const auto key = [this](std::size_t i) {
        const identity::UnitRef& unit = matrix_.rows[i].ref;
        return std::tie(unit.kind, unit.name, unit.id);
      };
      return key(a) < key(b);
    });
    return units;
  }

  // A type that this kernel lacks has no column.
  std::vector<std::size_t> shown_types() const {
    std::vector<std::size_t> types;
    for (std::size_t type = 0; type < event::namespace_types; ++type) {
      if (matrix_.host.inum[type] != 0 ||
          std::any_of(matrix_.rows.begin(), matrix_.rows.end(),
                      [&](const MatrixRow& row) { return row.relations[type] != Relation::unknown; })) {
        types.push_back(type);
      }
    }
    return types;
  }

  // Each column is as wide as what is in it, so that most tables fit into 80 columns.
  std::string units() const {
    const std::vector<std::size_t> units = shown_units();
    if (units.empty()) {
      return style_.none("unit") + "\n";
    }
    const std::vector<std::size_t> types = shown_types();
    std::map<std::size_t, std::size_t> widths;
    std::size_t cells_width = 0;
    std::size_t unit_width = narrowest_unit;
    for (const std::size_t type : types) {
      std::size_t& width = widths[type] = columns(type_name(type));
      for (const std::size_t unit : units) {
        width = std::max(width, cell(matrix_, matrix_.rows[unit], type).size());
      }
      cells_width += 1 + width;
    }
    for (const std::size_t unit : units) {
      unit_width = std::max(unit_width, columns(label(unit)));
    }
    const std::size_t left = widest_line > cells_width ? widest_line - cells_width : 0;
    unit_width = std::clamp(std::min(unit_width, left), narrowest_unit, widest_unit);

    std::string head = fit("UNIT", unit_width);
    for (const std::size_t type : types) {
      head += fmt::format(" {:<{}}", type_name(type), widths[type]);
    }
    std::string text = style_.bold(without_trailing_blanks(head)) + "\n";
    for (const std::size_t unit : units) {
      std::string line = fit(label(unit), unit_width);
      for (const std::size_t type : types) {
        line += fmt::format(" {:<{}}", cell(matrix_, matrix_.rows[unit], type), widths[type]);
      }
      text += without_trailing_blanks(line) + "\n";
    }
    return text;
  }

  static std::string without_trailing_blanks(std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  }

  std::string labels(const std::vector<std::size_t>& units, std::size_t indent,
                     const std::string& last = "") const {
    std::vector<std::string> items;
    const std::size_t shown = style_.shown(units.size());
    for (std::size_t i = 0; i < shown; ++i) {
      items.push_back(label(units[i]));
    }
    if (shown < units.size()) {
      items.push_back(fmt::format("and {} more", human_count(units.size() - shown)));
    }
    items.back() += last;
    return wrapped(items, indent);
  }

  static std::string type_list(const std::vector<NamespaceType>& types) {
    std::string text;
    for (const NamespaceType type : types) {
      text += (text.empty() ? "" : ", ") + std::string(event::to_string(type));
    }
    return text;
  }

  std::string groups() const {
    constexpr std::size_t indent = 4;
    std::string text;
    for (const policy::NamespaceGroup& group : matrix_.groups) {
      if (!report_.shows(group.units)) {
        continue;
      }
      const char* why = !group.expected                         ? "not expected"
                        : group.kinship == policy::Kinship::pod ? "expected: one pod"
                                                                : "expected: nested";
      text += fmt::format("{:<{}}{} of {} ({})\n", group.name, indent, type_list(group.types),
                          plural(group.units.size(), "unit"), why);
      text += labels(group.units, indent);
    }
    return text.empty() ? text : style_.bold("SHARED") + "\n" + text;
  }

  std::string describe_pair(const policy::UnitPair& pair) const {
    std::vector<NamespaceType> types;
    for (std::size_t type = 0; type < event::namespace_types; ++type) {
      if (pair.relations[type] == Relation::shared) {
        types.push_back(static_cast<NamespaceType>(type));
      }
    }
    std::string text = fmt::format("{} - {}: {}", label(pair.a), label(pair.b), type_list(types));
    if (pair.cgroup != policy::CgroupOverlap::apart) {
      text += fmt::format("{}cgroup {}", types.empty() ? "" : ", ", policy::to_string(pair.cgroup));
    }
    if (pair.kinship == policy::Kinship::pod) {
      text += " (one pod)";
    }
    return text;
  }

  std::string pairs() const {
    std::vector<const policy::UnitPair*> pairs;
    for (const policy::UnitPair& pair : matrix_.pairs) {
      if (report_.shows({pair.a, pair.b})) {
        pairs.push_back(&pair);
      }
    }
    if (pairs.empty()) {
      return {};
    }
    std::string text = style_.bold("PAIRS") + "\n";
    const std::size_t shown = style_.shown(pairs.size());
    for (std::size_t i = 0; i < shown; ++i) {
      text += describe_pair(*pairs[i]) + "\n";
    }
    const std::uint64_t unlisted = report_.matrix.related_pairs - matrix_.pairs.size();
    if (shown < pairs.size() || unlisted > 0) {
      text += style_.dim(fmt::format("and {} more{}", human_count(pairs.size() - shown + unlisted),
                                     unlisted > 0 && style_.filtered ? ", some of other units" : "")) +
              "\n";
    }
    return text;
  }

  // ` (mnt, pid; pid 12, 13 and 4 more)`
  static std::string particulars(const MatrixFinding& finding) {
    std::string text = finding.units.size() > 1 || finding.processes > 0 || finding.types.size() > 1
                           ? type_list(finding.types)
                           : "";
    if (finding.processes > 0) {
      text += text.empty() ? "pid" : "; pid";
      for (std::size_t i = 0; i < finding.pids.size(); ++i) {
        text += fmt::format("{} {}", i == 0 ? "" : ",", finding.pids[i]);
      }
      if (finding.processes > finding.pids.size()) {
        text += fmt::format(" and {} more", finding.processes - finding.pids.size());
      }
    }
    return text.empty() ? text : fmt::format(" ({})", text);
  }

  // What is said of many units is said once. Findings come with the worst first.
  std::string findings() const {
    constexpr std::size_t indent = 10;
    std::map<Severity, std::uint64_t> counts;
    std::string text;
    const auto& all = matrix_.findings;
    for (std::size_t i = 0; i < all.size();) {
      std::vector<std::size_t> units;  // of findings that are about one unit, and say no more
      std::string others;
      std::size_t j = i;
      for (; j < all.size() && all[j].severity == all[i].severity && all[j].rule == all[i].rule; ++j) {
        if (!report_.shows(all[j].units)) {
          continue;
        }
        ++counts[all[j].severity];
        const std::string more = particulars(all[j]);
        if (all[j].units.size() == 1 && more.empty()) {
          units.push_back(all[j].units.front());
        } else {
          others += labels(all[j].units, indent, more);
        }
      }
      if (!units.empty() || !others.empty()) {
        const std::string severity = fmt::format("{:<9}", policy::to_string(all[i].severity));
        text +=
            fmt::format("{} {}: {}\n", all[i].severity >= Severity::high ? style_.alarm(severity) : severity,
                        all[i].rule, all[i].reason);
        text += (units.empty() ? "" : labels(units, indent)) + others;
      }
      i = j;
    }
    if (text.empty()) {
      return style_.none("finding") + "\n";
    }
    std::string head = style_.bold("FINDINGS") + " ";
    const char* separator = "";
    for (auto count = counts.rbegin(); count != counts.rend(); ++count) {
      head += fmt::format("{} {} {}", std::exchange(separator, ","), human_count(count->second),
                          policy::to_string(count->first));
    }
    return head + "\n" + text;
  }

  const MatrixReport& report_;
  const Matrix& matrix_;
  const TableStyle& style_;
  std::string text_;
};

}  // namespace

std::string matrix_table(const MatrixReport& report, const TableStyle& style) {
  return Tables(report, style).write();
}

}  // namespace isoscope::sink
