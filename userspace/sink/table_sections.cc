// SPDX-License-Identifier: Apache-2.0
#include "sink/table_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "aggregate/sched.h"
#include "event/reason.h"
#include "sink/text.h"

namespace isoscope::sink {

namespace {

using aggregate::DurationStats;
using aggregate::SchedRow;
using aggregate::Snapshot;
using aggregate::VmExitsRow;
using config::SortKey;

constexpr std::size_t name_width = 23;
constexpr std::size_t kind_width = 10;
constexpr std::size_t sched_width = 30;  // kind and name
constexpr std::size_t widest_line = 100;

struct ReasonTotals {
  std::string name;
  bool halt = false;
  std::uint64_t count = 0;
  DurationStats stats;
  event::Split split;
};

// Halts are a class of their own: everything but `count` and `halted_ns` is of the other exits.
struct VmTotals {
  std::string id;
  std::string name;
  std::uint64_t count = 0;
  std::uint64_t lost_ns = 0;
  event::Split split;           // of lost_ns; its halted_ns stays 0
  std::uint64_t halted_ns = 0;  // halts whole, and what other exits slept in a halt
  std::size_t vcpu_count = 0;
  std::set<std::uint32_t> vcpus;
  std::vector<ReasonTotals> reasons;
};

double seconds_of(const Snapshot& window) {
  return static_cast<double>(window.end_mono_ns - window.start_mono_ns) / 1e9;
}

std::string duration(std::uint64_t ns) {
  return human_duration(static_cast<double>(ns));
}

std::string per_second(std::uint64_t count, double seconds) {
  if (seconds <= 0) {
    return "-";
  }
  const double rate = static_cast<double>(count) / seconds;
  return rate > 0 && rate < 9.95 ? fmt::format("{:.1f}", rate)
                                 : human_count(static_cast<std::uint64_t>(std::llround(rate)));
}

// The columns right of a name.
std::string cells(const std::vector<std::string>& columns) {
  constexpr std::array<int, 8> widths{9, 8, 9, 8, 8, 9, 9, 9};
  std::string line;
  for (std::size_t i = 0; i < columns.size() && i < widths.size(); ++i) {
    line += fmt::format(" {:>{}}", columns[i], widths[i]);
  }
  return line;
}

// The largest of the four parts of a time.
const char* largest_part(const event::Split& split, std::uint64_t sum_ns) {
  const std::pair<std::uint64_t, const char*> parts[] = {{split.kernel_ns(sum_ns), "kernel"},
                                                         {split.userspace_ns, "userspace"},
                                                         {split.preempted_ns, "preempted"},
                                                         {split.halted_ns, "halted"}};
  return std::max_element(std::begin(parts), std::end(parts),
                          [](const auto& a, const auto& b) { return a.first < b.first; })
      ->second;
}

void add_time(const VmExitsRow& row, bool halt, VmTotals& vm) {
  if (halt) {
    vm.halted_ns += row.stats.sum_ns;
    return;
  }
  vm.halted_ns += row.split.halted_ns;
  vm.lost_ns += row.stats.sum_ns - row.split.halted_ns;
  vm.split.userspace_ns += row.split.userspace_ns;
  vm.split.preempted_ns += row.split.preempted_ns;
}

// vCPUs and reasons of a VM, folded.
std::vector<VmTotals> fold_vms(const Snapshot& window) {
  struct Fold {
    VmTotals totals;
    std::map<std::tuple<event::Isa, bool, std::uint32_t>, ReasonTotals> reasons;
  };
  std::map<std::string, Fold> folds;
  for (const VmExitsRow& row : window.vm_exits) {
    Fold& fold = folds[row.vm.id];
    fold.totals.id = row.vm.id;
    fold.totals.name = row.vm.name;
    fold.totals.count += row.count;
    fold.totals.vcpus.insert(row.vcpu_id);
    ReasonTotals& reason = fold.reasons[{row.isa, row.other, row.reason}];
    reason.name = row.other ? "other" : event::reason_name(row.isa, row.reason);
    reason.halt = !row.other && event::is_halt(row.isa, row.reason);
    reason.count += row.count;
    reason.stats.merge(row.stats);
    reason.split.add(row.split);
    add_time(row, reason.halt, fold.totals);
  }
  std::vector<VmTotals> vms;
  for (auto& [id, fold] : folds) {
    for (auto& [key, reason] : fold.reasons) {
      fold.totals.reasons.push_back(std::move(reason));
    }
    fold.totals.vcpu_count = fold.totals.vcpus.size();
    vms.push_back(std::move(fold.totals));
  }
  return vms;
}

template <typename Row, typename Time>
void sort_rows(std::vector<Row>& rows, SortKey key, Time time) {
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    switch (key) {
      case SortKey::time:
        return std::make_tuple(time(b), b.count, std::cref(a.name)) <
               std::make_tuple(time(a), a.count, std::cref(b.name));
      case SortKey::count:
        return std::make_tuple(b.count, time(b), std::cref(a.name)) <
               std::make_tuple(a.count, time(a), std::cref(b.name));
      case SortKey::name:
        break;
    }
    return a.name < b.name;
  });
}

