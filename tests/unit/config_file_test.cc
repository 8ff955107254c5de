// SPDX-License-Identifier: Apache-2.0
#include "config/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace isoscope::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST(File, ReadsEveryKey) {
  Draft draft;
  draft.exit_reasons = {"npf"};
  const auto read = read_text("t", R"(
# a comment
interval: 250ms
duration: 1h
slow-exit: 1ms
data-ring: 8M
top: 20
sort: count
color: always
verbose: true
events:
  - exits
  - switches,cgroups
vm: web                 # one value needs no list
container: [alpha, "beta*"]
cgroup: [/machine.slice/]
pid: [1, 2]
unit: ['*.service']
vcpu: [0, 2-3]
reason: [npf, "0x400"]
label: [app, tier]
policy: [/etc/p.d, extra.yaml]
fail-on: critical
format: ndjson
series: 700
outputs:
  - "-"
  - path: /var/log/isoscope.log
    format: table
    rotate: {size: 1MiB, keep: 2}
  - plain.ndjson
rotate-size: 64K
)",
                              draft);
  ASSERT_TRUE(read) << read.error().message;
  const Config config = finish(draft, false);
  EXPECT_EQ(config.interval, std::chrono::milliseconds(250));
  EXPECT_EQ(config.duration, std::chrono::hours(1));
  EXPECT_EQ(config.slow_exit, std::chrono::milliseconds(1));
  EXPECT_EQ(config.data_ring_bytes, 8U << 20);
  EXPECT_EQ(config.top, 20U);
  EXPECT_EQ(config.sort, SortKey::count);
  EXPECT_EQ(config.color, ColorMode::always);
  EXPECT_EQ(config.verbosity, 1);
  EXPECT_TRUE(config.streams.exits && config.streams.switches && config.streams.cgroups);
  EXPECT_FALSE(config.streams.crossings);
  EXPECT_THAT(config.filters.vm, ElementsAre("web"));
  EXPECT_THAT(config.labels, ElementsAre("app", "tier"));
  EXPECT_THAT(config.policies, ElementsAre("/etc/p.d", "extra.yaml"));
  EXPECT_EQ(config.fail_on, FailOn::critical);
  EXPECT_THAT(config.filters.container, ElementsAre("alpha", "beta*"));
  EXPECT_THAT(config.filters.cgroup, ElementsAre("/machine.slice"));
  EXPECT_THAT(config.filters.pid, ElementsAre(1, 2));
  EXPECT_THAT(config.filters.unit, ElementsAre("*.service"));
  EXPECT_THAT(config.filters.vcpu, ElementsAre(VcpuRange{0, 0}, VcpuRange{2, 3}));
  EXPECT_THAT(config.filters.reason, ElementsAre("npf", "0x400"));
  EXPECT_EQ(config.series, 700U);
  ASSERT_EQ(config.outputs.size(), 3U);
  EXPECT_EQ(config.outputs[1].rotate, (Rotation{1U << 20, 2}));
  EXPECT_EQ(config.outputs[2].rotate, (Rotation{64U << 10, 5})) << "that of all outputs";
  EXPECT_EQ(config.outputs[0].path, "-");
  EXPECT_EQ(config.outputs[0].format, Format::ndjson);
  EXPECT_EQ(config.outputs[1].path, "/var/log/isoscope.log");
  EXPECT_EQ(config.outputs[1].format, Format::table);
}

TEST(File, QuietAndFalse) {
  Draft draft;
  ASSERT_TRUE(read_text("t", "quiet: true\n", draft));
  EXPECT_EQ(draft.config.verbosity, -1);
  ASSERT_TRUE(read_text("t", "quiet: false\n", draft));
  EXPECT_EQ(draft.config.verbosity, 0);
}

TEST(File, NothingButCommentsIsFine) {
  for (const char* text : {"", "# nothing\n", "---\n", "{}\n"}) {
    Draft draft;
    EXPECT_TRUE(read_text("t", text, draft)) << text;
  }
}

TEST(File, BottleneckThresholdsAreAMapOrAList) {
  for (const char* text : {"bottleneck: {cpu: 25%, memory: 2.5%}\n", "bottleneck: [cpu=25%, memory=2.5%]\n",
                           "bottleneck: cpu=25%,memory=2.5%\n"}) {
    Draft draft;
    const auto read = read_text("t", text, draft);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(draft.config.bottleneck, (BottleneckThresholds{0.25, 0.025, 0.10})) << text;
  }
}

struct Malformed {
  const char* text;
  const char* place;    // how the message begins
  const char* message;  // and what it contains
};

