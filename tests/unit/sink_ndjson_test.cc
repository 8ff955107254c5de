// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "sink/json.h"
#include "sink_samples.h"

namespace isoscope::sink {
namespace {

using samples::written;
using testing::HasSubstr;
using testing::Not;

// Parses every line; UTF-8 is checked, and one line is one object.
std::vector<rapidjson::Document> parse_lines(const std::string& text) {
  std::vector<rapidjson::Document> documents;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(line.c_str(), line.size());
    EXPECT_FALSE(document.HasParseError()) << line;
    EXPECT_TRUE(document.IsObject()) << line;
    documents.push_back(std::move(document));
  }
  return documents;
}

std::vector<rapidjson::Document> parsed(const std::vector<Report>& reports,
                                        const aggregate::Snapshot* end = nullptr) {
  return parse_lines(written(config::Format::ndjson, reports, end));
}

TEST(Ndjson, WindowAndSummaryMatchTheGoldenFile) {
  const aggregate::Snapshot end = samples::summary();
  const std::string text = written(config::Format::ndjson, {samples::window()}, &end);
  EXPECT_EQ(text, samples::golden("window.ndjson", text));
}

TEST(Ndjson, StreamedRecordsMatchTheGoldenFile) {
  const std::string text = written(config::Format::ndjson, samples::streamed());
  EXPECT_EQ(text, samples::golden("streamed.ndjson", text));
}

TEST(Ndjson, EveryRecordHasTheCommonMembers) {
  std::vector<Report> reports = samples::streamed();
  reports.emplace_back(samples::window());
  const aggregate::Snapshot end = samples::summary();
  std::uint64_t seq = 0;
  for (const rapidjson::Document& record : parsed(reports, &end)) {
    EXPECT_STREQ(record["schema"].GetString(), "isoscope.v1");
    EXPECT_TRUE(record["type"].IsString());
    EXPECT_EQ(record["time"].GetStringLength(), 30U);
    EXPECT_TRUE(record["mono_ns"].IsString());
    EXPECT_EQ(record["seq"].GetUint64(), seq++);
    EXPECT_STREQ(record["host"]["name"].GetString(), "node1");
    EXPECT_STREQ(record["host"]["boot_id"].GetString(), samples::host.boot_id.c_str());
  }
  EXPECT_EQ(seq, samples::streamed().size() + 7 + 4 + 3 + 2 + 3)
      << "rows of the window, its invariants and ledger; the violations, and both of the run";
}

TEST(Ndjson, TimesAreWallClockAndMonotonic) {
  const auto records = parsed({samples::unit_started()});
  ASSERT_EQ(records.size(), 1U);
  EXPECT_STREQ(records[0]["time"].GetString(), "2024-05-01T10:00:00.373456789Z");
  EXPECT_STREQ(records[0]["mono_ns"].GetString(), "1000250000000");
  EXPECT_STREQ(records[0]["cgroup"]["id"].GetString(), "18446744073709551615") << "64 bits, as a string";
  EXPECT_FALSE(records[0]["namespaces"].HasMember("time")) << "a type this kernel does not have";
}

TEST(Ndjson, ExitsCarryTheirDistribution) {
  const auto records = parsed({samples::window()});
  ASSERT_EQ(records.size(), 16U);
  const rapidjson::Document& npf = records[0];
  EXPECT_STREQ(npf["type"].GetString(), "vm_exits");
  EXPECT_STREQ(npf["isa"].GetString(), "svm");
  EXPECT_STREQ(npf["reason"].GetString(), "npf");
  EXPECT_EQ(npf["reason_code"].GetUint(), 0x400U);
  EXPECT_EQ(npf["count"].GetUint64(), 4U);
  EXPECT_EQ(npf["finished"].GetUint64(), 4U);
  EXPECT_EQ(npf["sum_ns"].GetUint64(), 43'700U);
  EXPECT_EQ(npf["min_ns"].GetUint64(), 1'000U);
  EXPECT_EQ(npf["max_ns"].GetUint64(), 40'000U);
  EXPECT_LE(npf["p50_ns"].GetUint64(), npf["p999_ns"].GetUint64());
}

// The bucket bounds come from the definition of OpenTelemetry's exponential histogram, not from our tables.
TEST(Ndjson, HistogramIsInOpenTelemetryTerms) {
  const auto records = parsed({samples::window()});
  const rapidjson::Value& hist = records[0]["hist"];
  const double base = std::pow(2.0, std::pow(2.0, -hist["scale"].GetInt()));
  std::uint64_t total = 0;
  std::vector<std::uint64_t> durations = {1'000, 1'200, 1'500, 40'000};
  const auto& counts = hist["counts"].GetArray();
  ASSERT_GT(counts.Size(), 0U);
  EXPECT_NE(counts[0].GetUint64(), 0U) << "trimmed in front";
  EXPECT_NE(counts[counts.Size() - 1].GetUint64(), 0U) << "trimmed behind";
  for (rapidjson::SizeType i = 0; i < counts.Size(); ++i) {
    const double low = std::pow(base, hist["offset"].GetInt() + static_cast<int>(i)) * 1e9;
    const double high = low * base;
    const auto inside = std::count_if(durations.begin(), durations.end(), [&](std::uint64_t ns) {
      return static_cast<double>(ns) > low && static_cast<double>(ns) <= high;
    });
    EXPECT_EQ(counts[i].GetUint64(), static_cast<std::uint64_t>(inside)) << i;
    total += counts[i].GetUint64();
  }
  EXPECT_EQ(total, durations.size());
}

TEST(Ndjson, WhatIsNotKnownIsNull) {
  const auto records = parsed({samples::window()});
  const rapidjson::Document& other = records[6];
  EXPECT_STREQ(other["reason"].GetString(), "other");
  EXPECT_TRUE(other["reason_code"].IsNull());
  EXPECT_EQ(other["count"].GetUint64(), 9U);
  EXPECT_EQ(other["finished"].GetUint64(), 8U);
  EXPECT_EQ(other["sum_ns"].GetUint64(), 24'000U);
  for (const char* name : {"min_ns", "max_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns"}) {
    EXPECT_TRUE(other[name].IsNull()) << name;
  }
  EXPECT_EQ(other["hist"]["counts"].Size(), 0U);
}

TEST(Ndjson, WhatAUnitUsedAndWhatIsNotKnownIsAbsent) {
  const auto records = parsed({samples::window()});
  const rapidjson::Document& box = records[12];
  EXPECT_STREQ(box["type"].GetString(), "unit_resources");
  EXPECT_STREQ(box["unit"]["name"].GetString(), "alpha");
  EXPECT_STREQ(box["cgroup"]["id"].GetString(), "18446744073709551615") << "64 bits, as a string";
  EXPECT_EQ(box["cpu"]["usage_ns"].GetUint64(), 1'000'000'000U);
  EXPECT_DOUBLE_EQ(box["cpu"]["limit_cpus"].GetDouble(), 0.2);
  EXPECT_EQ(box["cpu"]["throttled_ns"].GetUint64(), 4'000'000'000U);
  EXPECT_EQ(box["pressure"]["cpu"]["some_ns"].GetUint64(), 4'001'000'000U);
  EXPECT_DOUBLE_EQ(box["pressure"]["cpu"]["some_share"].GetDouble(), 0.8002);
  EXPECT_EQ(box["memory"]["limit_bytes"].GetUint64(), 268'435'456U);
  EXPECT_TRUE(box["memory"]["high_bytes"].IsNull()) << "there is no limit";
  EXPECT_EQ(box["io"]["written_bytes"].GetUint64(), 4'194'304U);
  EXPECT_EQ(box["network"]["namespace"].GetUint(), 4026532301U);
  EXPECT_STREQ(box["bottleneck"].GetString(), "cpu");
  const rapidjson::Document& machine = records[11];
  EXPECT_FALSE(machine["cpu"].HasMember("throttled_ns"));
  EXPECT_FALSE(machine["memory"].HasMember("peak_bytes"));
  EXPECT_FALSE(machine.HasMember("network"));
  const rapidjson::Document& little = records[13];
  EXPECT_TRUE(little["cpu"]["limit_cpus"].IsNull());
  for (const char* name : {"pressure", "memory", "io", "network", "efficiency", "bottleneck"}) {
    EXPECT_FALSE(little.HasMember(name)) << name;
  }
}

TEST(Ndjson, AVmHasTheCgroupOfItsVmmAndWhoseThatIs) {
  const auto records = parsed({samples::window(), samples::vm_exit()});
  for (const std::size_t record : {std::size_t{0}, records.size() - 1}) {
    const rapidjson::Value& vm = records[record]["vm"];
    EXPECT_STREQ(vm["cgroup"]["id"].GetString(), "5005");
    EXPECT_STREQ(vm["cgroup"]["path"].GetString(), samples::web.cgroup_path.c_str());
    EXPECT_STREQ(vm["scope"]["kind"].GetString(), "libvirt");
    EXPECT_STREQ(vm["scope"]["id"].GetString(), R"(/machine.slice/machine-qemu\x2d1\x2dweb.scope)");
    EXPECT_STREQ(vm["scope"]["name"].GetString(), "web");
  }
  const rapidjson::Value& nameless = records[5]["vm"];
  EXPECT_STREQ(nameless["name"].GetString(), "pid:4200");
  EXPECT_FALSE(nameless.HasMember("cgroup")) << "not known";
  EXPECT_FALSE(nameless.HasMember("scope"));
}

TEST(Ndjson, FailedEntriesCanBeSelected) {
  aggregate::Snapshot window = samples::window();
  window.vm_exits.resize(2);
  for (aggregate::VmExitsRow& row : window.vm_exits) {
    row.isa = event::Isa::vmx;
    row.reason = 33;
  }
  window.vm_exits[1].reason |= 0x80000000;
  VmExitReport streamed = samples::vm_exit();
  streamed.exit.reason |= 0x80000000;
  const auto records = parsed({window, streamed});
  EXPECT_STREQ(records[0]["reason"].GetString(), "INVALID_STATE");
  EXPECT_FALSE(records[0].HasMember("failed_entry"));
  EXPECT_STREQ(records[1]["reason"].GetString(), "INVALID_STATE (failed entry)");
  EXPECT_EQ(records[1]["reason_code"].GetUint(), 0x80000021U);
  EXPECT_TRUE(records[1]["failed_entry"].GetBool());
  EXPECT_TRUE(records.back()["failed_entry"].GetBool());
}

TEST(Ndjson, AViolationCarriesItsCrossing) {
  const auto records = parsed({samples::violation()});
  ASSERT_EQ(records.size(), 1U);
  const rapidjson::Document& violation = records[0];
  EXPECT_STREQ(violation["policy"]["severity"].GetString(), "critical");
  EXPECT_STREQ(violation["policy"]["rule"].GetString(), "escape-to-host");
  EXPECT_STREQ(violation["unit"]["name"].GetString(), "alpha");
  EXPECT_STREQ(violation["action"].GetString(), "setns");
  ASSERT_EQ(violation["resource"].Size(), 2U);
  EXPECT_STREQ(violation["resource"][0].GetString(), "namespace/mnt");
  const rapidjson::Value& crossing = violation["crossing"];
  EXPECT_STREQ(crossing["direction"].GetString(), "escape");
  EXPECT_STREQ(crossing["to"]["unit"]["kind"].GetString(), "host");
  EXPECT_EQ(crossing["process"]["pid"].GetUint(), 5120U);
  ASSERT_EQ(crossing["namespaces"].Size(), 2U);
  EXPECT_EQ(crossing["namespaces"][0]["to"].GetUint(), 4026531841U);
  EXPECT_TRUE(crossing["namespaces"][1]["new"].GetBool());
  EXPECT_FALSE(crossing["namespaces"][1].HasMember("owner")) << "nobody had it";
}

TEST(Ndjson, WhatIsAuditedIsNoViolation) {
  const auto records = parsed({samples::audit()});
  EXPECT_STREQ(records.at(0)["type"].GetString(), "audit");
  EXPECT_STREQ(records[0]["policy"]["effect"].GetString(), "audit");
  EXPECT_TRUE(records[0].HasMember("crossing"));
}

TEST(Ndjson, TheRunEndsWithItsViolations) {
  const aggregate::Snapshot end = samples::summary();
  const auto records = parsed({samples::violation(), samples::folded(), samples::audit()}, &end);
  ASSERT_EQ(records.size(), 6U);
  EXPECT_EQ(records[1]["suppressed"].GetUint64(), 1'234U);
  const rapidjson::Document& report = records[3];
  ASSERT_STREQ(report["type"].GetString(), "violations");
  EXPECT_EQ(report["total"].GetUint64(), 1'236U);
  EXPECT_EQ(report["suppressed"].GetUint64(), 1'234U);
  EXPECT_EQ(report["audited"].GetUint64(), 1U);
  EXPECT_EQ(report["by_severity"]["critical"].GetUint64(), 1U);
  EXPECT_EQ(report["by_severity"]["low"].GetUint64(), 1'235U);
  ASSERT_EQ(report["by_unit"].Size(), 1U);
  EXPECT_STREQ(report["by_unit"][0]["unit"]["name"].GetString(), "alpha");
  EXPECT_EQ(report["by_unit"][0]["low"].GetUint64(), 1'235U);
  ASSERT_EQ(report["by_policy"].Size(), 2U);
  EXPECT_STREQ(report["by_policy"][0]["name"].GetString(), "mine");
  ASSERT_EQ(report["recent"].Size(), 2U);
  EXPECT_STREQ(report["recent"][1]["message"].GetString(), "somebody left");
  EXPECT_STREQ(report["recent"][1]["time"].GetString(), "2024-05-01T10:00:01.623456789Z");
  EXPECT_EQ(report["recent"][1]["suppressed"].GetUint64(), 1'234U);
}

TEST(Ndjson, SchedulingOfAUnit) {
  const auto records = parsed({samples::window()});
  const rapidjson::Document& alpha = records[8];
  ASSERT_STREQ(alpha["type"].GetString(), "sched");
  EXPECT_STREQ(alpha["unit"]["name"].GetString(), "alpha");
  EXPECT_EQ(alpha["threads"].GetUint64(), 7U);
  EXPECT_EQ(alpha["wakeups"].GetUint64(), 1'234'000U);
  EXPECT_EQ(alpha["migrations"].GetUint64(), 21U);
  EXPECT_EQ(alpha["run_queue"]["count"].GetUint64(), 5U);
  EXPECT_EQ(alpha["run_queue"]["sum_ns"].GetUint64(), 900'044'700U);
  EXPECT_GT(alpha["run_queue"]["p99_ns"].GetUint64(), 40'000U);
  EXPECT_EQ(alpha["preempted_ns"].GetUint64(), 800'000'000U);
  ASSERT_EQ(alpha["preempted_by"].Size(), 2U);
  EXPECT_STREQ(alpha["preempted_by"][0]["unit"]["name"].GetString(), "web");
  EXPECT_EQ(alpha["preempted_by"][0]["waited_ns"].GetUint64(), 700'000'000U);
  EXPECT_TRUE(alpha["preempted_by"][1]["unit"].IsNull());
  EXPECT_FALSE(alpha.HasMember("steal_ns"));
  const rapidjson::Document& web = records[10];
  EXPECT_EQ(web["steal_ns"].GetUint64(), 30'900'000U);
  EXPECT_EQ(web["run_queue"]["count"].GetUint64(), 0U);
  EXPECT_TRUE(web["run_queue"]["p50_ns"].IsNull());  // it never waited
  EXPECT_EQ(web["preempted_by"].Size(), 2U);
}

TEST(Ndjson, OnlyTheLastLedgerIsFinal) {
  const aggregate::Snapshot end = samples::summary();
  const auto records = parsed({samples::window()}, &end);
  ASSERT_EQ(records.size(), 19U);
  EXPECT_FALSE(records[15]["final"].GetBool());
  EXPECT_EQ(records[15]["window"]["number"].GetUint64(), 3U);
  EXPECT_STREQ(records[16]["type"].GetString(), "violations");
  EXPECT_STREQ(records[18]["type"].GetString(), "ledger");
  EXPECT_TRUE(records[18]["final"].GetBool());
  EXPECT_EQ(records[15]["classes"]["security"]["handled"].GetUint64(), 12U);
  EXPECT_EQ(records[15]["causes"]["task_full"].GetUint64(), 0U);
}

TEST(Ndjson, InvariantsSayWhatWasCheckedAndWhatWasNot) {
  const aggregate::Snapshot end = samples::summary();
  const auto records = parsed({samples::window()}, &end);
  EXPECT_STREQ(records[14]["type"].GetString(), "invariants");
  EXPECT_FALSE(records[14]["final"].GetBool());
  const rapidjson::Document& run = records[17];
  EXPECT_STREQ(run["type"].GetString(), "invariants");
  EXPECT_TRUE(run["final"].GetBool());
  EXPECT_EQ(run["units"].GetUint64(), 3U);
  EXPECT_FALSE(run["invariants"]["I6"]["watched"].GetBool());
  EXPECT_TRUE(run["invariants"]["I9"]["watched"].GetBool());
  EXPECT_EQ(run["invariants"]["I9"]["checks"].GetUint64(), 1'009U);
  EXPECT_EQ(run["invariants"]["I9"]["breaches"].GetUint64(), 1U);
  EXPECT_EQ(run["lost"].GetUint64(), 2U);
  EXPECT_FALSE(run["complete"].GetBool());
  EXPECT_EQ(run["incomplete_windows"][0].GetUint64(), 3U);
}

TEST(Ndjson, BytesThatAreNotUtf8BecomeReplacements) {
  policy::Crossing crossing = samples::escape();
  crossing.process.comm = "a\xff\xc0\xafz\xed\xa0\x80";
  crossing.process.exe = "/tmp/\x80\xe2\x82";
  const auto records = parsed({crossing});
  ASSERT_EQ(records.size(), 1U);
  EXPECT_STREQ(records[0]["process"]["comm"].GetString(), "a\ufffd\ufffd\ufffdz\ufffd\ufffd\ufffd");
  EXPECT_STREQ(records[0]["process"]["exe"].GetString(), "/tmp/\ufffd\ufffd\ufffd");
}

TEST(Ndjson, ControlsAreEscapedAndSurvive) {
  policy::Crossing crossing = samples::escape();
  const std::string comm("\"\\\n\x1b[2J\0\x7f\xc2\x9b\xe2\x80\xae", 14);
  crossing.process.comm = comm;
  const std::string text = written(config::Format::ndjson, {crossing});
  for (const char byte : text.substr(0, text.size() - 1)) {
    EXPECT_GE(static_cast<unsigned char>(byte), 0x20U) << "a raw control character";
  }
  EXPECT_THAT(text, Not(HasSubstr("\x7f")));
  EXPECT_THAT(text, HasSubstr(R"("comm":"\"\\\u000a\u001b[2J\u0000\u007f\u009b\u202e")"));
  const auto records = parse_lines(text);
  ASSERT_EQ(records.size(), 1U);
  const rapidjson::Value& read = records[0]["process"]["comm"];
  EXPECT_EQ(std::string(read.GetString(), read.GetStringLength()), comm);
}

TEST(Ndjson, EveryTwoBytesGiveValidJson) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      std::string json;
      append_json_string(std::string{static_cast<char>(first), static_cast<char>(second)}, json);
      rapidjson::Document document;
      document.Parse<rapidjson::kParseValidateEncodingFlag>(json.c_str(), json.size());
      ASSERT_FALSE(document.HasParseError()) << first << " " << second << " " << json;
    }
  }
}

TEST(Ndjson, StreamedRecordsWaitUntilTheyAreFlushed) {
  const base::WallClock clock(samples::offset_ns);
  const samples::Scratch scratch;
  auto output = OutputFile::create(scratch.path());
  ASSERT_TRUE(output);
  const auto sink = make_sink(config::Format::ndjson, std::move(*output), clock, {});
  sink->take(samples::vm_exit());
  EXPECT_EQ(scratch.text(), "") << "one system call per exit would be too dear";
  sink->flush();
  EXPECT_THAT(scratch.text(), HasSubstr("\"vm_exit\""));
  sink->take(samples::violation());
  EXPECT_THAT(scratch.text(), HasSubstr("\"violation\"")) << "at once";
}

TEST(Ndjson, IsTheFormatOffATerminal) {
  const base::WallClock clock(samples::offset_ns);
  const samples::Scratch scratch;
  auto output = OutputFile::create(scratch.path());
  ASSERT_TRUE(output);
  make_sink(std::nullopt, std::move(*output), clock, {})->take(samples::unit_started());
  EXPECT_EQ(scratch.text().substr(0, 24), "{\"schema\":\"isoscope.v1\",");
}

}  // namespace
}  // namespace isoscope::sink