std::string reason_line(const ReasonTotals& reason, std::uint64_t lost_ns, double seconds) {
  const bool known = has_distribution(reason.stats);
  const auto quantile = [&](double q) { return known ? human_duration(reason.stats.quantile_ns(q)) : "-"; };
  const auto share = [&] {
    return reason.halt ? std::string("halted")
                       : human_share(static_cast<double>(reason.stats.sum_ns), static_cast<double>(lost_ns));
  };
  const bool finished = reason.stats.count > 0;
  return "  " + fit(reason.name, name_width - 2) +
         cells({human_count(reason.count), per_second(reason.count, seconds),
                finished ? duration(reason.stats.sum_ns) : "-", share(), quantile(0.5), quantile(0.99),
                known ? duration(reason.stats.max_ns) : "-",
                finished ? largest_part(reason.split, reason.stats.sum_ns) : "-"}) +
         "\n";
}

void append_reasons(VmTotals& vm, double seconds, const TableStyle& style, std::string& out) {
  // Halts are no loss: by time they come last, however long.
  sort_rows(vm.reasons, style.sort,
            [](const ReasonTotals& reason) { return std::make_pair(!reason.halt, reason.stats.sum_ns); });
  const std::size_t shown = style.shown(vm.reasons.size());
  ReasonTotals rest;
  for (std::size_t i = 0; i < vm.reasons.size(); ++i) {
    const ReasonTotals& reason = vm.reasons[i];
    if (i < shown) {
      out += reason_line(reason, vm.lost_ns, seconds);
      continue;
    }
    rest.count += reason.count;
    rest.stats.sum_ns += reason.halt ? 0 : reason.stats.sum_ns;
  }
  if (shown < vm.reasons.size()) {
    out +=
        style.dim(
            "  " + fit(fmt::format("({} more)", vm.reasons.size() - shown), name_width - 2) +
            cells({human_count(rest.count), per_second(rest.count, seconds), duration(rest.stats.sum_ns),
                   human_share(static_cast<double>(rest.stats.sum_ns), static_cast<double>(vm.lost_ns))})) +
        "\n";
  }
}

std::string vm_cells(const VmTotals& vm, double seconds) {
  const double vcpu_ns = seconds * 1e9 * static_cast<double>(vm.vcpu_count);
  return cells({human_count(vm.count), per_second(vm.count, seconds), duration(vm.lost_ns),
                human_share(static_cast<double>(vm.lost_ns), vcpu_ns),
                duration(vm.split.kernel_ns(vm.lost_ns)), duration(vm.split.userspace_ns),
                duration(vm.split.preempted_ns), duration(vm.halted_ns)});
}

// `web, 2 vCPUs`; a long name is cut, not the number.
std::string vm_label(const VmTotals& vm) {
  const std::string vcpus = fmt::format(", {} {}", vm.vcpu_count, vm.vcpu_count == 1 ? "vCPU" : "vCPUs");
  return fit(vm.name, name_width - vcpus.size(), false) + vcpus;
}

// Who took the CPU of a unit's threads, where that cost it 1 % of a CPU or more: as many as a line holds.
void append_preemptors(const SchedRow& row, double window_ns, const TableStyle& style, std::string& out) {
  if (static_cast<double>(row.preempted_ns) < window_ns / 100 || row.preempted_by.empty()) {
    return;
  }
  std::string line = "  pushed off by";
  const char* separator = " ";
  for (const aggregate::PreemptedBy& by : row.preempted_by) {
    const std::string who =
        by.unit ? fmt::format("{} {}", identity::to_string(by.unit->kind), fit(by.unit->name, 30, false))
                : "nobody (quota, move)";
    const std::string item = fmt::format("{}{} {}", separator, who, duration(by.waited_ns));
    if (line.size() + item.size() > widest_line) {
      break;
    }
    line += item;
    separator = ", ";
  }
  out += style.dim(line) + "\n";
}