void expect_refused(const Malformed& bad) {
  SCOPED_TRACE(bad.text);
  Draft draft;
  const auto read = read_text("f.yaml", bad.text, draft);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, base::ErrorKind::config);
  EXPECT_THAT(read.error().message, StartsWith(bad.place));
  EXPECT_THAT(read.error().message, HasSubstr(bad.message));
}

TEST(MalformedFile, Keys) {
  const Malformed all[] = {
      {"intervall: 1s\n", "f.yaml:1:1: ", "unknown key \"intervall\"; did you mean \"interval\"?"},
      {"top: 3\n\n  \nevent: all\n", "f.yaml:4:1: ", "did you mean \"events\"?"},
      {"output: a\n", "f.yaml:1:1: ", "did you mean \"outputs\"?"},
      {"prometheus: on\n", "f.yaml:1:1: ", "unknown key \"prometheus\"; expected outputs, format, interval"},
      {"json: true\n", "f.yaml:1:1: ", "unknown key \"json\""},
      {"config: other.yaml\n", "f.yaml:1:1: ", "unknown key \"config\""},
      {"help: true\n", "f.yaml:1:1: ", "unknown key \"help\""},
      {"\"a\\eb\": 1\n", "f.yaml:1:1: ", "unknown key \"a?b\""},
      {"top: 3\ninterval: 1s\ntop: 4\n", "f.yaml:3:1: ", "the key \"top\" is given twice"},
      {"? [a]\n: 1\n", "f.yaml:1:3: ", "a key must be a word"},
      {"? {a: 1}\n: 1\n", "f.yaml:1:3: ", "a key must be a word"},
      {"~: 1\n", "f.yaml:1:1: ", "a key must be a word"}};
  for (const Malformed& bad : all) {
    expect_refused(bad);
  }
}

TEST(MalformedFile, Values) {
  const Malformed all[] = {
      {"interval: 30\n", "f.yaml:1:11: ", "interval: \"30\" needs a unit: 30ns"},
      {"interval:\n  50ms\n", "f.yaml:2:3: ", "interval: \"50ms\" is too short"},
      {"interval:\n", "f.yaml:1:1: ", "interval: expected a value, found nothing"},
      {"interval: ''\n", "f.yaml:1:11: ", "interval: expected a value, found \"\""},
      {"interval: [1s]\n", "f.yaml:1:11: ", "interval: expected a value, found a list"},
      {"interval: {a: 1}\n", "f.yaml:1:11: ", "interval: expected a value, found a map"},
      {"vm: {a: 1}\n", "f.yaml:1:5: ", "vm: expected a value or a list of values, found a map"},
      {"vm: [a, [b]]\n", "f.yaml:1:9: ", "vm: expected a value or a list of values, found a list"},
      {"vm: [a, ~]\n", "f.yaml:1:9: ", "vm: expected a value or a list of values, found nothing"},
      {"quiet:\n", "f.yaml:1:1: ", "quiet: expected true or false, found nothing"},
      {"quiet: yes\n", "f.yaml:1:8: ", "quiet: \"yes\" is not one of true, false"},
      {"verbose: 7\n", "f.yaml:1:10: ", "verbose: \"7\" is not one of false, 0, true, 1, 2"},
      {"format: ndjosn\n", "f.yaml:1:9: ", "did you mean ndjson?"},
      {"events: [exits, swiches]\n", "f.yaml:1:17: ", "did you mean switches?"},
      {"pid: [1, x]\n", "f.yaml:1:10: ", "pid: \"x\" is not a whole number from 1 to 4194304"},
      {"bottleneck: {cpu: 10}\n", "f.yaml:1:19: ", "bottleneck: \"cpu=10\" is not a share: a number with %"},
      {"bottleneck: {cpus: 10%}\n", "f.yaml:1:20: ", "is not one of cpu, memory, io; did you mean cpu?"},
      {"bottleneck: {cpu: [1%]}\n",
       "f.yaml:1:19: ", "bottleneck: expected a value or a list of values, found a list"},
      {"bottleneck: {cpu: }\n",
       "f.yaml:1:", "bottleneck: expected a value or a list of values, found nothing"},
      {"bottleneck: 10%\n", "f.yaml:1:13: ", "bottleneck: \"10%\" has no threshold: such as cpu=10%"},
      {"data-ring: 3M\n", "f.yaml:1:12: ", "data-ring: \"3M\" does not fit"}};
  for (const Malformed& bad : all) {
    expect_refused(bad);
  }
}

