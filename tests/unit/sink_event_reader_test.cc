// SPDX-License-Identifier: Apache-2.0
#include "sink/event_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "sink_samples.h"

namespace isoscope::sink {
namespace {

using ::testing::HasSubstr;

std::string line_of(const Report& report) {
  const base::WallClock clock(samples::offset_ns);
  const samples::Scratch scratch;
  auto output = OutputFile::create(scratch.path());
  if (!output) {
    ADD_FAILURE() << output.error().message;
    return {};
  }
  Settings settings;
  settings.host = samples::host;
  make_sink(config::Format::ndjson, std::move(*output), clock, settings)->take(report);
  std::string line = scratch.text();
  line.pop_back();
  return line;
}

void expect_same(const policy::Crossing& read, const policy::Crossing& written) {
  EXPECT_EQ(read.ts_mono_ns, written.ts_mono_ns);
  EXPECT_EQ(read.from, written.from);
  EXPECT_EQ(read.to, written.to);
  EXPECT_EQ(read.direction, written.direction);
  EXPECT_EQ(read.mechanism, written.mechanism);
  EXPECT_EQ(read.seen_at, written.seen_at);
  EXPECT_EQ(read.to_cgroup, written.to_cgroup);
  EXPECT_EQ(read.process.pid, written.process.pid);
  EXPECT_EQ(read.process.tid, written.process.tid);
  EXPECT_EQ(read.process.parent_pid, written.process.parent_pid);
  EXPECT_EQ(read.process.uid, written.process.uid);
  EXPECT_EQ(read.process.comm, written.process.comm);
  EXPECT_EQ(read.process.exe, written.process.exe);
  EXPECT_EQ(read.process.start_boot_ns, written.process.start_boot_ns);
  EXPECT_EQ(read.process.cap_effective, written.process.cap_effective);
  EXPECT_EQ(read.process.exe_file, written.process.exe_file);
  EXPECT_EQ(read.ancestry, written.ancestry);
  ASSERT_EQ(read.moves.size(), written.moves.size());
  for (std::size_t i = 0; i < read.moves.size(); ++i) {
    EXPECT_EQ(read.moves[i].type, written.moves[i].type);
    EXPECT_EQ(read.moves[i].from, written.moves[i].from);
    EXPECT_EQ(read.moves[i].to, written.moves[i].to);
    EXPECT_EQ(read.moves[i].direction, written.moves[i].direction);
    EXPECT_EQ(read.moves[i].to_is_new, written.moves[i].to_is_new);
    EXPECT_EQ(read.moves[i].to_owner, written.moves[i].to_owner);
  }
}

TEST(EventReader, ReadsWhatTheSinkWrites) {
  const struct {
    Report report;
    const char* type;
    policy::Crossing crossing;
  } all[] = {{samples::escape(), "crossing", samples::escape()},
             {samples::cgroup_move(), "crossing", samples::cgroup_move()},
             {samples::violation(), "violation", samples::escape()},
             {samples::audit(), "audit", samples::escape()}};
  for (const auto& one : all) {
    const auto record = read_record(line_of(one.report));
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_EQ(record->type, one.type);
    EXPECT_EQ(record->time, "2024-05-01T10:00:01.623456789Z");
    ASSERT_TRUE(record->event);
    expect_same(std::get<policy::Crossing>(*record->event), one.crossing);
  }
  EXPECT_EQ(read_record(line_of(samples::violation()))->id, "9d4c1f2e");
}

TEST(EventReader, RecordsOfOlderVersionsHaveNoAncestry) {
  std::string line = line_of(samples::escape());
  const std::size_t begin = line.find("\"ancestry\":");
  const std::size_t end = line.find("\"to\":");
  ASSERT_LT(begin, end);
  line.erase(begin, end - begin);
  const auto record = read_record(line);
  ASSERT_TRUE(record) << record.error().message;
  policy::Crossing expected = samples::escape();
  expected.ancestry = {};
  expect_same(std::get<policy::Crossing>(*record->event), expected);
}

TEST(EventReader, ReadsBreaches) {
  const auto expect_read = [](const Report& report, const char* type, const policy::Breach& wanted) {
    const auto record = read_record(line_of(report));
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_EQ(record->type, type);
    const auto* breach = std::get_if<policy::Breach>(&*record->event);
    ASSERT_NE(breach, nullptr);
    EXPECT_EQ(breach->invariant, wanted.invariant);
    EXPECT_EQ(breach->set, wanted.set);
    EXPECT_EQ(breach->before, wanted.before);
    EXPECT_EQ(breach->now, wanted.now);
    EXPECT_EQ(breach->seen_at, wanted.seen_at);
    EXPECT_EQ(breach->from, wanted.from);
    EXPECT_EQ(breach->process.pid, wanted.process.pid);
    EXPECT_EQ(breach->ts_mono_ns, wanted.ts_mono_ns);
  };
  expect_read(samples::breach(), "breach", samples::breach());
  expect_read(samples::breach_of_pid(), "breach", samples::breach_of_pid());
  const policy::Violation violation = samples::breach_violation();
  expect_read(violation, "violation", std::get<policy::Breach>(violation.event));
}

TEST(EventReader, ReadsAccesses) {
  const auto expect_read = [](const Report& report, const char* type, const policy::Access& wanted) {
    const auto record = read_record(line_of(report));
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_EQ(record->type, type);
    const auto* access = std::get_if<policy::Access>(&*record->event);
    ASSERT_NE(access, nullptr);
    EXPECT_EQ(access->kind, wanted.kind);
    EXPECT_EQ(access->detail, wanted.detail);
    EXPECT_EQ(access->error, wanted.error);
    EXPECT_EQ(access->path, wanted.path);
    EXPECT_EQ(access->target_pid, wanted.target_pid);
    EXPECT_EQ(access->from, wanted.from);
    EXPECT_EQ(access->to, wanted.to);
    EXPECT_EQ(access->direction, wanted.direction);
    EXPECT_EQ(access->process.pid, wanted.process.pid);
    EXPECT_EQ(access->ts_mono_ns, wanted.ts_mono_ns);
  };
  expect_read(samples::access(), "access", samples::access());
  expect_read(samples::attempt(), "attempt", samples::attempt());
  expect_read(samples::access_violation(), "violation", samples::access());
}

TEST(EventReader, EveryWordOfTheEnumerations) {
  policy::Crossing crossing = samples::escape();
  for (const auto direction : {policy::Direction::escape, policy::Direction::host, policy::Direction::own,
                               policy::Direction::leave_cgroup}) {
    for (const auto mechanism :
         {event::Mechanism::unknown, event::Mechanism::none, event::Mechanism::clone_into_cgroup}) {
      for (const auto seen_at : {event::SeenAt::commit, event::SeenAt::exit, event::SeenAt::recheck}) {
        crossing.direction = direction;
        crossing.mechanism = mechanism;
        crossing.seen_at = seen_at;
        const auto record = read_record(line_of(crossing));
        ASSERT_TRUE(record);
        expect_same(std::get<policy::Crossing>(*record->event), crossing);
      }
    }
  }
}

TEST(EventReader, OtherTypesAreRecordsWithoutACrossing) {
  const auto record = read_record(line_of(samples::unit_started()));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->type, "unit");
  EXPECT_FALSE(record->event);
}

TEST(EventReader, WhatIsNoRecordIsRefused) {
  const std::string good = line_of(samples::escape());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  const std::pair<std::string, const char*> all[] = {
      {"", "no JSON: "},
      {"x", "no JSON: "},
      {"{}{}", "no JSON: "},
      {good.substr(0, good.size() / 2), "no JSON: "},
      {"[1]", "no JSON object"},
      {"{}", "it has no member \"schema\""},
      {R"({"schema":"isoscope.v2","type":"crossing"})", "its schema is not isoscope.v1"},
      {R"({"schema":1,"type":"crossing"})", "its member \"schema\" is not a text"},
      {R"({"schema":"isoscope.v1"})", "it has no member \"type\""},
      {R"({"schema":"isoscope.v1","type":"violation"})", "it has no member \"crossing\""},
      {R"({"schema":"isoscope.v1","type":"violation","crossing":[]})", "it has no member \"unit\""},
      {with("\"escape\"", "\"fly\""),
       "its member \"direction\" is \"fly\", which this version does not know"},
      {with("\"escape\"", "\"?\""), "which this version does not know"},
      {with("\"escape\"", "7"), "its member \"direction\" is not a text"},
      {with("\"setns\"", "\"warp\""), "its member \"mechanism\" is \"warp\""},
      {with("\"mnt\"", "\"mmt\""), "its member \"type\" is \"mmt\""},
      {with("\"container\"", "\"jar\""), "its member \"kind\" is \"jar\""},
      {with("\"namespaces\":[", "\"namespaces\":7,\"x\":["), "its member \"namespaces\" is not a list"},
      {with("\"pid\":5120", "\"pid\":-1"), "its member \"pid\" is not a number of 32 bits"},
      {with("\"77000000000\"", "\"77x\""), "its member \"start_boot_ns\" is not a number"},
      {with("\"process\"", "\"precess\""), "it has no member \"process\""},
  };
  for (const auto& [line, why] : all) {
    const auto record = read_record(line);
    ASSERT_FALSE(record) << line;
    EXPECT_THAT(record.error().message, HasSubstr(why)) << line;
  }
}

TEST(EventReader, DepthIsNoDanger) {
  EXPECT_FALSE(read_record(std::string(1'000'000, '[')));
  EXPECT_FALSE(read_record(std::string(200'000, '[') + std::string(200'000, ']')));
}

}  // namespace
}  // namespace isoscope::sink