// The steal that its guest feels.
void append_preemptors(const VmTotals& vm, const Snapshot& window, const TableStyle& style,
                       std::string& out) {
  for (const SchedRow& row : window.sched) {
    if (row.unit.kind == identity::UnitKind::vm && row.unit.id == vm.id) {
      append_preemptors(row, seconds_of(window) * 1e9, style, out);
    }
  }
}

// A list of items in lines of at most widest_line columns, the first behind `title`.
std::string wrap(std::string_view title, const std::vector<std::string>& items) {
  constexpr std::size_t indent = 8;
  std::string text = fmt::format("{:<{}}", title, indent);
  std::size_t column = text.size();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && column + items[i].size() + 3 > widest_line) {
      text += ";\n" + std::string(indent, ' ');
      column = indent;
    } else if (i > 0) {
      text += "; ";
      column += 2;
    }
    text += items[i];
    column += items[i].size();
  }
  return text;
}

std::vector<std::string> ledger_facts(const Snapshot& window) {
  const aggregate::Ledger& ledger = window.ledger;
  std::vector<std::string> facts;
  for (const aggregate::ClassLedger& row : ledger.classes) {
    if (row.made > 0) {
      facts.push_back(fmt::format("{} {} handled, {} dropped", row.name, human_count(row.handled),
                                  human_count(row.dropped)));
    }
  }
  if (facts.empty()) {
    facts.emplace_back("no single events");
  }
  facts.push_back(fmt::format("unmatched exits {}, entries {}", human_count(ledger.unmatched_exits),
                              human_count(ledger.unmatched_entries)));
  if (ledger.unknown_reasons > 0) {
    facts.push_back(fmt::format("exits of unknown reasons {}", human_count(ledger.unknown_reasons)));
  }
  facts.push_back(fmt::format("namespace checks {}", human_count(ledger.namespace_checks)));
  if (ledger.recheck.count > 0) {
    facts.push_back(fmt::format("re-checks {}, {} tasks looked at, {} changes found",
                                human_count(ledger.recheck.count), human_count(ledger.recheck.tasks),
                                human_count(ledger.recheck.found)));
  }
  facts.push_back(
      fmt::format("agent CPU {} ({})", duration(ledger.agent_cpu_ns),
                  human_share(static_cast<double>(ledger.agent_cpu_ns), seconds_of(window) * 1e9)));
  return facts;
}

std::vector<std::string> ledger_losses(const Snapshot& window) {
  const aggregate::Ledger& ledger = window.ledger;
  std::vector<std::string> losses;
  for (const aggregate::ClassLedger& row : ledger.classes) {
    if (row.dropped > 0) {
      losses.push_back(fmt::format("{}: {} of {} records dropped", row.name, human_count(row.dropped),
                                   human_count(row.made)));
    }
    // Within a run records may still be on their way; at its end the sum must close.
    const bool open = row.made != row.handled + row.dropped;
    if (window.window == 0 && open) {
      losses.push_back(fmt::format("{}: {} made, but {} handled and {} dropped", row.name,
                                   human_count(row.made), human_count(row.handled),
                                   human_count(row.dropped)));
    }
  }
  for (const aggregate::CauseLedger& row : ledger.causes) {
    if (row.count > 0) {
      losses.push_back(fmt::format("{}: {}", row.name, human_count(row.count)));
    }
  }
  if (ledger.recheck.open_ns > 0 || !ledger.recheck.complete) {
    losses.push_back(fmt::format(
        "changes of namespaces could be late for {}, {}", duration(ledger.recheck.open_ns),
        ledger.recheck.complete ? "until a re-check closed the gap" : "and the gap is still open"));
  }
  if (ledger.undecodable > 0) {
    losses.push_back(fmt::format("records not understood: {}", human_count(ledger.undecodable)));
  }
  if (ledger.write_errors > 0) {
    losses.push_back(fmt::format("lines of output not written: {}", human_count(ledger.write_errors)));
  }
  return losses;
}

}  // namespace

