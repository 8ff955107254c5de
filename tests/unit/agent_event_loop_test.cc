// SPDX-License-Identifier: Apache-2.0
#include "agent/event_loop.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <utility>
#include <vector>

namespace isoscope::agent {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

class Pipe {
 public:
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    read_.reset(ends[0]);
    write_.reset(ends[1]);
  }
  int fd() const { return read_.get(); }
  int writing_end() const { return write_.get(); }
  void put(char byte) { EXPECT_EQ(::write(write_.get(), &byte, 1), 1); }
  void hang_up() { write_.reset(); }
  std::vector<char> take_all() {
    std::vector<char> bytes;
    for (char byte = 0; ::read(read_.get(), &byte, 1) == 1;) {
      bytes.push_back(byte);
    }
    return bytes;
  }

 private:
  base::UniqueFd read_;
  base::UniqueFd write_;
};

class EventLoopTest : public ::testing::Test {
 protected:
  EventLoopTest() { ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_); }
  ~EventLoopTest() override { ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr); }

  EventLoop loop_ = std::move(*EventLoop::create());
  Pipe pipe_;

 private:
  sigset_t mask_{};
};

TEST_F(EventLoopTest, CallsWhenThereIsSomethingToRead) {
  std::vector<char> taken;
  ASSERT_TRUE(loop_.watch(pipe_.fd(), [&] {
    for (const char byte : pipe_.take_all()) {
      taken.push_back(byte);
    }
    if (taken.size() == 3) {
      loop_.stop();
    } else {
      pipe_.put(static_cast<char>('a' + taken.size()));
    }
  }));
  pipe_.put('a');
  EXPECT_TRUE(loop_.run());
  EXPECT_THAT(taken, ElementsAre('a', 'b', 'c'));
}

TEST_F(EventLoopTest, DoesNotCallForTheOthers) {
  Pipe silent;
  int calls = 0;
  ASSERT_TRUE(loop_.watch(silent.fd(), [&] { ++calls; }));
  ASSERT_TRUE(loop_.watch(pipe_.fd(), [&] { loop_.stop(); }));
  pipe_.put('x');
  EXPECT_TRUE(loop_.run());
  EXPECT_EQ(calls, 0);
}

TEST_F(EventLoopTest, CallsWhenTheOtherEndHangsUp) {
  ASSERT_TRUE(loop_.watch(pipe_.fd(), [&] { loop_.stop(); }));
  pipe_.hang_up();
  EXPECT_TRUE(loop_.run());
}

TEST_F(EventLoopTest, WhatIsNotTakenIsToldAgain) {
  int calls = 0;
  ASSERT_TRUE(loop_.watch(pipe_.fd(), [&] {
    if (++calls == 3) {
      loop_.stop();
    }
  }));
  pipe_.put('x');
  EXPECT_TRUE(loop_.run());
  EXPECT_EQ(calls, 3);
}

TEST_F(EventLoopTest, NothingMoreIsCalledAfterStop) {
  std::array<Pipe, 3> pipes;
  int calls = 0;
  for (Pipe& one : pipes) {
    ASSERT_TRUE(loop_.watch(one.fd(), [&] {
      ++calls;
      loop_.stop();
    }));
    one.put('x');
  }
  EXPECT_TRUE(loop_.run());
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, StoppedBeforeItBeginsItDoesNotBegin) {
  int calls = 0;
  ASSERT_TRUE(loop_.watch(pipe_.fd(), [&] { ++calls; }));
  pipe_.put('x');
  loop_.stop();
  EXPECT_TRUE(loop_.run());
  EXPECT_EQ(calls, 0);
}

TEST_F(EventLoopTest, ServesMoreAtOnceThanOneWaitReturns) {
  std::array<Pipe, 40> pipes;
  std::size_t served = 0;
  for (Pipe& one : pipes) {
    ASSERT_TRUE(loop_.watch(one.fd(), [&] {
      one.take_all();
      if (++served == pipes.size()) {
        loop_.stop();
      }
    }));
    one.put('x');
  }
  EXPECT_TRUE(loop_.run());
  EXPECT_EQ(served, pipes.size());
}

