// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <gtest/gtest.h>

namespace isoscope::base {
namespace {

std::u32string characters_of(std::string_view bytes) {
  std::u32string all;
  while (!bytes.empty()) {
    all.push_back(take_character(bytes));
  }
  return all;
}

TEST(Text, TakesWellFormedCharacters) {
  EXPECT_EQ(characters_of("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), U"a\u00e9\u20ac\U0001f600");
  EXPECT_EQ(characters_of("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
            U"\u0080\u07ff\u0800\uffff\U00010000\U0010ffff");
}

TEST(Text, EachBadByteBecomesOneReplacementCharacter) {
  EXPECT_EQ(characters_of("\xff"
                          "a\x80"),
            U"\ufffd"
            U"a\ufffd");
  EXPECT_EQ(characters_of("\xc0\xaf"), U"\ufffd\ufffd") << "overlong";
  EXPECT_EQ(characters_of("\xe0\x9f\x80"), U"\ufffd\ufffd\ufffd") << "overlong";
  EXPECT_EQ(characters_of("\xf0\x8f\xbf\xbf"), U"\ufffd\ufffd\ufffd\ufffd") << "overlong";
  EXPECT_EQ(characters_of("\xed\xa0\x80"), U"\ufffd\ufffd\ufffd") << "surrogate";
  EXPECT_EQ(characters_of("\xf4\x90\x80\x80"), U"\ufffd\ufffd\ufffd\ufffd") << "above U+10FFFF";
  EXPECT_EQ(characters_of("\xe2\x82"), U"\ufffd\ufffd") << "cut off";
  EXPECT_EQ(characters_of("\xe2\x82z"), U"\ufffd\ufffdz") << "cut off by another character";
}

TEST(Text, EveryCharacterSurvivesTheRoundTrip) {
  for (char32_t character = 0; character <= 0x10ffff; ++character) {
    if (character >= 0xd800 && character <= 0xdfff) {
      continue;
    }
    std::string bytes;
    append_utf8(character, bytes);
    std::string_view rest = bytes;
    ASSERT_EQ(take_character(rest), character);
    ASSERT_TRUE(rest.empty()) << static_cast<std::uint32_t>(character);
  }
}

TEST(Text, PrintableDisarmsTerminalSequences) {
  EXPECT_EQ(printable("\x1b[2Jowned\x07"), "?[2Jowned?");
  EXPECT_EQ(printable("a\nb\tc\x7f"), "a?b?c?");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "?31m")
      << "CSI of C1";
  EXPECT_EQ(printable("\x9b"
                      "31m"),
            "\xef\xbf\xbd"
            "31m")
      << "a bare C1 byte";
  EXPECT_EQ(printable("exe\xe2\x80\xaetxt"), "exe?txt") << "right-to-left override";
  EXPECT_EQ(printable("a\xe2\x80\xa8z\xe2\x81\xa6y"), "a?z?y");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a?b");
  EXPECT_EQ(printable("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
}

}  // namespace
}  // namespace isoscope::base
