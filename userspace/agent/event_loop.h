// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace isoscope::agent {

struct Signal {
  int number = 0;
  bool from_kernel = false;  // as from a key on the terminal, which a whole group of processes gets
};

// One thread, one epoll: file descriptors, timers and signals, each with what to do.
class EventLoop {
 public:
  static base::Result<EventLoop> create();

  // Calls `ready` whenever fd (not owned) is readable. `ready` must take everything that is there.
  base::Result<base::Ok> watch(int fd, std::function<void()> ready);
  // Calls `expired` every `period`; late calls are not made up for.
  base::Result<base::Ok> every(std::chrono::nanoseconds period, std::function<void()> expired);
  // Calls `expired` once.
  base::Result<base::Ok> after(std::chrono::nanoseconds delay, std::function<void()> expired);
  // Blocks these signals for the process and calls `received` instead.
  base::Result<base::Ok> on_signals(const std::vector<int>& signals, std::function<void(Signal)> received);

  // Until stop() is called.
  base::Result<base::Ok> run();
  void stop() { stopped_ = true; }

 private:
  explicit EventLoop(base::UniqueFd epoll) : epoll_(std::move(epoll)) {}
  base::Result<base::Ok> timer(std::chrono::nanoseconds first, std::chrono::nanoseconds period,
                               std::function<void()> expired);

  struct Source {
    base::UniqueFd owned;
    std::function<void()> ready;
  };

  base::UniqueFd epoll_;
  std::list<Source> sources_;  // stable addresses: epoll holds pointers to them
  bool stopped_ = false;
};

}  // namespace isoscope::agent
