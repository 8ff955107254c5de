// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <map>
#include <sstream>

#include "sink_samples.h"

namespace isoscope::sink {
namespace {

using config::Format;
using rapidjson::Document;
using rapidjson::Value;
using testing::HasSubstr;
using testing::Not;

std::string text_of(Format format, const std::vector<Report>& reports,
                    const aggregate::Snapshot* end = nullptr) {
  Settings settings;
  settings.version = "0.1.0";
  return samples::written(format, reports, end, settings);
}

std::vector<Document> lines_of(const std::string& text) {
  std::vector<Document> documents;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(line.c_str(), line.size());
    EXPECT_FALSE(document.HasParseError()) << line;
    documents.push_back(std::move(document));
  }
  return documents;
}

const Value& log_of(const Document& line, rapidjson::SizeType number = 0) {
  return line["resourceLogs"][0]["scopeLogs"][0]["logRecords"][number];
}

const Value& metric_of(const Document& line, const std::string& name) {
  for (const Value& metric : line["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].GetArray()) {
    if (metric["name"].GetString() == name) {
      return metric;
    }
  }
  throw std::runtime_error("no metric " + name);
}

std::map<std::string, std::string> attributes_of(const Value& owner) {
  std::map<std::string, std::string> found;
  for (const Value& attribute : owner["attributes"].GetArray()) {
    const auto value = attribute["value"].MemberBegin();
    const std::string text = value->value.IsString() ? value->value.GetString() : value->name.GetString();
    EXPECT_TRUE(found.emplace(attribute["key"].GetString(), text).second) << "a key twice";
  }
  return found;
}

TEST(Otlp, WindowAndSummaryMatchTheGoldenFile) {
  const aggregate::Snapshot end = samples::summary();
  const std::string text = text_of(Format::otlp, {samples::window()}, &end);
  EXPECT_EQ(text, samples::golden("window.otlp.jsonl", text));
}

TEST(Otlp, StreamedRecordsMatchTheGoldenFile) {
  const std::string text = text_of(Format::otlp, samples::streamed());
  EXPECT_EQ(text, samples::golden("streamed.otlp.jsonl", text));
}

TEST(Otlp, AFileCanHaveOneKindAlone) {
  std::vector<Report> reports = samples::streamed();
  reports.emplace_back(samples::window());
  const aggregate::Snapshot end = samples::summary();
  const std::string logs = text_of(Format::otlp_logs, reports, &end);
  EXPECT_THAT(logs, HasSubstr("resourceLogs"));
  EXPECT_THAT(logs, Not(HasSubstr("resourceMetrics")));
  EXPECT_EQ(lines_of(logs).size(), samples::streamed().size() + 1) << "a line each, and one for the run";
  const std::string metrics = text_of(Format::otlp_metrics, reports, &end);
  EXPECT_THAT(metrics, Not(HasSubstr("resourceLogs")));
  EXPECT_EQ(lines_of(metrics).size(), 1U);
}

TEST(Otlp, AViolationIsALogRecordWithItsSeverity) {
  const auto lines =
      lines_of(text_of(Format::otlp, {samples::violation(), samples::folded(), samples::audit()}));
  ASSERT_EQ(lines.size(), 3U);
  const Value& log = log_of(lines[0]);
  EXPECT_STREQ(log["timeUnixNano"].GetString(), "1714557601623456789");
  EXPECT_EQ(log["severityNumber"].GetInt(), 21) << "FATAL";
  EXPECT_STREQ(log["severityText"].GetString(), "critical");
  EXPECT_STREQ(log["body"]["stringValue"].GetString(), "nsenter left alpha for host");
  const auto attributes = attributes_of(log);
  EXPECT_EQ(attributes.at("event.name"), "isoscope.violation");
  EXPECT_EQ(attributes.at("policy.rule"), "escape-to-host");
  EXPECT_EQ(attributes.at("crossing.process.pid"), "5120");
  EXPECT_EQ(attributes.at("crossing.namespaces"), "arrayValue");
  EXPECT_FALSE(attributes.contains("host.name")) << "that is the resource's";
  EXPECT_EQ(log_of(lines[1])["severityNumber"].GetInt(), 9);
  EXPECT_EQ(log_of(lines[2])["severityNumber"].GetInt(), 9) << "what is audited is told, and no more";
}

TEST(Otlp, TheResourceIsTheHost) {
  const auto lines = lines_of(text_of(Format::otlp, {samples::unit_started(), samples::window()}));
  ASSERT_EQ(lines.size(), 2U);
  for (const Value* owner : {&lines[0]["resourceLogs"][0], &lines[1]["resourceMetrics"][0]}) {
    const auto attributes = attributes_of((*owner)["resource"]);
    EXPECT_EQ(attributes.at("service.name"), "isoscope");
    EXPECT_EQ(attributes.at("host.name"), "node1");
    EXPECT_EQ(attributes.at("host.id"), samples::host.machine_id);
  }
}

TEST(Otlp, SumsAreOfTheWindowAlone) {
  const auto lines = lines_of(text_of(Format::otlp, {samples::window()}));
  const Value& exits = metric_of(lines.at(0), "isoscope.vm.exits");
  EXPECT_EQ(exits["sum"]["aggregationTemporality"].GetInt(), 1) << "delta";
  EXPECT_TRUE(exits["sum"]["isMonotonic"].GetBool());
  const Value& npf = exits["sum"]["dataPoints"][0];
  EXPECT_STREQ(npf["asInt"].GetString(), "4");
  EXPECT_STREQ(npf["startTimeUnixNano"].GetString(), "1714557600123456789");
  EXPECT_STREQ(npf["timeUnixNano"].GetString(), "1714557605123456789");
  EXPECT_EQ(attributes_of(npf).at("reason"), "npf");
  const Value& memory = metric_of(lines[0], "isoscope.unit.memory.usage");
  EXPECT_STREQ(memory["gauge"]["dataPoints"][1]["asInt"].GetString(), "67108864");
  const Value& by = metric_of(lines[0], "isoscope.preemption.time")["sum"]["dataPoints"];
  EXPECT_EQ(attributes_of(by[0]).at("by.name"), "web");
  EXPECT_DOUBLE_EQ(by[0]["asDouble"].GetDouble(), 0.7);
  EXPECT_EQ(attributes_of(by[1]).at("by.kind"), "nobody");
}

TEST(Otlp, WhatCannotBeToldHasNoPoint) {
  const auto lines = lines_of(text_of(Format::otlp, {samples::window()}));
  const Value& breaches = metric_of(lines.at(0), "isoscope.invariant.breaches")["sum"]["dataPoints"];
  ASSERT_EQ(breaches.Size(), 8U) << "I6 is not watched";
  EXPECT_EQ(attributes_of(breaches[7]).at("invariant"), "I9");
  EXPECT_STREQ(breaches[7]["asInt"].GetString(), "1");
}

TEST(Otlp, BucketsMakeTheCount) {
  const auto lines = lines_of(text_of(Format::otlp, {samples::window()}));
  int points = 0;
  for (const char* name : {"isoscope.vm.exit.duration", "isoscope.run_queue.wait"}) {
    const Value& histogram = metric_of(lines.at(0), name)["exponentialHistogram"];
    EXPECT_EQ(histogram["aggregationTemporality"].GetInt(), 1);
    for (const Value& point : histogram["dataPoints"].GetArray()) {
      std::uint64_t total = std::stoull(point["zeroCount"].GetString());
      for (const Value& count : point["positive"]["bucketCounts"].GetArray()) {
        total += std::stoull(count.GetString());
      }
      EXPECT_EQ(total, std::stoull(point["count"].GetString())) << name;
      ++points;
    }
  }
  EXPECT_EQ(points, 7) << "the row of others has no distribution, and who never waited no point";
  const Value& npf =
      metric_of(lines[0], "isoscope.vm.exit.duration")["exponentialHistogram"]["dataPoints"][0];
  EXPECT_DOUBLE_EQ(npf["sum"].GetDouble(), 43.7e-6);
  EXPECT_DOUBLE_EQ(npf["min"].GetDouble(), 1e-6);
  EXPECT_DOUBLE_EQ(npf["max"].GetDouble(), 40e-6);
}

// An AnyValue has integers of 63 bits, and what is not known is absent.
TEST(Otlp, WhatDoesNotFitIsText) {
  SwitchReport change = samples::context_switch();
  change.change.ran_ns = 0xffff'ffff'ffff'ffff;
  VmExitReport exit = samples::vm_exit();
  exit.exit.guest_rip = 0;
  const auto lines = lines_of(text_of(Format::otlp, {change, exit}));
  EXPECT_EQ(attributes_of(log_of(lines.at(0))).at("ran_ns"), "18446744073709551615");
  EXPECT_THAT(text_of(Format::otlp, {change}), HasSubstr(R"({"stringValue":"18446744073709551615"})"));
  EXPECT_FALSE(attributes_of(log_of(lines.at(1))).contains("guest_rip"));
}

TEST(Otlp, HostileTextStaysText) {
  policy::Crossing crossing = samples::escape();
  crossing.process.comm = "a\xff\"\n\x1b[2J";
  const std::string text = text_of(Format::otlp, {crossing});
  EXPECT_EQ(lines_of(text).size(), 1U);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace isoscope::sink
