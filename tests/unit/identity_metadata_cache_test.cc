// SPDX-License-Identifier: Apache-2.0
#include "identity/metadata_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace isoscope::identity {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t start = 100 * second;

class MetadataCacheTest : public ::testing::Test {
 protected:
  MetadataQuery query(const std::string& id) const {
    return {.id = id, .runtime = "docker", .cgroup_path = ""};
  }

  std::vector<std::uint64_t> found_at(std::uint64_t now_ns) {
    std::vector<std::uint64_t> cgroups;
    for (const auto& found : cache_.retry(now_ns)) {
      cgroups.push_back(found.cgroup_id);
    }
    return cgroups;
  }

  std::map<std::string, Metadata> files_;
  std::vector<std::string> looks_;
  int rounds_ = 0;
  MetadataCache cache_{{.look_up =
                            [this](const MetadataQuery& wanted) {
                              looks_.push_back(wanted.id);
                              const auto found = files_.find(wanted.id);
                              return found == files_.end() ? std::nullopt : std::optional(found->second);
                            },
                        .begin_round = [this] { rounds_++; }}};
};

TEST_F(MetadataCacheTest, WhatIsThereIsReadOnce) {
  files_["a"] = {.container = "web"};
  const auto found = cache_.first_look(7, query("a"), start);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->container, "web");
  for (std::uint64_t s = 0; s < 100; s++) {
    EXPECT_THAT(found_at(start + s * second), IsEmpty());
  }
  EXPECT_FALSE(cache_.first_look(7, query("a"), start));
  EXPECT_EQ(looks_.size(), 1U);
  EXPECT_EQ(rounds_, 100);
}

TEST_F(MetadataCacheTest, WhatComesLateIsFound) {
  EXPECT_FALSE(cache_.first_look(7, query("a"), start));
  EXPECT_THAT(found_at(start + second), IsEmpty());
  files_["a"] = {.container = "web"};
  EXPECT_THAT(found_at(start + 3 * second - 1), IsEmpty()) << "not before its time";
  EXPECT_EQ(looks_.size(), 2U);
  EXPECT_THAT(found_at(start + 3 * second), ElementsAre(7));
  EXPECT_EQ(looks_.size(), 3U);
  EXPECT_EQ(cache_.waiting(), 0U);
}

TEST_F(MetadataCacheTest, WhatNeverComesIsGivenUp) {
  EXPECT_FALSE(cache_.first_look(7, query("a"), start));
  std::vector<std::uint64_t> at;
  for (std::uint64_t half = 0; half < 1000; half++) {
    const std::size_t before = looks_.size();
    EXPECT_THAT(found_at(start + half * second / 2), IsEmpty());
    if (looks_.size() != before) {
      at.push_back(half / 2);
    }
  }
  EXPECT_THAT(at, ElementsAre(1, 3, 7, 15, 31));
  EXPECT_EQ(looks_.size(), 6U);
  files_["a"] = {.container = "web"};
  EXPECT_FALSE(cache_.first_look(7, query("a"), start + 1000 * second)) << "until it ends";
  EXPECT_EQ(looks_.size(), 6U);
  cache_.drop(7);
  EXPECT_EQ(cache_.size(), 0U);
  EXPECT_TRUE(cache_.first_look(7, query("a"), start + 1001 * second));
}

TEST_F(MetadataCacheTest, WithoutANameItIsLookedForAgain) {
  files_["a"] = {.image = "nginx"};
  EXPECT_TRUE(cache_.first_look(7, query("a"), start));
  files_["a"].container = "web";
  EXPECT_THAT(found_at(start + second), ElementsAre(7));
  EXPECT_THAT(found_at(start + 100 * second), IsEmpty());
  EXPECT_EQ(looks_.size(), 2U);
}

TEST_F(MetadataCacheTest, TheEndDropsWhatWaits) {
  EXPECT_FALSE(cache_.first_look(7, query("a"), start));
  cache_.drop(7);
  cache_.drop(8);  // never heard of
  EXPECT_THAT(found_at(start + 100 * second), IsEmpty());
  EXPECT_EQ(looks_.size(), 1U);
  EXPECT_EQ(cache_.size(), 0U);
}

TEST_F(MetadataCacheTest, AnotherContainerInThatCgroupIsNew) {
  EXPECT_FALSE(cache_.first_look(7, query("a"), start));
  EXPECT_FALSE(cache_.first_look(7, query("b"), start));
  EXPECT_THAT(found_at(start + second), IsEmpty());
  EXPECT_THAT(looks_, ElementsAre("a", "b", "b"));
  EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(MetadataCacheTest, AThousandAtOnceTakeTurns) {
  constexpr std::uint64_t many = 1000;
  for (std::uint64_t i = 0; i < many; i++) {
    const std::string id = std::to_string(i);
    files_[id] = {.container = id};
    cache_.first_look(i, query(id), start + i);
  }
  EXPECT_EQ(looks_.size(), MetadataCache::looks_per_round);
  EXPECT_EQ(cache_.waiting(), many - MetadataCache::looks_per_round);
  const auto found = found_at(start + second / 2);
  ASSERT_EQ(found.size(), MetadataCache::looks_per_round);
  EXPECT_EQ(found.front(), MetadataCache::looks_per_round) << "the oldest first";
  EXPECT_FALSE(cache_.first_look(many, query("late"), start + second / 2)) << "this round is used up";
  EXPECT_EQ(looks_.size(), 2 * MetadataCache::looks_per_round);
  std::size_t all = 2 * MetadataCache::looks_per_round;
  for (int round = 0; round < 20; round++) {
    all += found_at(start + second / 2).size();
  }
  EXPECT_EQ(all, many);
}

}  // namespace
}  // namespace isoscope::identity
