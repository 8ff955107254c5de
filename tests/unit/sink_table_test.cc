// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/text.h"
#include "sink/table_lines.h"
#include "sink_samples.h"

namespace isoscope::sink {
namespace {

using samples::written;
using testing::HasSubstr;
using testing::Not;

std::string table(const std::vector<Report>& reports, const aggregate::Snapshot* end = nullptr,
                  const Settings& settings = {}) {
  return written(config::Format::table, reports, end, settings);
}

Settings with(config::SortKey sort, std::uint32_t top = 10) {
  Settings settings;
  settings.sort = sort;
  settings.top = top;
  return settings;
}

// The names at the beginnings of lines, in the order in which they come.
bool in_order(const std::string& text, const std::vector<std::string>& beginnings) {
  std::size_t from = 0;
  for (const std::string& beginning : beginnings) {
    from = text.find("\n" + beginning, from);
    if (from == std::string::npos) {
      return false;
    }
    ++from;
  }
  return true;
}

std::size_t columns(std::string_view line) {
  std::size_t count = 0;
  for (; !line.empty(); ++count) {
    base::take_character(line);
  }
  return count;
}

TEST(Table, WindowAndSummaryMatchTheGoldenFile) {
  const aggregate::Snapshot end = samples::summary();
  const std::string text = table({samples::window(), samples::violation()}, &end);
  EXPECT_EQ(text, samples::golden("window.table", text));
}

TEST(Table, StreamedRecordsMatchTheGoldenFile) {
  const std::string text = table(samples::streamed());
  EXPECT_EQ(text, samples::golden("streamed.table", text));
}

TEST(Table, ServicesComeAndGoInSilence) {
  UnitReport report = samples::unit_started();
  const std::string container = table({report});
  report.unit.ref.kind = identity::UnitKind::service;
  const std::string service = table({report});
  EXPECT_THAT(container, HasSubstr(report.unit.ref.name));
  EXPECT_THAT(service, Not(HasSubstr(report.unit.ref.name)));
}

TEST(Table, ColouredWindowMatchesTheGoldenFile) {
  Settings settings;
  settings.color = config::ColorMode::always;
  aggregate::Snapshot lossy = samples::window();
  lossy.ledger.causes[0].count = 3;
  const std::string text = table({lossy, samples::violation()}, nullptr, settings);
  EXPECT_EQ(text, samples::golden("colour.table", text));
}

TEST(Table, FitsAHundredColumns) {
  aggregate::Snapshot window = samples::window();
  for (auto& row : window.vm_exits) {
    row.vm.name = std::string(300, 'v');
    row.count = 18'446'744'073'709'551'615U / 8;
  }
  for (auto& row : window.sched) {
    row.unit.name = std::string(300, 'u');
    row.voluntary = 999'999'999;
    row.on_cpu_ns = 3'000'000'000'000'000;
  }
  for (auto& row : window.resources) {
    row.unit.name = std::string(300, 'r');
    row.cpu->usage_ns = 512 * row.span_ns;
    row.cpu->throttling = identity::Throttling{1, 1, 3'000'000'000'000'000};
    row.cpu_pressure = row.memory_pressure = row.io_pressure = identity::Pressure{row.span_ns * 2, 0};
    row.memory_current = 1'020U << 20;
    row.bottleneck = aggregate::Bottleneck::memory;
  }
  for (auto& row : window.ledger.classes) {
    row = {row.name, 999'999'999, 899'999'999, 100'000'000};
  }
  std::istringstream lines(table({window}));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_LE(columns(line), 100U) << line;
  }
  EXPECT_GT(count, 10);
}

TEST(Table, TimeLostLeavesHaltsOut) {
  const std::string text = table({samples::window()});
  // 43.7 + 4.5 + 27 + 0.7 + 24 us less the 1 us that an io exit slept; the halt's 4 s stand apart.
  EXPECT_THAT(text, testing::ContainsRegex("\nweb, 2 vCPUs +20 +4.0 +98.9 us +<0.1 % "
                                           "+46.9 us +20.0 us +32.0 us +4.00 s\n"))
      << text;
  EXPECT_THAT(text, testing::ContainsRegex("\n  hlt +2 +0.4 +4.00 s +halted ")) << text;
}

TEST(Table, WhatIsNotKnownIsADash) {
  EXPECT_THAT(table({samples::window()}),
              testing::ContainsRegex("\n  other +9 +1.8 +24.0 us +24.3 % +- +- +- +kernel\n"));
}

TEST(Table, ResourcesByUseOfTheProcessor) {
  aggregate::Snapshot window = samples::window();
  const std::string text = table({window});
  EXPECT_THAT(
      text, testing::ContainsRegex("\nUNIT, all in it .*bottleneck\nhost .*\ncontainer alpha .*\nservice "));
  EXPECT_THAT(text, testing::ContainsRegex("\ncontainer alpha +0.20 +4.00 s +80/1/2 +64.0 MiB +5.00 MiB "
                                           "+2.05 MiB +cpu\n"))
      << text;
  EXPECT_THAT(text, testing::ContainsRegex("\nservice +ssh.service +0.00 +- +-/-/- +- +- +- +-\n"));
  EXPECT_TRUE(in_order(table({window}, nullptr, with(config::SortKey::name)),
                       {"UNIT, all", "container alpha", "host", "service"}));
  EXPECT_THAT(table({window}, nullptr, with(config::SortKey::time, 2)), HasSubstr("\n(1 more)\n"));
  window.resources.clear();
  EXPECT_THAT(table({window}), HasSubstr("\nno resources of units\n"));
}

TEST(Table, SortsVmsAndReasons) {
  aggregate::Snapshot window = samples::window();
  window.vm_exits.push_back(samples::exits(samples::nameless, 0, 0x60, {1}, 1000));
  EXPECT_TRUE(
      in_order(table({window}, nullptr, with(config::SortKey::time)),
               {"web", "  npf", "  io", "  other", "  0x1ff", "  hlt", "pid:4200", "  io", "  interrupt"}));
  EXPECT_TRUE(
      in_order(table({window}, nullptr, with(config::SortKey::count)),
               {"pid:4200", "  interrupt", "  io", "web", "  other", "  npf", "  io", "  hlt", "  0x1ff"}))
      << table({window}, nullptr, with(config::SortKey::count));
  EXPECT_TRUE(
      in_order(table({window}, nullptr, with(config::SortKey::name)),
               {"pid:4200", "  interrupt", "  io", "web", "  0x1ff", "  hlt", "  io", "  npf", "  other"}));
}

TEST(Table, SortsUnits) {
  EXPECT_TRUE(
      in_order(table({samples::window()}), {"container alpha", "host      host", "service   ssh.service"}));
  EXPECT_TRUE(in_order(table({samples::window()}, nullptr, with(config::SortKey::name)),
                       {"container alpha", "host      host", "service   ssh.service"}));
  aggregate::Snapshot window = samples::window();
  window.sched[2].voluntary = 5'000'000;
  EXPECT_TRUE(in_order(table({window}), {"service   ssh.service", "container alpha", "host      host"}));
}

TEST(Table, TopFoldsTheRestIntoOneRow) {
  const std::string text = table({samples::window()}, nullptr, with(config::SortKey::time, 1));
  EXPECT_THAT(text, HasSubstr("\nweb, 2 vCPUs "));
  EXPECT_THAT(text, Not(HasSubstr("pid:4200")));
  EXPECT_THAT(text,
              testing::ContainsRegex("\n\\(1 more\\) +1 +0.2 +3.00 us +<0.1 % +3.00 us +0 ns +0 ns +0 ns\n"))
      << text;
  EXPECT_THAT(text, testing::ContainsRegex("\n  \\(4 more\\) +14 +2.8 +51.7 us +52.3 %\n")) << text;
  EXPECT_THAT(text, testing::ContainsRegex("\n\\(3 more\\) +1,352 +140 +1.75 s +35.0 % +0 ns +-\n")) << text;
}

TEST(Table, TopZeroShowsAll) {
  aggregate::Snapshot window = samples::window();
  for (std::uint32_t i = 0; i < 30; ++i) {
    window.sched.push_back(
        {{identity::UnitKind::service, std::to_string(i), "unit" + std::to_string(i)}, 1, 0, 1});
  }
  EXPECT_THAT(table({window}), HasSubstr("(24 more)"));
  const std::string all = table({window}, nullptr, with(config::SortKey::time, 0));
  EXPECT_THAT(all, Not(HasSubstr("more)")));
  EXPECT_THAT(all, HasSubstr("unit29"));
}

TEST(Table, AnEmptyWindowSaysSo) {
  aggregate::Snapshot window;
  window.window = 1;
  const std::string text = table({window});
  EXPECT_THAT(text, HasSubstr("no VM exits\n"));
  EXPECT_THAT(text, HasSubstr("no context switches\n"));
  EXPECT_THAT(text, HasSubstr("no single events"));
  EXPECT_THAT(text, Not(HasSubstr("LOST")));
}

TEST(Table, FiltersThatLeaveNothingAreNotANothing) {
  aggregate::Snapshot window;
  window.window = 1;
  Settings settings;
  settings.filtered = true;
  const std::string text = table({window}, &window, settings);
  EXPECT_THAT(text, HasSubstr("no VM exits that the filters let through\n"));
  EXPECT_THAT(text, HasSubstr("no context switches that the filters let through\n"));
  EXPECT_THAT(text, Not(HasSubstr("no VM exits\n"))) << "the summary says so, too";
}

TEST(Table, LossesAreLoudAndNamed) {
  aggregate::Snapshot window = samples::window();
  EXPECT_THAT(table({window}), Not(HasSubstr("LOST")));
  window.ledger.classes[2] = {"exits", 100'000, 98'000, 2'000};
  window.ledger.causes[1].count = 5;
  window.ledger.undecodable = 1;
  window.ledger.write_errors = 7;
  EXPECT_THAT(table({window}),
              HasSubstr("\nLOST    exits: 2,000 of 100,000 records dropped; vcpu_full: 5; "
                        "records not understood: 1;\n        lines of output not written: 7\n"));
}

TEST(Table, AGapIsALossThatSaysHowItEnded) {
  aggregate::Snapshot window = samples::window();
  window.ledger.recheck = {2, 1'000, 3, 1'500'000'000, true};
  const std::string closed = table({window});
  EXPECT_THAT(closed, HasSubstr("re-checks 2, 1,000 tasks"));
  EXPECT_THAT(closed, HasSubstr("3 changes found"));
  EXPECT_THAT(closed, HasSubstr("could be late for 1.50 s, until a re-check closed the gap"));
  window.ledger.recheck.complete = false;
  EXPECT_THAT(table({window}), HasSubstr("and the gap is still open"));
}

TEST(Table, AnOpenSumIsALossOnlyAtTheEnd) {
  aggregate::Snapshot window = samples::window();
  window.ledger.classes[0] = {"security", 12, 10, 1};
  window.ledger.classes[0].dropped = 0;
  EXPECT_THAT(table({window}), Not(HasSubstr("LOST"))) << "two may be on their way";
  aggregate::Snapshot end = window;
  end.window = 0;
  EXPECT_THAT(table({}, &end), HasSubstr("LOST    security: 12 made, but 10 handled and 0 dropped\n"));
}

TEST(Table, TheSummaryCountsViolations) {
  std::vector<Report> reports;
  for (std::uint32_t pid = 1; pid <= 12; ++pid) {
    policy::Violation violation = samples::violation();
    std::get<policy::Crossing>(violation.event).process.pid = pid;
    violation.severity = pid == 12 ? policy::Severity::low : policy::Severity::critical;
    std::get<policy::Crossing>(violation.event).from = pid == 3 ? samples::beta : samples::alpha;
    reports.emplace_back(violation);
  }
  const aggregate::Snapshot end = samples::summary();
  const std::string text = table(reports, &end);
  const std::string block = text.substr(text.find("\nVIOLATIONS "));
  EXPECT_THAT(block, HasSubstr("\nVIOLATIONS  11 critical, 1 low\n"));
  EXPECT_THAT(block, testing::ContainsRegex("\n  container alpha +10 critical, 1 low\n"));
  EXPECT_THAT(block, testing::ContainsRegex("\n  container beta +1 critical\n"));
  EXPECT_THAT(block, HasSubstr("\n  most recent:\n"));
  EXPECT_THAT(block, HasSubstr("pid 3 (nsenter)"));
  EXPECT_THAT(block, HasSubstr("pid 12 (nsenter)"));
  EXPECT_THAT(block, Not(HasSubstr("pid 2 (nsenter)"))) << "only the ten most recent";
}

TEST(Table, TheSummaryCountsWhatWasSuppressedAndAudited) {
  const aggregate::Snapshot end = samples::summary();
  const std::string text = table({samples::violation(), samples::folded(), samples::audit()}, &end);
  const std::string block = text.substr(text.find("\nVIOLATIONS "));
  EXPECT_THAT(block, HasSubstr("\nVIOLATIONS  1 critical, 1,235 low; 1 audited\n"));
  EXPECT_THAT(block, testing::ContainsRegex("\n  by policy:\n  mine +1,235 low\n  no-escape +1 critical\n"));
  EXPECT_THAT(block,
              HasSubstr(", suppressed 1,234 like it, not killed: it was gone already: somebody left\n"));
  EXPECT_THAT(table({samples::audit()}, &end), HasSubstr("\nno violations; 1 audited\n"));
}

TEST(Table, NoViolationsIsSaid) {
  const aggregate::Snapshot end = samples::summary();
  EXPECT_THAT(table({}, &end), HasSubstr("\nno violations\n"));
}

TEST(Table, WhoStartedIt) {
  identity::Ancestry ancestry = samples::escape().ancestry;
  EXPECT_EQ(describe(ancestry), "systemd(1) > containerd-shim(812) > sh(5100)");
  ancestry.complete = false;
  ancestry.chain.pop_back();
  EXPECT_EQ(describe(ancestry), "... > containerd-shim(812) > sh(5100)");
  EXPECT_EQ(describe(identity::Ancestry{{{2, 0, ""}}, true}), "?(2)");
  EXPECT_EQ(describe(identity::Ancestry{{{9, 0, "/a\x1b[2J"}}, true}), "a?[2J(9)");
  EXPECT_EQ(describe(identity::Ancestry{}), "");
  const identity::Ancestry deep{std::vector<identity::Ancestor>(20, {7, 0, "/a"}), true};
  EXPECT_EQ(describe(deep), "... > a(7) > a(7) > a(7) > a(7) > a(7) > a(7) > a(7) > a(7)");
}

TEST(Table, NamesCannotDriveTheTerminal) {
  const std::string evil =
      "x\x1b]0;owned\x07\r\n\xc2\x9b"
      "2J\xff";
  aggregate::Snapshot window = samples::window();
  window.vm_exits[0].vm.name = evil;
  window.sched[0].unit.name = evil;
  policy::Violation violation = samples::violation();
  std::get<policy::Crossing>(violation.event).process.comm = evil;
  std::get<policy::Crossing>(violation.event).from.name = evil;
  std::get<policy::Crossing>(violation.event).to_cgroup = evil;
  violation.policy = violation.rule = violation.message = evil;
  violation.has_own_message = true;
  std::get<policy::Crossing>(violation.event).moves[0].to_owner = {identity::UnitKind::container, evil, evil};
  UnitReport unit = samples::unit_started();
  unit.unit.ref.id = unit.unit.ref.name = unit.unit.cgroup_path = evil;
  unit.unit.ref.id += "x";
  unit.unit.metadata.image = evil;
  unit.unit.parent = unit.unit.ref;
  CgroupReport cgroup = samples::cgroup(CgroupReport::Action::made);
  cgroup.path = evil;
  VmExitReport exit = samples::vm_exit();
  exit.vm.name = evil;
  SwitchReport change = samples::context_switch();
  change.prev.name = change.next.name = evil;
  const aggregate::Snapshot end = window;
  const std::string text = table(
      {window, violation, std::get<policy::Crossing>(violation.event), unit, cgroup, exit, change}, &end);
  std::string_view rest = text;
  while (!rest.empty()) {
    const char32_t character = base::take_character(rest);
    ASSERT_TRUE(character == U'\n' || !base::is_control(character)) << static_cast<std::uint32_t>(character);
  }
  EXPECT_THAT(text, HasSubstr("x?]0;owned????2J\xef\xbf\xbd"));
  EXPECT_THAT(text, Not(HasSubstr("\n?2J"))) << "a newline in a name began a line";
}

TEST(Table, NoColourIntoAFile) {
  EXPECT_THAT(table({samples::window(), samples::violation()}), Not(HasSubstr("\x1b")));
  Settings never;
  never.color = config::ColorMode::never;
  EXPECT_THAT(table({samples::violation()}, nullptr, never), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace isoscope::sink
