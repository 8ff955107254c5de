// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

namespace isoscope::base {

namespace {

struct Sequence {
  unsigned length = 0;  // 0: not a lead byte
  unsigned char second_low = 0x80;
  unsigned char second_high = 0xbf;
};

// The limits on the second byte shut out overlong forms, surrogates and everything above U+10FFFF.
Sequence sequence_of(unsigned char lead) {
  if (lead >= 0xc2 && lead <= 0xdf) {
    return {2, 0x80, 0xbf};
  }
  if (lead >= 0xe0 && lead <= 0xef) {
    return {3, static_cast<unsigned char>(lead == 0xe0 ? 0xa0 : 0x80),
            static_cast<unsigned char>(lead == 0xed ? 0x9f : 0xbf)};
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    return {4, static_cast<unsigned char>(lead == 0xf0 ? 0x90 : 0x80),
            static_cast<unsigned char>(lead == 0xf4 ? 0x8f : 0xbf)};
  }
  return {};
}

}  // namespace

char32_t take_character(std::string_view& bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    bytes.remove_prefix(1);
    return lead;
  }
  const Sequence sequence = sequence_of(lead);
  if (sequence.length == 0 || bytes.size() < sequence.length || byte(1) < sequence.second_low ||
      byte(1) > sequence.second_high) {
    bytes.remove_prefix(1);
    return replacement_character;
  }
  char32_t character = lead & (0x7fU >> sequence.length);
  for (unsigned i = 1; i < sequence.length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) {
      bytes.remove_prefix(1);
      return replacement_character;
    }
    character = (character << 6) | (byte(i) & 0x3fU);
  }
  bytes.remove_prefix(sequence.length);
  return character;
}

void append_utf8(char32_t character, std::string& out) {
  const auto put = [&](char32_t value) { out.push_back(static_cast<char>(value)); };
  if (character < 0x80) {
    put(character);
  } else if (character < 0x800) {
    put(0xc0 | (character >> 6));
    put(0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    put(0xe0 | (character >> 12));
    put(0x80 | ((character >> 6) & 0x3f));
    put(0x80 | (character & 0x3f));
  } else {
    put(0xf0 | (character >> 18));
    put(0x80 | ((character >> 12) & 0x3f));
    put(0x80 | ((character >> 6) & 0x3f));
    put(0x80 | (character & 0x3f));
  }
}

bool is_control(char32_t character) {
  return character < 0x20 || (character >= 0x7f && character <= 0x9f) || character == 0x61c ||
         (character >= 0x200b && character <= 0x200f) || (character >= 0x2028 && character <= 0x202e) ||
         (character >= 0x2060 && character <= 0x206f) || character == 0xfeff;
}

std::string printable(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const char32_t character = take_character(bytes);
    append_utf8(is_control(character) ? U'?' : character, out);
  }
  return out;
}

}  // namespace isoscope::base
