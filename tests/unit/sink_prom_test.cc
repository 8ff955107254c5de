// SPDX-License-Identifier: Apache-2.0
#include "sink/prom.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <sstream>

#include "sink_samples.h"

namespace isoscope::sink {
namespace {

using testing::HasSubstr;
using testing::Not;

Settings settings(std::uint32_t series = 5000) {
  Settings all;
  all.series = series;
  all.version = "0.1.0";
  all.started_wall_ns = 1'714'557'590'250'000'000;
  return all;
}

// What stands in the file after the reports.
std::string exposition(const std::vector<Report>& reports, std::uint32_t series = 5000) {
  return samples::written(config::Format::prom, reports, nullptr, settings(series));
}

aggregate::Snapshot empty_window(std::uint64_t number) {
  aggregate::Snapshot window;
  window.window = number;
  window.start_mono_ns = samples::start_ns + number * 5'000'000'000;
  window.end_mono_ns = window.start_mono_ns + 5'000'000'000;
  window.ledger = samples::quiet_ledger();
  return window;
}

aggregate::Snapshot window_of(const identity::UnitRef& unit, std::uint64_t number) {
  aggregate::Snapshot window = empty_window(number);
  window.sched = {samples::sched(unit, 10, 1, 1'000'000)};
  return window;
}

UnitReport stopped(const identity::UnitRef& ref) {
  UnitReport report = samples::unit_started();
  report.unit.ref = ref;
  report.unit.state = identity::UnitState::stopped;
  return report;
}

std::vector<std::string> samples_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with('#')) {
      lines.push_back(line);
    }
  }
  return lines;
}

// Series that are of VMs, units and rules, and not of the program itself.
std::size_t counted_series(const std::string& text) {
  std::size_t count = 0;
  for (const std::string& line : samples_of(text)) {
    count += line.find("{id=") != std::string::npos || line.find("{kind=") != std::string::npos ||
                     line.find("{policy=") != std::string::npos
                 ? 1
                 : 0;
  }
  return count;
}

// As a scraper does: it refuses all where one series comes twice.
void expect_no_series_twice(const std::string& text) {
  std::set<std::string> seen;
  for (const std::string& line : samples_of(text)) {
    EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << line;
  }
}

// What Debian's promtool has to say: nothing if the format and all names are good.
std::string promtool(const std::string& text) {
  const samples::Scratch scratch;
  std::ofstream(scratch.path()) << text;
  const std::string command = "promtool check metrics <" + scratch.path() + " 2>&1";
  FILE* const pipe = ::popen(command.c_str(), "r");
  std::string said;
  char buffer[4096];
  while (pipe != nullptr && std::fgets(buffer, sizeof(buffer), pipe) != nullptr) {
    said += buffer;
  }
  const int status = pipe == nullptr ? -1 : ::pclose(pipe);
  return status == 0 ? said : said + "\nstatus " + std::to_string(status);
}

std::vector<Report> everything() {
  std::vector<Report> reports = samples::streamed();
  reports.emplace_back(samples::window());
  aggregate::Snapshot second = samples::window();
  second.window = 4;
  second.end_mono_ns += 5'000'000'000;
  second.ledger.classes[0].dropped = 3;
  second.ledger.agent_resident_bytes = 23'456'789;
  reports.emplace_back(second);
  return reports;
}

TEST(Prom, TwoWindowsMatchTheGoldenFile) {
  const std::string text = exposition(everything());
  EXPECT_EQ(text, samples::golden("window.prom", text));
}

TEST(Prom, PromtoolIsSilent) {
  EXPECT_EQ(promtool(exposition(everything())), "");
  EXPECT_EQ(promtool(exposition({empty_window(1)})), "");
  EXPECT_THAT(promtool("isoscope_bad 1\nisoscope_bad 2\n"), HasSubstr("status")) << "else it proves nothing";
}

TEST(Prom, EachWindowIsTheWholeFile) {
  const base::WallClock clock(samples::offset_ns);
  const samples::Scratch scratch;
  auto output = open_output({scratch.path(), config::Format::prom});
  ASSERT_TRUE(output);
  const auto sink = make_sink(config::Format::prom, std::move(*output), clock, settings());
  sink->take(window_of(samples::alpha, 1));
  const std::string first = scratch.text();
  EXPECT_THAT(first, HasSubstr("type=\"voluntary\"} 10\n"));
  sink->flush();
  sink->take(samples::violation());
  EXPECT_EQ(scratch.text(), first) << "single events wait for the window";
  sink->take(window_of(samples::alpha, 2));
  EXPECT_THAT(scratch.text(), HasSubstr("type=\"voluntary\"} 20\n"));
  EXPECT_THAT(scratch.text(), Not(HasSubstr("type=\"voluntary\"} 10\n")));
  const std::string second = scratch.text();
  sink->finish(samples::summary());
  EXPECT_EQ(scratch.text(), second);
}

