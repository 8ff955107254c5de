// SPDX-License-Identifier: Apache-2.0
#include "sink/table_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "event/reason.h"
#include "sink/text.h"

namespace isoscope::sink {

namespace {

using aggregate::DurationStats;
using aggregate::SchedRow;
using aggregate::Snapshot;
using aggregate::VmExitsRow;
using config::SortKey;

constexpr std::size_t name_width = 24;
constexpr std::size_t kind_width = 10;
constexpr std::size_t unit_width = 27;
constexpr std::size_t widest_line = 97;

struct ReasonTotals {
  std::string name;
  bool halt = false;
  std::uint64_t count = 0;
  DurationStats stats;
};

struct VmTotals {
  std::string name;
  std::uint64_t count = 0;
  std::uint64_t lost_ns = 0;
  std::uint64_t halted_ns = 0;
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

// The columns right of a name; `first` is one wider, as it holds the largest counts.
std::string cells(const std::string& first, const std::vector<std::string>& others) {
  std::string line = fmt::format(" {:>12}", first);
  for (const std::string& other : others) {
    line += fmt::format(" {:>11}", other);
  }
  return line;
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
    fold.totals.name = row.vm.name;
    fold.totals.count += row.count;
    fold.totals.vcpus.insert(row.vcpu_id);
    ReasonTotals& reason = fold.reasons[{row.isa, row.other, row.reason}];
    reason.name = row.other ? "other" : event::reason_name(row.isa, row.reason);
    reason.halt = !row.other && event::is_halt(row.isa, row.reason);
    reason.count += row.count;
    reason.stats.merge(row.stats);
    (reason.halt ? fold.totals.halted_ns : fold.totals.lost_ns) += row.stats.sum_ns;
  }
  std::vector<VmTotals> vms;
  for (auto& [id, fold] : folds) {
    for (auto& [key, reason] : fold.reasons) {
      fold.totals.reasons.push_back(std::move(reason));
    }
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

void append_reasons(VmTotals& vm, const TableStyle& style, std::string& out) {
  // Halts are no loss: by time they come last, however long.
  sort_rows(vm.reasons, style.sort,
            [](const ReasonTotals& reason) { return std::make_pair(!reason.halt, reason.stats.sum_ns); });
  const std::size_t shown = style.shown(vm.reasons.size());
  ReasonTotals rest;
  for (std::size_t i = 0; i < vm.reasons.size(); ++i) {
    const ReasonTotals& reason = vm.reasons[i];
    if (i >= shown) {
      rest.count += reason.count;
      rest.stats.sum_ns += reason.halt ? 0 : reason.stats.sum_ns;
      continue;
    }
    const bool known = has_distribution(reason.stats);
    const auto quantile = [&](double q) { return known ? human_duration(reason.stats.quantile_ns(q)) : "-"; };
    out += fmt::format("  {}{}\n", fit(reason.name, name_width - 2),
                       cells(human_count(reason.count),
                             {reason.stats.count > 0 ? duration(reason.stats.sum_ns) : "-",
                              reason.halt ? "halted"
                                          : human_share(static_cast<double>(reason.stats.sum_ns),
                                                        static_cast<double>(vm.lost_ns)),
                              quantile(0.5), quantile(0.99), known ? duration(reason.stats.max_ns) : "-"}));
  }
  if (shown < vm.reasons.size()) {
    out += style.dim(fmt::format(
               "  {}{}", fit(fmt::format("({} more)", vm.reasons.size() - shown), name_width - 2),
               cells(human_count(rest.count),
                     {duration(rest.stats.sum_ns), human_share(static_cast<double>(rest.stats.sum_ns),
                                                               static_cast<double>(vm.lost_ns))}))) +
           "\n";
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
    out += style.dim("no VM exits") + "\n";
    return;
  }
  sort_rows(vms, style.sort, [](const VmTotals& vm) { return vm.lost_ns; });
  out += style.dim(fit("VM", name_width) +
                   cells("exits", {"exits/s", "time lost", "of vCPU", "halted", "vCPUs"})) +
         "\n";
  out +=
      style.dim(fit("  reason", name_width) + cells("count", {"time", "share", "p50", "p99", "max"})) + "\n";

  const double seconds = seconds_of(window);
  const std::size_t shown = style.shown(vms.size());
  VmTotals rest;
  std::size_t rest_vcpus = 0;
  for (std::size_t i = 0; i < vms.size(); ++i) {
    VmTotals& vm = vms[i];
    if (i >= shown) {
      rest.count += vm.count;
      rest.lost_ns += vm.lost_ns;
      rest.halted_ns += vm.halted_ns;
      rest_vcpus += vm.vcpus.size();
      continue;
    }
    const double vcpu_ns = seconds * 1e9 * static_cast<double>(vm.vcpus.size());
    out += style.bold(fit(vm.name, name_width)) +
           cells(human_count(vm.count), {per_second(vm.count, seconds), duration(vm.lost_ns),
                                         human_share(static_cast<double>(vm.lost_ns), vcpu_ns),
                                         duration(vm.halted_ns), human_count(vm.vcpus.size())}) +
           "\n";
    append_reasons(vm, style, out);
  }
  if (shown < vms.size()) {
    out += style.dim(
               fit(fmt::format("({} more)", vms.size() - shown), name_width) +
               cells(human_count(rest.count), {per_second(rest.count, seconds), duration(rest.lost_ns),
                                               human_share(static_cast<double>(rest.lost_ns),
                                                           seconds * 1e9 * static_cast<double>(rest_vcpus)),
                                               duration(rest.halted_ns), human_count(rest_vcpus)})) +
           "\n";
  }
}

void append_units(const Snapshot& window, const TableStyle& style, std::string& out) {
  if (window.sched.empty()) {
    out += style.dim("no context switches") + "\n";
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
  const auto columns = [&](const SchedRow& row) {
    return fmt::format(" {:>11} {:>11} {:>11} {:>11} {:>11}", human_count(switches(row)),
                       human_count(row.voluntary), human_count(row.involuntary), duration(row.on_cpu_ns),
                       human_share(static_cast<double>(row.on_cpu_ns), window_ns));
  };
  out += style.dim(fmt::format("{:<{}} {:>11} {:>11} {:>11} {:>11} {:>11}", "UNIT", kind_width + unit_width,
                               "switches", "voluntary", "involuntary", "on CPU", "of one CPU")) +
         "\n";
  const std::size_t shown = style.shown(rows.size());
  SchedRow rest;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const SchedRow& row = rows[i];
    if (i >= shown) {
      rest.voluntary += row.voluntary;
      rest.involuntary += row.involuntary;
      rest.on_cpu_ns += row.on_cpu_ns;
      continue;
    }
    out += fit(identity::to_string(row.unit.kind), kind_width) + style.bold(fit(row.unit.name, unit_width)) +
           columns(row) + "\n";
  }
  if (shown < rows.size()) {
    out += style.dim(fit(fmt::format("({} more)", rows.size() - shown), kind_width + unit_width) +
                     columns(rest)) +
           "\n";
  }
}

void append_ledger(const Snapshot& window, const TableStyle& style, std::string& out) {
  out += style.dim(wrap("ledger", ledger_facts(window))) + "\n";
  if (const std::vector<std::string> losses = ledger_losses(window); !losses.empty()) {
    out += style.alarm(wrap("LOST", losses)) + "\n";
  }
}

}  // namespace isoscope::sink