TEST_F(EventLoopTest, ATimerComesAgainAndAgain) {
  const auto begin = std::chrono::steady_clock::now();
  int ticks = 0;
  ASSERT_TRUE(loop_.every(2ms, [&] {
    if (++ticks == 5) {
      loop_.stop();
    }
  }));
  EXPECT_TRUE(loop_.run());
  EXPECT_EQ(ticks, 5);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 10ms);
}

TEST_F(EventLoopTest, LateCallsAreNotMadeUpFor) {
  int ticks = 0;
  ASSERT_TRUE(loop_.every(1ms, [&] { ++ticks; }));
  // Not before the timer has gone off many times.
  ::usleep(50'000);
  ASSERT_TRUE(loop_.watch(pipe_.fd(), [&] { loop_.stop(); }));
  pipe_.put('x');
  EXPECT_TRUE(loop_.run());
  EXPECT_LE(ticks, 1);
}

TEST_F(EventLoopTest, ADelayComesOnceAndNotEarly) {
  const auto begin = std::chrono::steady_clock::now();
  int calls = 0;
  ASSERT_TRUE(loop_.after(5ms, [&] {
    ++calls;
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);
  }));
  int ticks = 0;
  ASSERT_TRUE(loop_.every(1ms, [&] {
    // Until long after it, counted in calls and not in time.
    if (calls > 0 && ++ticks == 30) {
      loop_.stop();
    }
  }));
  EXPECT_TRUE(loop_.run());
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, ADelayOfMoreThanASecondIsNotCutToItsFraction) {
  bool early = false;
  ASSERT_TRUE(loop_.after(3600s + 1ms, [&] { early = true; }));
  ASSERT_TRUE(loop_.after(50ms, [&] { loop_.stop(); }));
  EXPECT_TRUE(loop_.run());
  EXPECT_FALSE(early);
}

TEST_F(EventLoopTest, SignalsAreTakenAndDoNotKill) {
  std::vector<int> taken;
  ASSERT_TRUE(loop_.on_signals({SIGUSR1, SIGTERM}, [&](Signal signal) {
    EXPECT_FALSE(signal.from_kernel);
    taken.push_back(signal.number);
    if (taken.size() == 2) {
      loop_.stop();
    }
  }));
  // Both are pending before the loop runs: neither may get lost.
  ::raise(SIGTERM);
  ::raise(SIGUSR1);
  EXPECT_TRUE(loop_.run());
  EXPECT_THAT(taken, UnorderedElementsAre(SIGUSR1, SIGTERM));
}

int alarm_pipe = -1;

void on_alarm(int) {
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = ::write(alarm_pipe, &byte, 1);
}

TEST_F(EventLoopTest, ASignalOfOthersDoesNotEndIt) {
  alarm_pipe = pipe_.writing_end();
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = on_alarm;
  ASSERT_EQ(::sigaction(SIGALRM, &action, &before), 0);
  ASSERT_TRUE(loop_.watch(pipe_.fd(), [&] { loop_.stop(); }));
  const itimerval soon{{0, 0}, {0, 20'000}};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &soon, nullptr), 0);
  EXPECT_TRUE(loop_.run());
  ::sigaction(SIGALRM, &before, nullptr);
}

TEST_F(EventLoopTest, MayBeMovedWithWhatItWatches) {
  int ticks = 0;
  bool ready = false;
  EventLoop* running = nullptr;
  ASSERT_TRUE(loop_.watch(pipe_.fd(), [&] {
    ready = true;
    pipe_.take_all();
  }));
  ASSERT_TRUE(loop_.every(1ms, [&] {
    if (++ticks >= 3 && ready) {
      running->stop();
    }
  }));
  EventLoop moved = std::move(loop_);
  running = &moved;
  pipe_.put('x');
  EXPECT_TRUE(moved.run());
  EXPECT_TRUE(ready);
}

TEST_F(EventLoopTest, WhatCannotBeWatchedIsAnError) {
  const auto done = loop_.watch(-1, [] {});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, testing::HasSubstr("Bad file descriptor"));
  ASSERT_TRUE(loop_.watch(pipe_.fd(), [&] { loop_.stop(); })) << "and harms nothing";
  pipe_.put('x');
  EXPECT_TRUE(loop_.run());
}

TEST_F(EventLoopTest, AnImpossiblePeriodIsAnError) {
  EXPECT_FALSE(loop_.every(-1ns, [] {}));
}

}  // namespace
}  // namespace isoscope::agent
