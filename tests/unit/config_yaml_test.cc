// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace isoscope::config {
namespace {

using testing::HasSubstr;

std::vector<YamlNode> documents(const std::string& text) {
  auto parsed = parse_yaml_documents("f.yaml", text);
  if (!parsed) {
    ADD_FAILURE() << parsed.error().message;
    return {};
  }
  return *parsed;
}

std::string refused(const std::string& text) {
  const auto parsed = parse_yaml_documents("f.yaml", text);
  return parsed ? "accepted" : parsed.error().message;
}

TEST(YamlDocuments, EachHasItsPlace) {
  const auto all = documents("a: 1\n---\n# nothing\n---\nb: 2\n...\n---\n- c\n");
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].keys[0].first, "a");
  EXPECT_EQ(all[1].kind, YamlNode::Kind::null);
  EXPECT_EQ(all[2].place.line, 5U);
  EXPECT_EQ(all[2].items[0].scalar, "2");
  EXPECT_EQ(all[3].kind, YamlNode::Kind::list);
  EXPECT_TRUE(documents("").empty());
  EXPECT_TRUE(documents("# a comment\n").empty());
}

TEST(YamlDocuments, KeysAreTheDocumentsOwn) {
  EXPECT_EQ(documents("a: 1\n---\na: 2\n").size(), 2U);
  EXPECT_EQ(refused("a: 1\n---\na: 2\na: 3\n"), "f.yaml:4:1: the key \"a\" is given twice");
}

TEST(YamlDocuments, ShareTheLimits) {
  std::string text;
  for (int i = 0; i < 6'000; ++i) {
    text += "---\na: 1\n";
  }
  EXPECT_THAT(refused(text), HasSubstr("more than 10000 values"));
  EXPECT_THAT(refused("a: 1\n---\n" + std::string(17, '[') + std::string(17, ']') + "\n"),
              HasSubstr("f.yaml:3:17: nested more than 16 deep"));
  std::string empty;
  for (int i = 0; i < 10'001; ++i) {
    empty += "---\n";
  }
  EXPECT_THAT(refused(empty), HasSubstr("more than 10000 values"));
}

}  // namespace
}  // namespace isoscope::config
