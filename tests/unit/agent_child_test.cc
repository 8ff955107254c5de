// SPDX-License-Identifier: Apache-2.0
#include "agent/child.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace isoscope::agent {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

// Without a hierarchy it is in our cgroup: the tests need no privileges.
Child make(const std::vector<std::string>& words) {
  auto child = Child::create(words, std::nullopt);
  EXPECT_TRUE(child);
  return std::move(*child);
}

void wait_for_end(Child& child) {
  for (int i = 0; i < 2000 && !child.reap(); ++i) {
    std::this_thread::sleep_for(5ms);
  }
  ASSERT_TRUE(child.reap());
}

int status_of(const std::vector<std::string>& words) {
  Child child = make(words);
  child.let_go();
  wait_for_end(child);
  return child.status();
}

class ChildTest : public ::testing::Test {
 protected:
  ~ChildTest() override { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }
};

TEST_F(ChildTest, HasTheStatusOfTheCommand) {
  EXPECT_EQ(status_of({"true"}), 0);
  EXPECT_EQ(status_of({"sh", "-c", "exit 7"}), 7);
  EXPECT_EQ(status_of({"sh", "-c", "kill -KILL $$"}), 137);
  EXPECT_EQ(status_of({"sh", "-c", "test \"$1\" = 'a  b'", "sh", "a  b"}), 0);
}

TEST_F(ChildTest, SaysWhyItCouldNotBeRun) {
  Child missing = make({"isoscope-no-such-program"});
  missing.let_go();
  wait_for_end(missing);
  EXPECT_EQ(missing.status(), 127);
  EXPECT_EQ(missing.failure(), "cannot run isoscope-no-such-program: No such file or directory");
  Child folder = make({"/"});
  folder.let_go();
  wait_for_end(folder);
  EXPECT_EQ(folder.status(), 126);
  EXPECT_EQ(folder.failure(), "cannot run /: Permission denied");
  Child good = make({"true"});
  good.let_go();
  wait_for_end(good);
  EXPECT_THAT(good.failure(), IsEmpty());
}

TEST_F(ChildTest, WaitsUntilItIsLetGo) {
  const std::string file = testing::TempDir() + "/isoscope-child-" + std::to_string(::getpid());
  {
    Child child = make({"touch", file});
    EXPECT_FALSE(child.reap());
    std::this_thread::sleep_for(50ms);
    EXPECT_FALSE(child.reap());
    EXPECT_NE(::access(file.c_str(), F_OK), 0);
  }
  EXPECT_NE(::access(file.c_str(), F_OK), 0) << "it ends without";
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "and leaves no zombie";
  EXPECT_EQ(status_of({"touch", file}), 0);
  EXPECT_EQ(::unlink(file.c_str()), 0);
}

TEST_F(ChildTest, PassesSignalsOn) {
  Child child = make({"sleep", "60"});
  child.let_go();
  child.send(SIGTERM);
  wait_for_end(child);
  EXPECT_EQ(child.status(), 128 + SIGTERM);
  child.send(SIGTERM);  // to nobody: the id may be another's by now
}

TEST_F(ChildTest, InheritsNoBlockedSignals) {
  Child child = make({"sh", "-c", "kill -USR1 $$; exit 5"});
  child.let_go();
  wait_for_end(child);
  EXPECT_EQ(child.status(), 128 + SIGUSR1);
}

TEST_F(ChildTest, ReapsWhatTheCommandLeavesBehind) {
  // The sleeper is an orphan when the shell has ended; its new parent is this process.
  Child child = make({"sh", "-c", "sleep 0.5 & exit 3"});
  child.let_go();
  wait_for_end(child);
  EXPECT_EQ(child.status(), 3);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), 0) << "there is one of ours, and it runs";
  bool none_left = false;
  for (int i = 0; i < 1000 && !none_left; ++i) {
    EXPECT_TRUE(child.reap());
    none_left = ::waitpid(-1, nullptr, WNOHANG) == -1;
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_TRUE(none_left);
  EXPECT_EQ(child.status(), 3) << "that of the command";
}

TEST(ChildCgroup, ThatCannotBeMadeSaysWhy) {
  EXPECT_THAT(ChildCgroup::create(std::nullopt, 1).error().message, HasSubstr("no cgroups are mounted"));
  kernel::CgroupHierarchy elsewhere;
  elsewhere.mount.point = "/nonexistent";
  const auto none = ChildCgroup::create(elsewhere, 1);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("cannot make /nonexistent"));
  EXPECT_THAT(none.error().message, HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace isoscope::agent