TEST(Prom, HaltsAndWhatHasNoDistributionAreNotInTheHistogram) {
  aggregate::Snapshot window = empty_window(1);
  window.vm_exits = {samples::exits(samples::web, 0, 0x7b, {1'000, 2'000}),
                     samples::exits(samples::web, 0, 0x78, {4'000'000'000})};
  aggregate::VmExitsRow other = samples::exits(samples::web, 0, 0, {});
  other.other = true;
  other.count = other.stats.count = 9;
  other.stats.sum_ns = 9'000;
  window.vm_exits.push_back(other);
  const std::string text = exposition({window});
  EXPECT_THAT(text, HasSubstr("isoscope_vm_exit_duration_seconds_count{id=\"" + samples::web.id +
                              "\",vm=\"web\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("reason=\"hlt\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("reason=\"other\"} 9\n"));
}

TEST(Prom, NoPidIsALabel) {
  identity::Vm named = samples::nameless;
  named.name = "kate";
  named.id = "pid:4300";
  aggregate::Snapshot window = empty_window(1);
  window.vm_exits = {samples::exits(samples::nameless, 0, 0x7b, {3'000}),
                     samples::exits(named, 0, 0x7b, {3'000}), samples::exits(named, 0, 0x7b, {3'000})};
  identity::Vm second = samples::nameless;
  second.id = second.name = "pid:4201";
  window.vm_exits.push_back(samples::exits(second, 0, 0x7b, {3'000}));
  window.sched = {samples::sched(samples::unit_of(samples::nameless), 5, 0, 1)};
  const std::string text = exposition({window});
  EXPECT_THAT(text, Not(HasSubstr("pid")));
  EXPECT_THAT(text, HasSubstr("{id=\"\",vm=\"unnamed\",reason=\"io\"} 2\n")) << "two of them";
  EXPECT_THAT(text, HasSubstr("{id=\"\",vm=\"kate\",reason=\"io\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("{kind=\"vm\",id=\"\",unit=\"unnamed\",type=\"voluntary\"} 5\n"));
  expect_no_series_twice(text);
}

TEST(Prom, NamesCannotBreakTheFormat) {
  const std::string hostile = std::string("a\nisoscope_evil 1\n\"} 2 \\ \xff\xc0\x80 ") + "\x1b[2J";
  aggregate::Snapshot window = empty_window(1);
  identity::Vm vm = samples::web;
  vm.name = hostile;
  window.vm_exits = {samples::exits(vm, 0, 0x7b, {3'000})};
  // Ids that are the same once they are text: one series, or no scraper would take any.
  window.sched = {samples::sched({identity::UnitKind::cgroup, "/x\xfe", hostile}, 3, 0, 1),
                  samples::sched({identity::UnitKind::cgroup, "/x\xff", hostile}, 4, 0, 1)};
  policy::Violation violation = samples::violation();
  violation.rule = hostile;
  const std::string text = exposition({violation, window});
  for (const std::string& line : samples_of(text)) {
    EXPECT_FALSE(line.starts_with("isoscope_evil")) << line;
  }
  EXPECT_THAT(text, HasSubstr("vm=\"a?isoscope_evil 1?\\\"} 2 \\\\ \xef\xbf\xbd"));
  EXPECT_THAT(text, HasSubstr("type=\"voluntary\"} 7\n"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  expect_no_series_twice(text);
  EXPECT_EQ(promtool(text), "");
}

TEST(Prom, AStoppedUnitIsGoneAfterOneWindowWithoutIt) {
  const identity::UnitRef& unit = samples::alpha;
  const std::vector<Report> until_stop = {window_of(unit, 1), stopped(unit), window_of(unit, 2)};
  EXPECT_THAT(exposition(until_stop), HasSubstr("type=\"voluntary\"} 20\n")) << "its last figures are shown";
  std::vector<Report> after = until_stop;
  after.emplace_back(empty_window(3));
  EXPECT_THAT(exposition(after), Not(HasSubstr(unit.id)));
}

// Its end is told before its first window.
TEST(Prom, AUnitThatLivedWithinAWindowIsGoneToo) {
  const identity::UnitRef& unit = samples::alpha;
  UnitReport started = samples::unit_started();
  started.unit.ref = unit;
  for (const std::vector<Report>& between : {std::vector<Report>{}, {empty_window(1)}}) {
    std::vector<Report> reports = {started, stopped(unit)};
    reports.insert(reports.end(), between.begin(), between.end());
    reports.emplace_back(window_of(unit, 2));
    EXPECT_THAT(exposition(reports), HasSubstr(unit.id));
    reports.emplace_back(empty_window(3));
    EXPECT_THAT(exposition(reports), Not(HasSubstr(unit.id)));
  }
}

TEST(Prom, ACgroupThatBecameAContainerIsGone) {
  const UnitReport container = samples::unit_started();
  const std::string& path = container.unit.cgroup_path;
  ASSERT_NE(path, "");
  const identity::UnitRef plain{identity::UnitKind::cgroup, path, path};
  std::vector<Report> reports = {window_of(plain, 1), container, window_of(container.unit.ref, 2)};
  EXPECT_THAT(exposition(reports), Not(HasSubstr("kind=\"cgroup\"")));
  EXPECT_THAT(exposition({window_of(plain, 1), empty_window(2)}), HasSubstr("kind=\"cgroup\""));
}

TEST(Prom, AnIdleUnitStays) {
  const std::string text = exposition({window_of(samples::alpha, 1), empty_window(2), empty_window(3)});
  EXPECT_THAT(text, HasSubstr("type=\"voluntary\"} 10\n"));
}

TEST(Prom, OneThatCameAgainStays) {
  UnitReport again = samples::unit_started();
  const std::string text =
      exposition({window_of(samples::alpha, 1), stopped(samples::alpha), again, empty_window(2)});
  EXPECT_THAT(text, HasSubstr(samples::alpha.id));
}

TEST(Prom, AUnitWhoseEndWasLostIsForgottenAfterAnHour) {
  aggregate::Snapshot later = empty_window(2);
  later.end_mono_ns = window_of(samples::alpha, 1).end_mono_ns + PromSeries::idle_ns;
  EXPECT_THAT(exposition({window_of(samples::alpha, 1), later}), Not(HasSubstr(samples::alpha.id)));
  --later.end_mono_ns;
  EXPECT_THAT(exposition({window_of(samples::alpha, 1), later}), HasSubstr(samples::alpha.id));
}

TEST(Prom, ANewNameTakesThePlaceOfTheOld) {
  const std::string text = exposition({window_of(samples::alpha, 1), samples::unit_updated()});
  EXPECT_THAT(text, HasSubstr("unit=\"alpha\""));
  const std::string renamed =
      exposition({window_of(samples::alpha, 1), samples::unit_updated(), empty_window(2)});
  EXPECT_THAT(renamed, HasSubstr("unit=\"web-0/alpha\",type=\"voluntary\"} 10\n"));
  EXPECT_THAT(renamed, Not(HasSubstr("unit=\"alpha\"")));
}

identity::UnitRef numbered(int i) {
  const std::string id = "c" + std::to_string(i);
  return {identity::UnitKind::container, id, id};
}

TEST(Prom, WhatExceedsTheCapIsOther) {
  aggregate::Snapshot window = empty_window(1);
  for (int i = 0; i < 50; ++i) {
    window.sched.push_back(samples::sched(numbered(i), 1, 0, 1));
    identity::Vm vm = samples::web;
    vm.id = "vm" + std::to_string(i);
    window.vm_exits.push_back(samples::exits(vm, 0, 0x7b, {3'000}));
  }
  std::vector<Report> reports = {window};
  for (int i = 0; i < 200; ++i) {
    policy::Violation violation = samples::violation();
    violation.rule = "rule-" + std::to_string(i);
    reports.insert(reports.begin(), violation);
  }
  for (const std::uint32_t most : {100U, 151U, 400U, 1000U}) {
    const std::string text = exposition(reports, most);
    EXPECT_LE(counted_series(text), most);
    EXPECT_THAT(text, HasSubstr("{kind=\"other\",id=\"other\",unit=\"other\",type=\"voluntary\"}"));
    EXPECT_THAT(text, Not(HasSubstr("isoscope_series_overflow_total 0\n")));
    double switches = 0;
    double violations = 0;
    for (const std::string& line : samples_of(text)) {
      const double value = std::stod(line.substr(line.rfind(' ')));
      switches += line.find("type=\"voluntary\"") != std::string::npos ? value : 0;
      violations += line.starts_with("isoscope_violations_total") ? value : 0;
    }
    EXPECT_EQ(switches, 50) << "nobody is left out";
    EXPECT_EQ(violations, 200);
    expect_no_series_twice(text);
  }
  EXPECT_THAT(exposition({window}), HasSubstr("isoscope_series_overflow_total 0\n"));
}

TEST(Prom, WhoLeavesMakesRoom) {
  std::vector<Report> reports;
  for (int i = 0; i < 100; ++i) {
    reports.emplace_back(window_of(numbered(i), static_cast<std::uint64_t>(2 * i)));
    reports.emplace_back(stopped(numbered(i)));
    reports.emplace_back(empty_window(static_cast<std::uint64_t>(2 * i + 1)));
  }
  EXPECT_THAT(exposition(reports, 100), HasSubstr("isoscope_series_overflow_total 0\n"));
}

TEST(Prom, AReasonWithoutRoomIsOther) {
  aggregate::Snapshot window = empty_window(1);
  for (std::uint32_t reason = 0; reason < 120; ++reason) {
    window.vm_exits.push_back(samples::exits(samples::web, 0, reason, {3'000}));
  }
  const std::string text = exposition({window}, 100);
  double exits = 0;
  for (const std::string& line : samples_of(text)) {
    exits += line.starts_with("isoscope_vm_exits_total") ? std::stod(line.substr(line.rfind(' '))) : 0;
  }
  EXPECT_EQ(exits, 120);
  EXPECT_LE(counted_series(text), 100U);
  EXPECT_THAT(text, HasSubstr("{id=\"other\",vm=\"other\",reason=\"other\"}"));
}

}  // namespace
}  // namespace isoscope::sink
