// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <sstream>

#include "base/text.h"
#include "matrix_world.h"
#include "sink/matrix_report.h"
#include "sink_samples.h"

namespace isoscope::sink {
namespace {

using event::NamespaceType;
using policy::testing::MatrixWorld;
using ::testing::HasSubstr;
using ::testing::Not;

std::size_t columns(std::string_view line) {
  std::size_t count = 0;
  for (; !line.empty(); ++count) {
    base::take_character(line);
  }
  return count;
}

MatrixReport report_of(const MatrixWorld& world) {
  MatrixReport report{.matrix = policy::make_matrix(world.input), .shown = {}, .host = samples::host};
  report.shown.assign(report.matrix.rows.size(), true);
  report.wall_ns = 1'714'557'600'123'456'789;
  return report;
}

// A pod of two, a container with the host's network and processes, two that share a network without a pod,
// one inside another, a VM, and a process that is not where it should be.
MatrixReport sample() {
  MatrixWorld world;
  const std::size_t web = world.container("shop/web", "0f8a6b1e-0000-4000-8000-000000000001");
  const std::size_t sidecar = world.container("shop/proxy", "0f8a6b1e-0000-4000-8000-000000000001");
  for (const NamespaceType type : {NamespaceType::net, NamespaceType::ipc, NamespaceType::uts}) {
    world.share(web, sidecar, type);
  }
  const std::size_t agent = world.container("node-agent");
  world.set(agent, NamespaceType::net, MatrixWorld::host_inum(NamespaceType::net));
  world.set(agent, NamespaceType::pid, MatrixWorld::host_inum(NamespaceType::pid));
  const std::size_t db = world.container("db");
  world.share(db, world.container("db-backup"), NamespaceType::net);
  world.nested("builder", world.container("ci"));
  world.vm("guest", "/machine.slice/machine-qemu\\x2d1\\x2dguest.scope");
  world.member(db, {{NamespaceType::mnt, MatrixWorld::host_inum(NamespaceType::mnt)}});
  MatrixReport report = report_of(world);
  report.idle_units = 2;
  report.unread_processes = 1;
  return report;
}

TEST(MatrixTable, MatchesTheGoldenFile) {
  const std::string text = matrix_table(sample(), {});
  EXPECT_EQ(text, samples::golden("matrix.table", text));
}

TEST(MatrixTable, ColourChangesNothingElse) {
  TableStyle style;
  style.color = true;
  std::string text = matrix_table(sample(), style);
  EXPECT_THAT(text, HasSubstr("\x1b[1;31mcritical"));
  for (std::size_t at = text.find('\x1b'); at != std::string::npos; at = text.find('\x1b')) {
    text.erase(at, text.find('m', at) + 1 - at);
  }
  EXPECT_EQ(text, matrix_table(sample(), {}));
}

TEST(MatrixTable, WithoutUnits) {
  EXPECT_EQ(matrix_table(report_of(MatrixWorld()), {}),
            "0 units, 0 pairs, none of which shares more than the host's\n\nno unit\n\nno finding\n");
  MatrixReport report = sample();
  report.shown.assign(report.shown.size(), false);
  TableStyle style;
  style.filtered = true;
  EXPECT_THAT(matrix_table(report, style), HasSubstr("no unit that the filters let through"));
}

TEST(MatrixTable, AFilteredUnitHasItsPairsGroupsAndFindingsOnly) {
  MatrixReport report = sample();
  for (std::size_t i = 0; i < report.shown.size(); ++i) {
    report.shown[i] = report.matrix.rows[i].ref.name == "shop/web";
  }
  const std::string text = matrix_table(report, {});
  EXPECT_THAT(text, HasSubstr("container shop/web - container shop/proxy: uts, ipc, net (one pod)"));
  EXPECT_THAT(text, HasSubstr("expected: one pod"));
  for (const char* const other : {"node-agent", "db", "guest", "host-pid", "critical"}) {
    EXPECT_THAT(text, Not(HasSubstr(other)));
  }
}

TEST(MatrixTable, LongListsAndNamesStayReadable) {
  MatrixWorld world;
  const std::size_t first = world.container(std::string(80, 'x'));
  for (const NamespaceType type :
       {NamespaceType::mnt, NamespaceType::uts, NamespaceType::ipc, NamespaceType::net, NamespaceType::pid,
        NamespaceType::cgroup, NamespaceType::time}) {
    world.set(first, type, 4711);
  }
  for (int i = 0; i < 40; ++i) {
    const std::size_t unit = world.container("unit-" + std::to_string(i) + "\x1b[31m");
    world.share(first, unit, static_cast<NamespaceType>(i % 7));
  }
  const std::string text = matrix_table(report_of(world), {});
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("and 31 more"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(columns(line), 120U) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
  }
}

TEST(MatrixTable, ATypeThatTheKernelLacksHasNoColumn) {
  MatrixWorld world;
  world.container("web");
  world.set(0, NamespaceType::time, 0);
  world.input.host.inum[static_cast<std::size_t>(NamespaceType::time)] = 0;
  EXPECT_THAT(matrix_table(report_of(world), {}), Not(HasSubstr("time")));
}

TEST(MatrixJson, MatchesTheGoldenFile) {
  const std::string text = matrix_json(sample());
  EXPECT_EQ(text, samples::golden("matrix.json", text));
}

TEST(MatrixJson, IsOneObjectThatSaysWhatTheTableSays) {
  const std::string text = matrix_json(sample());
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  rapidjson::Document json;
  ASSERT_FALSE(json.Parse(text.c_str()).HasParseError());
  EXPECT_STREQ(json["schema"].GetString(), "isoscope.matrix.v1");
  EXPECT_EQ(json["units"].Size(), 8U);
  EXPECT_STREQ(json["units"][2]["namespaces"]["net"]["relation"].GetString(), "host");
  EXPECT_STREQ(json["units"][0]["namespaces"]["net"]["group"].GetString(), "A");
  EXPECT_EQ(json["pairs"]["total"].GetUint(), 28U);
  EXPECT_STREQ(json["findings"][0]["rule"].GetString(), "member-in-host");
}

TEST(MatrixJson, OfFilteredUnits) {
  MatrixReport report = sample();
  report.shown.assign(report.shown.size(), false);
  report.shown[2] = true;  // node-agent
  rapidjson::Document json;
  ASSERT_FALSE(json.Parse(matrix_json(report).c_str()).HasParseError());
  EXPECT_EQ(json["units"].Size(), 1U);
  EXPECT_EQ(json["units_total"].GetUint(), 8U);
  EXPECT_TRUE(json["groups"].Empty());
  EXPECT_TRUE(json["pairs"]["list"].Empty());
  EXPECT_EQ(json["findings"].Size(), 3U);
}

}  // namespace
}  // namespace isoscope::sink
