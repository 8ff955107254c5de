// SPDX-License-Identifier: Apache-2.0
#include "sink/text.h"

#include <gtest/gtest.h>

#include "sink_samples.h"

namespace isoscope::sink {
namespace {

TEST(SinkText, Rfc3339HasNineDigitsAndZ) {
  EXPECT_EQ(rfc3339(1'714'557'600'123'456'789), "2024-05-01T10:00:00.123456789Z");
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(rfc3339(1'709'164'799'000'000'001), "2024-02-28T23:59:59.000000001Z");
  EXPECT_EQ(rfc3339(1'709'164'800'000'000'000), "2024-02-29T00:00:00.000000000Z");
}

TEST(SinkText, TimeOfDay) {
  samples::use_utc();
  EXPECT_EQ(time_of_day(1'714'557'600'123'956'789, true), "10:00:00.123");
  EXPECT_EQ(time_of_day(1'714'557'600'123'956'789, false), "10:00:00");
}

TEST(SinkText, DurationsKeepThreeDigits) {
  EXPECT_EQ(human_duration(0), "0 ns");
  EXPECT_EQ(human_duration(59), "59 ns");
  EXPECT_EQ(human_duration(999.4), "999 ns");
  EXPECT_EQ(human_duration(999.5), "1.00 us");
  EXPECT_EQ(human_duration(1'240), "1.24 us");
  EXPECT_EQ(human_duration(9'994), "9.99 us");
  EXPECT_EQ(human_duration(9'996), "10.0 us");
  EXPECT_EQ(human_duration(12'400), "12.4 us");
  EXPECT_EQ(human_duration(99'960), "100 us");
  EXPECT_EQ(human_duration(999'600), "1.00 ms");
  EXPECT_EQ(human_duration(3.1e6), "3.10 ms");
  EXPECT_EQ(human_duration(5e9), "5.00 s");
  EXPECT_EQ(human_duration(999e9), "999 s");
  EXPECT_EQ(human_duration(1000e9), "16 m 40 s");
  EXPECT_EQ(human_duration(3599.4e9), "59 m 59 s");
  EXPECT_EQ(human_duration(3600e9), "1 h 0 m");
  EXPECT_EQ(human_duration(10'000e9), "2 h 46 m");
}

TEST(SinkText, CountsHaveSeparatorsThenSi) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1'000), "1,000");
  EXPECT_EQ(human_count(12'345), "12,345");
  EXPECT_EQ(human_count(999'999'999), "999,999,999");
  EXPECT_EQ(human_count(1'234'000'000), "1.23 G");
  EXPECT_EQ(human_count(999'700'000'000), "1.00 T");
  EXPECT_EQ(human_count(18'446'744'073'709'551'615U), "18.4 E");
}

TEST(SinkText, BytesAreBinary) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1'000), "0.98 KiB");
  EXPECT_EQ(human_bytes(1'024), "1.00 KiB");
  EXPECT_EQ(human_bytes(64U << 20), "64.0 MiB");
  EXPECT_EQ(human_bytes(1'010U << 20), "0.99 GiB");
  EXPECT_EQ(human_bytes(18'446'744'073'709'551'615U), "16 EiB");
}

TEST(SinkText, SharesOfSomethingOrNothing) {
  EXPECT_EQ(human_share(1, 3), "33.3 %");
  EXPECT_EQ(human_share(1, 1), "100.0 %");
  EXPECT_EQ(human_share(0, 5), "0.0 %");
  EXPECT_EQ(human_share(1, 1e6), "<0.1 %");
  EXPECT_EQ(human_share(0, 0), "-");
}

TEST(SinkText, FitPadsAndCuts) {
  EXPECT_EQ(fit("web", 5), "web  ");
  EXPECT_EQ(fit("web", 5, false), "web");
  EXPECT_EQ(fit("abcde", 5), "abcde");
  EXPECT_EQ(fit("abcdef", 5), "abcd\xe2\x80\xa6");
  EXPECT_EQ(fit("", 2), "  ");
  EXPECT_EQ(fit("abc", 1), "\xe2\x80\xa6");
  EXPECT_EQ(fit("abc", 0), "");
  EXPECT_EQ(fit("gr\xc3\xbc\xc3\x9f", 5), "gr\xc3\xbc\xc3\x9f ") << "characters, not bytes";
}

TEST(SinkText, FitCountsWideCharactersTwice) {
  const std::string kanji = "\xe6\xbc\xa2\xe5\xad\x97";  // two characters, four columns
  EXPECT_EQ(fit(kanji, 5), kanji + " ");
  EXPECT_EQ(fit(kanji, 4), kanji);
  EXPECT_EQ(fit(kanji, 3), "\xe6\xbc\xa2\xe2\x80\xa6");
  EXPECT_EQ(fit(kanji, 2), "\xe2\x80\xa6 ");
}

TEST(SinkText, FitDisarmsNames) {
  EXPECT_EQ(fit("\x1b]0;x\x07", 10), "?]0;x?    ");
}

}  // namespace
}  // namespace isoscope::sink
