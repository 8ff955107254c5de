// SPDX-License-Identifier: Apache-2.0
#include "agent/command_scope.h"

#include <gtest/gtest.h>

namespace isoscope::agent {
namespace {

constexpr std::uint32_t agent_pid = 100;
constexpr std::uint64_t root = 1;
constexpr std::uint64_t own = 10;
constexpr std::uint64_t session = 20;

// The command's own cgroup is /isoscope-run-7 (10); beside it is /session (20).
class CommandScopeTest : public ::testing::Test {
 protected:
  CommandScopeTest() {
    cgroups_.add({root, 0, 0, ""});
    cgroups_.add({own, root, 1, "isoscope-run-7"});
    cgroups_.add({session, root, 1, "session"});
  }
  void make(std::uint64_t id, std::uint64_t parent, const std::string& name, std::uint64_t makers) {
    const event::CgroupMade made{id, parent, 1, name};
    scope_.observe({{.cgroup_id = makers}, made}, cgroups_);
    cgroups_.add(made);
  }
  void remove(std::uint64_t id) {
    scope_.observe({{.cgroup_id = session}, event::CgroupRemoved{id}}, cgroups_);
    cgroups_.remove(id);
    for (int i = 0; i < 5; ++i) {
      cgroups_.expire();
    }
  }
  void move(std::uint64_t home, std::uint64_t to) {
    scope_.observe({{.cgroup_id = session}, event::CgroupAttached{to, home, 55, 55, "x"}}, cgroups_);
  }
  bool includes(std::uint64_t home, const identity::Ancestry& ancestry = others) {
    return scope_.includes(home, ancestry, cgroups_);
  }

  static const identity::Ancestry others;
  identity::CgroupTree cgroups_;
  CommandScope scope_{"/isoscope-run-7", agent_pid};
};

const identity::Ancestry CommandScopeTest::others{{{50, 0, "/bin/sh"}, {1, 0, "/init"}}, true};

TEST_F(CommandScopeTest, TheCommandsCgroupWithWhatIsBelow) {
  EXPECT_TRUE(includes(own));
  make(11, own, "inner", session);
  EXPECT_TRUE(includes(11));
  EXPECT_FALSE(includes(session));
  EXPECT_FALSE(includes(root));
  make(12, root, "isoscope-run-71", session);
  EXPECT_FALSE(includes(12)) << "a name that begins alike";
}

TEST_F(CommandScopeTest, CgroupsThatItMadeElsewhere) {
  make(30, root, "docker", own);
  make(31, 30, "aaa", own);
  EXPECT_TRUE(includes(31));
  make(32, 31, "inside", 31);
  EXPECT_TRUE(includes(32)) << "made by who is in the container";
}

TEST_F(CommandScopeTest, NotWhatOthersMadeInThem) {
  make(30, root, "docker", own);
  make(40, 30, "bbb", session);
  move(40, 40);
  EXPECT_FALSE(includes(40));
}

TEST_F(CommandScopeTest, NewCgroupsThatItsProcessesAreMovedToFirst) {
  make(30, root, "run-1.scope", session);
  EXPECT_FALSE(includes(30));
  move(own, 30);
  EXPECT_TRUE(includes(30));
  make(31, root, "theirs", session);
  move(session, 31);
  move(own, 31);
  EXPECT_FALSE(includes(31)) << "somebody else was there before";
  move(own, session);
  EXPECT_FALSE(includes(session)) << "it was there before the run";
}

TEST_F(CommandScopeTest, ACgroupThatIsGoneIsRememberedForWhoWasMovedOut) {
  make(30, root, "docker", own);
  remove(30);
  EXPECT_TRUE(includes(30));
  for (std::uint64_t id = 1000; id < 1000 + CommandScope::removed_kept; ++id) {
    make(id, root, "more", own);
    remove(id);
  }
  EXPECT_FALSE(includes(30)) << "not for ever";
}

TEST_F(CommandScopeTest, WhoHasTheAgentAsAnAncestor) {
  EXPECT_TRUE(includes(session, {{{agent_pid, 0, "/isoscope"}, {1, 0, "/init"}}, true}));
  EXPECT_TRUE(includes(session, {{{70, 0, "/bin/sh"}, {agent_pid, 0, "/isoscope"}}, false}));
}

TEST_F(CommandScopeTest, WhoCannotBeTracedBack) {
  const identity::Ancestry unknown;
  EXPECT_FALSE(includes(session, unknown)) << "its cgroup says whose it is";
  EXPECT_TRUE(includes(0, unknown));
  EXPECT_FALSE(includes(0, others));
}

TEST_F(CommandScopeTest, WithoutACgroupParentsDecide) {
  const CommandScope scope("", agent_pid);
  EXPECT_FALSE(scope.includes(session, others, cgroups_));
  EXPECT_TRUE(scope.includes(session, {}, cgroups_));
  EXPECT_TRUE(scope.includes(session, {{{agent_pid, 0, "/isoscope"}, {1, 0, "/init"}}, true}, cgroups_));
}

}  // namespace
}  // namespace isoscope::agent
