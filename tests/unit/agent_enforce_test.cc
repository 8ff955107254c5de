// SPDX-License-Identifier: Apache-2.0
#include "agent/enforce.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "identity/process.h"

namespace isoscope::agent {
namespace {

// A process that waits for its end.
class Victim {
 public:
  Victim() : pid_(::fork()) {
    while (pid_ == 0) {
      ::pause();
    }
    const auto stat = identity::read_small_file("/proc/" + std::to_string(pid_) + "/stat");
    const auto ticks = stat ? identity::parse_start_ticks(*stat) : std::nullopt;
    EXPECT_TRUE(ticks);
    process.pid = process.tid = static_cast<std::uint32_t>(pid_);
    process.start_boot_ns =
        ticks.value_or(0) * 1'000'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)) + 1;
  }
  ~Victim() {
    if (pid_ > 0) {
      end();
    }
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  bool lives() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }
  int status() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }
  void end() {
    ::kill(pid_, SIGKILL);
    status();
  }

  policy::Process process;

 private:
  pid_t pid_;
};

policy::Event escape_of(const policy::Process& process, event::Answer answer, event::SeenAt seen_at) {
  policy::Crossing crossing;
  crossing.process = process;
  crossing.answer = answer;
  crossing.seen_at = seen_at;
  return crossing;
}

TEST(Enforce, WhoTheKernelSideKilledIsNotKilledAgain) {
  using By = policy::Enforcement::By;
  Victim victim;
  const auto within = enforce(escape_of(victim.process, event::Answer::killed, event::SeenAt::commit));
  EXPECT_TRUE(within.sent);
  EXPECT_EQ(within.by, By::kernel);
  EXPECT_FALSE(within.ran_on);
  const auto later = enforce(escape_of(victim.process, event::Answer::killed, event::SeenAt::context_switch));
  EXPECT_EQ(later.by, By::kernel);
  EXPECT_TRUE(later.ran_on);
  EXPECT_TRUE(victim.lives());
}

TEST(Enforce, WhatTheKernelDidNotTakeIsDoneHere) {
  Victim victim;
  const auto done = enforce(escape_of(victim.process, event::Answer::refused, event::SeenAt::commit));
  EXPECT_TRUE(done.sent) << done.why_not;
  EXPECT_EQ(done.by, policy::Enforcement::By::agent);
  EXPECT_TRUE(done.kernel_refused);
  EXPECT_TRUE(done.ran_on);
  EXPECT_EQ(WTERMSIG(victim.status()), SIGKILL);
}

TEST(Enforce, KillsTheProcess) {
  Victim victim;
  const policy::Enforcement done = kill_process(victim.process);
  EXPECT_TRUE(done.sent) << done.why_not;
  const int status = victim.status();
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST(Enforce, NotAnotherWithTheSameId) {
  const Victim victim;
  policy::Process other = victim.process;
  other.start_boot_ns -= 1'000'000'000;
  EXPECT_FALSE(kill_process(other).sent);
  other.start_boot_ns = 0;
  EXPECT_FALSE(kill_process(other).sent) << "not known";
  EXPECT_TRUE(victim.lives());
}

TEST(Enforce, NotWhatIsGone) {
  Victim victim;
  const policy::Process process = victim.process;
  victim.end();
  EXPECT_EQ(kill_process(process).why_not, "it was gone already");
}

TEST(Enforce, NeverInitNorOurselves) {
  policy::Process process;
  process.start_boot_ns = 1;
  for (const std::uint32_t pid : {0U, 1U, static_cast<std::uint32_t>(::getpid())}) {
    process.pid = process.tid = pid;
    EXPECT_EQ(kill_process(process).why_not, "this process is never killed");
  }
}

}  // namespace
}  // namespace isoscope::agent