TEST(MalformedFile, Outputs) {
  const Malformed all[] = {
      {"outputs: a\n",
       "f.yaml:1:10: ", "outputs: expected a list of paths or of {path, format}, found \"a\""},
      {"outputs: []\n", "f.yaml:1:10: ", "found an empty list"},
      {"outputs:\n", "f.yaml:1:1: ", "found nothing"},
      {"outputs: [{format: table}]\n", "f.yaml:1:11: ", "expected a path or {path, format}, found no path"},
      {"outputs: [[a]]\n", "f.yaml:1:11: ", "expected a path or {path, format}, found a list"},
      {"outputs: [{path: a, fromat: table}]\n", "f.yaml:1:21: ", "did you mean \"format\"?"},
      {"outputs: [{path: a, size: 1}]\n",
       "f.yaml:1:21: ", "unknown key \"size\"; expected path, format, rotate"},
      {"outputs: [{path: a, format: xml}]\n",
       "f.yaml:1:29: ", "is not one of table, ndjson, prom, otlp, otlp-logs, otlp-metrics"},
      {"outputs: [{path: a, rotate: {sice: 1M}}]\n", "f.yaml:1:30: ", "did you mean \"size\"?"},
      {"outputs: [{path: a, rotate: {size: 1K}}]\n", "f.yaml:1:36: ", "rotate-size: \"1K\" is too small"},
      {"outputs: [{path: a, rotate: {keep: 3}}]\n",
       "f.yaml:1:29: ", "rotate: expected {size, keep}, found no size"},
      {"outputs: [{path: a, rotate: 1M}]\n", "f.yaml:1:29: ", "rotate: expected {size, keep}, found \"1M\""},
      {"outputs: [{path: [a]}]\n", "f.yaml:1:18: ", "found a list"},
      {"outputs:\n  - a\n  - a\n", "f.yaml:3:5: ", "output: \"a\" is given twice"}};
  for (const Malformed& bad : all) {
    expect_refused(bad);
  }
}

TEST(MalformedFile, Syntax) {
  const Malformed all[] = {
      {"interval\n", "f.yaml:1:1: ", "expected a map of options, found \"interval\""},
      {"- a\n- b\n", "f.yaml:1:1: ", "expected a map of options, found a list"},
      {"interval: '1s\n", "f.yaml:3:2: ", "expected the quotation mark that ends a text"},
      {"vm: [a, b\n", "f.yaml:", ""},
      {"vm: {a: b\n", "f.yaml:", ""},
      {"top: 3\n interval: 1s\n", "f.yaml:2:", ""},
      {"\tinterval: 1s\n", "f.yaml:1:", ""},
      {"vm: \"\\q\"\n", "f.yaml:1:", "unknown escape character"},
      {"vm: &x web\n", "f.yaml:1:", "anchors are not supported"},
      {"vm: &x [web]\n", "f.yaml:1:", "anchors are not supported"},
      {"vm: *x\n", "f.yaml:1:5: ", ""},
      {"top: !!int 3\n", "f.yaml:1:", "the tag tag:yaml.org,2002:int is not supported"},
      {"vm: !secret [a]\n", "f.yaml:1:", "the tag !secret is not supported"},
      {"top: 3\n---\ntop: 4\n", "f.yaml:3:1: ", "a second document"},
      {"%YAML 9.9\n---\ntop: 3\n", "f.yaml:", "YAML"}};
  for (const Malformed& bad : all) {
    expect_refused(bad);
  }
}

TEST(File, DepthIsCapped) {
  for (const std::size_t depth : {17U, 1'000U, 100'000U}) {
    Draft draft;
    const auto read =
        read_text("f", "vm: " + std::string(depth, '[') + std::string(depth, ']') + "\n", draft);
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message, HasSubstr("nested more than 16 deep"));
  }
}

TEST(File, SizeIsCapped) {
  std::string text = "vm: [a";
  for (int i = 0; i < 20'000; ++i) {
    text += ",a";
  }
  Draft draft;
  const auto read = read_text("f", text + "]\n", draft);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("more than 10000 values"));
}

TEST(File, BytesOfAllKindsGiveErrorsThatCanBePrinted) {
  std::string text;
  for (int i = 0; i < 4096; ++i) {
    text.push_back(static_cast<char>(i * 131 % 256));
  }
  int refused = 0;
  for (std::size_t start = 0; start < text.size(); start += 7) {
    Draft draft;
    const auto read = read_text("f", text.substr(start, 64), draft);
    refused += read ? 0 : 1;
    if (!read) {
      EXPECT_THAT(read.error().message, StartsWith("f:"));
      EXPECT_EQ(read.error().message, base::printable(read.error().message)) << start;
    }
  }
  EXPECT_GT(refused, 500) << "what begins with # is a comment, everything else is no map of options";
}

}  // namespace
}  // namespace isoscope::config
