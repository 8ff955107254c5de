// SPDX-License-Identifier: Apache-2.0
#include "agent/event_loop.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <array>
#include <cerrno>

namespace isoscope::agent {

namespace {

using base::Error;
using base::ErrorKind;
using base::Ok;
using base::Result;
using base::UniqueFd;

Error system_error(const char* what) {
  return Error{ErrorKind::failure, fmt::format("{}: {}", what, base::errno_text(errno))};
}

timespec to_timespec(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {.tv_sec = seconds.count(), .tv_nsec = (time - seconds).count()};
}

}  // namespace

Result<EventLoop> EventLoop::create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) {
    return system_error("cannot create the event loop (epoll_create1)");
  }
  return EventLoop(std::move(epoll));
}

Result<Ok> EventLoop::watch(int fd, std::function<void()> ready) {
  sources_.push_back({UniqueFd{}, std::move(ready)});
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &sources_.back();
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    sources_.pop_back();
    return system_error("cannot watch a file descriptor (epoll_ctl)");
  }
  return Ok{};
}

Result<Ok> EventLoop::timer(std::chrono::nanoseconds first, std::chrono::nanoseconds period,
                            std::function<void()> expired) {
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const itimerspec times{to_timespec(period), to_timespec(first)};
  if (!timer || ::timerfd_settime(timer.get(), 0, &times, nullptr) != 0) {
    return system_error("cannot set a timer (timerfd)");
  }
  const int fd = timer.get();
  auto take = [fd, expired = std::move(expired)] {
    std::uint64_t expirations = 0;
    if (::read(fd, &expirations, sizeof(expirations)) == sizeof(expirations)) {
      expired();
    }
  };
  if (auto done = watch(fd, std::move(take)); !done) {
    return done;
  }
  sources_.back().owned = std::move(timer);
  return Ok{};
}

Result<Ok> EventLoop::every(std::chrono::nanoseconds period, std::function<void()> expired) {
  return timer(period, period, std::move(expired));
}

Result<Ok> EventLoop::after(std::chrono::nanoseconds delay, std::function<void()> expired) {
  return timer(delay, std::chrono::nanoseconds{0}, std::move(expired));
}

Result<Ok> EventLoop::on_signals(const std::vector<int>& signals, std::function<void(Signal)> received) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) {
    sigaddset(&set, signal);
  }
  UniqueFd pending(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!pending || ::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
    return system_error("cannot take over signals (signalfd)");
  }
  const int fd = pending.get();
  auto take = [fd, received = std::move(received)] {
    signalfd_siginfo info{};
    while (::read(fd, &info, sizeof(info)) == sizeof(info)) {
      received({static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL});
    }
  };
  if (auto done = watch(fd, std::move(take)); !done) {
    return done;
  }
  sources_.back().owned = std::move(pending);
  return Ok{};
}

Result<Ok> EventLoop::run() {
  std::array<epoll_event, 8> events{};
  while (!stopped_) {
    const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    if (ready < 0 && errno != EINTR) {
      return system_error("the event loop failed (epoll_wait)");
    }
    for (int i = 0; i < ready && !stopped_; ++i) {
      static_cast<Source*>(events.at(static_cast<std::size_t>(i)).data.ptr)->ready();
    }
  }
  return Ok{};
}

}  // namespace isoscope::agent
