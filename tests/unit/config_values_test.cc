// SPDX-License-Identifier: Apache-2.0
#include "config/values.h"

#include <gtest/gtest.h>

#include <limits>

#include "config/suggest.h"

namespace isoscope::config {
namespace {

using std::chrono::nanoseconds;

struct Good {
  const char* text;
  std::int64_t ns;
};

void expect_read(const Good& good) {
  SCOPED_TRACE(good.text);
  const auto parsed = parse_duration(good.text);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->count(), good.ns);
}

TEST(Duration, IsRead) {
  const Good all[] = {{"1ns", 1},
                      {"250us", 250'000},
                      {"1ms", 1'000'000},
                      {"5s", 5'000'000'000},
                      {"2m", 120'000'000'000},
                      {"1h", 3'600'000'000'000},
                      {"1.5s", 1'500'000'000},
                      {"0.25h", 900'000'000'000},
                      {"0.1us", 100},
                      {"007s", 7'000'000'000},
                      {"1.0000000019s", 1'000'000'001},  // cut off, not rounded
                      {"9223372036854775807ns", std::numeric_limits<std::int64_t>::max()},
                      {"2562047h", 9'223'369'200'000'000'000}};
  for (const Good& good : all) {
    expect_read(good);
  }
}

struct Bad {
  const char* text;
  const char* reason;  // a part of the message
};

void expect_refused(const Bad& bad) {
  SCOPED_TRACE(bad.text);
  const auto parsed = parse_duration(bad.text);
  ASSERT_FALSE(parsed) << parsed->count();
  EXPECT_EQ(parsed.error().kind, base::ErrorKind::usage);
  EXPECT_NE(parsed.error().message.find(bad.reason), std::string::npos) << parsed.error().message;
}

TEST(Duration, BadOnesAreRefusedWithTheReason) {
  const Bad all[] = {{"", "is not a duration"},
                     {"s", "is not a duration"},
                     {"fast", "is not a duration"},
                     {"30", "needs a unit: 30ns, 30us, 30ms, 30s, 30m or 30h"},
                     {"1.5", "needs a unit: 1.5ns"},
                     {"-5s", "is not a duration"},
                     {"+5s", "is not a duration"},
                     {"5 s", "is not a duration"},
                     {" 5s", "is not a duration"},
                     {"5s ", "is not a duration"},
                     {"5S", "is not a duration"},
                     {"5sec", "is not a duration"},
                     {"1m30s", "is not a duration"},
                     {".5s", "is not a duration"},
                     {"5.s", "is not a duration"},
                     {"1e3s", "is not a duration"},
                     {"0s", "is too short"},
                     {"0.1ns", "is too short"},
                     {"0.0s", "is too short"},
                     {"2562048h", "is too long"},
                     {"9223372036854775808ns", "is too long"},
                     {"9223372036.9s", "is too long"},
                     {"99999999999999999999999s", "is too long"},
                     {"5\xc2\xb5s", "is not a duration"}};
  for (const Bad& bad : all) {
    expect_refused(bad);
  }
}

TEST(Size, IsReadWithOrWithoutUnit) {
  EXPECT_EQ(*parse_size("4096"), 4096U);
  EXPECT_EQ(*parse_size("4K"), 4096U);
  EXPECT_EQ(*parse_size("4M"), 4U << 20);
  EXPECT_EQ(*parse_size("1G"), 1U << 30);
  EXPECT_EQ(*parse_size("100MiB"), 100U << 20);
  EXPECT_EQ(*parse_size("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
}

TEST(Size, BadOnesAreRefused) {
  for (const char* text :
       {"", "M", "4m", "4MB", "4Mi", "4iB", "4XiB", "4MiBs", "4 M", "-4M", "1.5M", "0x10", "4T"}) {
    const auto parsed = parse_size(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find("is not a size"), std::string::npos) << parsed.error().message;
  }
  for (const char* text : {"18446744073709551616", "17179869184G"}) {
    const auto parsed = parse_size(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().message, "is too large");
  }
}

TEST(Listen, IsOfThisHostAlone) {
  EXPECT_EQ(parse_listen("127.0.0.1:9745")->host, "127.0.0.1");
  EXPECT_EQ(parse_listen("127.0.0.1:9745")->port, 9745);
  EXPECT_EQ(parse_listen("[::1]:65535")->host, "::1");
  EXPECT_EQ(parse_listen("unix:/run/a:b.sock")->path, "/run/a:b.sock");
  for (const char* text :
       {"", "9745", ":9745", "*:9745", "0.0.0.0:9745", "[::]:9745", "::1:9745", "10.0.0.1:1", "127.0.0.1",
        "127.0.0.1.example.org:1", "localhost:9745", "unix", "/run/i.sock"}) {
    const auto parsed = parse_listen(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find("is not of this host alone"), std::string::npos) << text;
  }
  for (const char* text : {"127.0.0.1:", "[::1]:x", "127.0.0.1:65536", "127.0.0.1:-1", "unix:", "unix:a"}) {
    EXPECT_FALSE(parse_listen(text)) << text;
  }
}

TEST(Number, IsReadWithinItsBounds) {
  EXPECT_EQ(*parse_number("0", 0, 9), 0U);
  EXPECT_EQ(*parse_number("9", 0, 9), 9U);
  for (const char* text : {"", "10", "-1", "+1", "1.0", "1x", "4294967296", "99999999999999999999"}) {
    const auto parsed = parse_number(text, 0, 9);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().message, "is not a whole number from 0 to 9");
  }
}

TEST(Suggest, DistanceCountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("interval", "interval"), 0U);
  EXPECT_EQ(edit_distance("intervall", "interval"), 1U);
  EXPECT_EQ(edit_distance("ndjosn", "ndjson"), 1U) << "a swap is one edit";
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Suggest, FindsTheNearest) {
  const std::vector<std::string_view> words = {"interval", "events", "top", "vm", "container"};
  EXPECT_EQ(nearest("intervall", words), "interval");
  EXPECT_EQ(nearest("event", words), "events");
  EXPECT_EQ(nearest("cont", words), "container") << "a beginning";
  EXPECT_EQ(nearest("tpo", words), "top");
  EXPECT_EQ(nearest("wm", words), "vm");
  EXPECT_EQ(nearest("prometheus", words), "") << "nothing is near";
  EXPECT_EQ(nearest("x", words), "") << "one letter says nothing";
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest(std::string(100'000, 'i'), words), "");
}

TEST(Suggest, TheNearestOfSeveralWins) {
  EXPECT_EQ(nearest("tabel", {"cable", "table"}), "table");
  EXPECT_EQ(nearest("bat", {"cat", "rat"}), "cat") << "the first of equals";
}

TEST(Vcpus, OneOrARange) {
  EXPECT_EQ(*parse_vcpus("0"), (VcpuRange{0, 0}));
  EXPECT_EQ(*parse_vcpus("0-3"), (VcpuRange{0, 3}));
  EXPECT_EQ(*parse_vcpus("3-3"), (VcpuRange{3, 3}));
  EXPECT_EQ(*parse_vcpus("16383"), (VcpuRange{16383, 16383}));
  for (const char* text : {"", "-", "-1", "1-", "0-16384", "16384", "0--1", "1-2-3", "0 ", "0x1", "a-b",
                           "3-1", "4294967296", "*"}) {
    EXPECT_FALSE(parse_vcpus(text)) << text;
  }
}

TEST(Share, IsAPercentage) {
  EXPECT_DOUBLE_EQ(*parse_share("10%"), 0.1);
  EXPECT_DOUBLE_EQ(*parse_share("2.5%"), 0.025);
  EXPECT_DOUBLE_EQ(*parse_share("100%"), 1);
  for (const char* text : {"", "%", "10", "10 %", "0%", "0.0%", "100.1%", "-1%", ".5%", "5.%", "1e1%", "inf%",
                           "nan%", "10%%", "10%x"}) {
    EXPECT_FALSE(parse_share(text)) << text;
  }
}

TEST(Reasons, AreNamesGlobsOrNumbers) {
  const std::vector<std::string_view> names = {"npf", "hlt",           "DE excp",
                                               "HLT", "EPT_VIOLATION", "EPT_VIOLATION (failed entry)"};
  for (const char* text :
       {"npf", "NPF", "Hlt", "de excp", "ept_violation", "EPT_VIOLATION (failed entry)", "n*", "?lt",
        "*failed*", "[hn]*", "0", "48", "0x400", "0XFFFFFFFF", "4294967295"}) {
    EXPECT_TRUE(check_reason(text, names)) << text;
  }
  for (const char* text : {"", "x", "z*", "[", "0x", "0x100000000", "-1", "1.5", "np", "*x"}) {
    EXPECT_FALSE(check_reason(text, names)) << text;
  }
  EXPECT_FALSE(check_reason("npf", {})) << "nothing is known";
  EXPECT_FALSE(check_reason(std::string(1 << 20, 'x'), names));
}

TEST(Reasons, AWrongOneHasTheNearestRightOne) {
  const std::vector<std::string_view> names = {"npf", "hlt", "HLT", "EPT_VIOLATION",
                                               "EPT_VIOLATION (failed entry)"};
  const auto message = [&](const char* text) { return check_reason(text, names).error().message; };
  EXPECT_EQ(message("NPFF"), "is not an exit reason; did you mean npf?");
  EXPECT_EQ(message("HTL"), "is not an exit reason; did you mean hlt?");
  EXPECT_EQ(message("ept"), "is not an exit reason; did you mean EPT_VIOLATION?");
  EXPECT_EQ(message("epd_violatoin"), "is not an exit reason; did you mean EPT_VIOLATION?");
  EXPECT_EQ(message("quux*"), "matches no exit reason");
}

}  // namespace
}  // namespace isoscope::config