void append_vms(const Snapshot& window, const TableStyle& style, std::string& out) {
  std::vector<VmTotals> vms = fold_vms(window);
  if (vms.empty()) {
    out += style.none("VM exits") + "\n";
    return;
  }
  sort_rows(vms, style.sort, [](const VmTotals& vm) { return vm.lost_ns; });
  out += style.dim(fit("VM", name_width) + cells({"exits", "exits/s", "time lost", "of vCPU", "kernel",
                                                  "userspace", "preempted", "halted"})) +
         "\n";
  out += style.dim(fit("  reason", name_width) +
                   cells({"count", "count/s", "time", "share", "p50", "p99", "max", "mostly"})) +
         "\n";
  const double seconds = seconds_of(window);
  const std::size_t shown = style.shown(vms.size());
  VmTotals rest;
  for (std::size_t i = 0; i < vms.size(); ++i) {
    VmTotals& vm = vms[i];
    if (i < shown) {
      out += style.bold(fit(vm_label(vm), name_width)) + vm_cells(vm, seconds) + "\n";
      append_preemptors(vm, window, style, out);
      append_reasons(vm, seconds, style, out);
      continue;
    }
    rest.count += vm.count;
    rest.lost_ns += vm.lost_ns;
    rest.split.add(vm.split);
    rest.halted_ns += vm.halted_ns;
    rest.vcpu_count += vm.vcpu_count;
  }
  if (shown < vms.size()) {
    out +=
        style.dim(fit(fmt::format("({} more)", vms.size() - shown), name_width) + vm_cells(rest, seconds)) +
        "\n";
  }
}

void append_units(const Snapshot& window, const TableStyle& style, std::string& out) {
  if (window.sched.empty()) {
    out += style.none("context switches") + "\n";
    return;
  }
  const auto switches = [](const SchedRow& row) { return row.voluntary + row.involuntary; };
  std::vector<SchedRow> rows = window.sched;
  std::stable_sort(rows.begin(), rows.end(), [&](const SchedRow& a, const SchedRow& b) {
    if (style.sort == SortKey::name || switches(a) == switches(b)) {
      return std::tie(a.unit.name, a.unit.id) < std::tie(b.unit.name, b.unit.id);
    }
    return switches(a) > switches(b);
  });

  const double window_ns = seconds_of(window) * 1e9;
  const auto line = [](const auto&... columns) {
    return fmt::format(" {:>11} {:>11} {:>10} {:>12} {:>10} {:>10}", columns...);
  };
  const auto columns = [&](const SchedRow& row) {
    const DurationStats& waits = row.run_queue;
    return line(human_count(switches(row)), human_count(row.involuntary), duration(row.on_cpu_ns),
                human_share(static_cast<double>(row.on_cpu_ns), window_ns), duration(waits.sum_ns),
                waits.count > 0 ? human_duration(waits.quantile_ns(0.99)) : "-");
  };
  out += style.dim(fmt::format("{:<{}}", "UNIT", sched_width) +
                   line("switches", "pushed off", "on CPU", "of one CPU", "waited", "p99 wait")) +
         "\n";
  const std::size_t shown = style.shown(rows.size());
  SchedRow rest;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const SchedRow& row = rows[i];
    if (i >= shown) {
      rows[i].preempted_by.clear();  // not shown, and long to merge
      aggregate::merge_into(rest, row);
      continue;
    }
    out += fit(identity::to_string(row.unit.kind), kind_width) +
           style.bold(fit(row.unit.name, sched_width - kind_width)) + columns(row) + "\n";
    if (row.unit.kind != identity::UnitKind::vm) {  // those have it in their own section
      append_preemptors(row, window_ns, style, out);
    }
  }
  if (shown < rows.size()) {
    out += style.dim(fit(fmt::format("({} more)", rows.size() - shown), sched_width) + columns(rest)) + "\n";
  }
}

void append_ledger(const Snapshot& window, const TableStyle& style, std::string& out) {
  out += style.dim(wrap("ledger", ledger_facts(window))) + "\n";
  if (const std::vector<std::string> losses = ledger_losses(window); !losses.empty()) {
    out += style.alarm(wrap("LOST", losses)) + "\n";
  }
}

}  // namespace isoscope::sink
