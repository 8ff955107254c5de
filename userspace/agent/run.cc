// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <optional>

#include "agent/child.h"
#include "agent/commands.h"
#include "agent/event_loop.h"
#include "agent/pipeline.h"
#include "agent/privileges.h"
#include "agent/service_manager.h"
#include "base/log.h"
#include "probe/discover.h"

namespace isoscope::agent {

namespace {

using base::Ok;
using base::Result;

// Lifecycle records and, when streaming, data wait in the rings at most this long: an alarm wakes us at once.
constexpr std::chrono::milliseconds drain_period{100};
constexpr std::chrono::milliseconds kvm_period{250};
constexpr std::chrono::milliseconds metadata_period{500};
constexpr std::chrono::seconds fold_period{1};
// Costs nothing where nothing was dropped.
constexpr std::chrono::seconds recheck_period{1};

// The command, if there is one, decides when the run ends: signals that ask for an end are passed on to it. A
// key on the terminal (Ctrl-C) has reached it by itself.
Result<Ok> wire_signals(EventLoop& loop, Pipeline& pipeline, std::optional<Child>& child) {
  const auto on_signal = [&](Signal signal) {
    if (signal.number == SIGHUP) {
      notify_reloading();
      pipeline.reload_policies();
      pipeline.reopen_outputs();
      notify_ready();
    } else if (!child) {
      loop.stop();
    } else if (signal.number == SIGCHLD) {
      if (child->reap()) {
        loop.stop();
      }
    } else if (!signal.from_kernel) {
      child->send(signal.number);
    }
  };
  return child ? loop.on_signals({SIGINT, SIGTERM, SIGHUP, SIGCHLD}, on_signal)
               : loop.on_signals({SIGINT, SIGTERM, SIGHUP}, on_signal);
}

Result<Ok> wire(EventLoop& loop, Pipeline& pipeline, std::optional<Child>& child) {
  const auto drain = [&] {
    pipeline.drain();
    if (!child && pipeline.all_outputs_closed()) {  // a command still wants its verdict
      loop.stop();
    }
  };
  for (const probe::Ring ring : {probe::Ring::security, probe::Ring::data}) {
    if (auto done = loop.watch(pipeline.ring_fd(ring), drain); !done) {
      return done;
    }
  }
  if (auto done = loop.every(drain_period, drain); !done) {
    return done;
  }
  return wire_signals(loop, pipeline, child);
}

// A run whose time is a multiple of the interval would end with a window of some milliseconds, whose rates
// mean nothing: what is left of it then is the end of the window before.
Result<Ok> close_windows(EventLoop& loop, Pipeline& pipeline, const config::Config& config) {
  const auto end = std::chrono::steady_clock::now() + config.duration;
  return loop.every(config.interval, [&pipeline, &config, end] {
    const auto left = end - std::chrono::steady_clock::now();
    if (config.duration.count() == 0 || left > config.interval / 20) {
      pipeline.close_window();
    }
  });
}

// Windows and the run's time begin when everything is attached.
Result<Ok> set_timers(EventLoop& loop, Pipeline& pipeline, std::optional<Child>& child,
                      const config::Config& config) {
  if (auto done = loop.every(kvm_period, [&] { pipeline.look_for_kvm(); }); !done) {
    return done;
  }
  if (auto done = loop.every(metadata_period, [&] { pipeline.look_for_metadata(); }); !done) {
    return done;
  }
  if (auto done = loop.every(fold_period, [&] { pipeline.report_folded(); }); !done) {
    return done;
  }
  if (auto done = loop.every(recheck_period, [&] { pipeline.recheck(); }); !done) {
    return done;
  }
  if (auto done = close_windows(loop, pipeline, config); !done) {
    return done;
  }
  if (const auto period = watchdog_period()) {
    if (auto done = loop.every(*period, feed_watchdog); !done) {
      return done;
    }
  }
  if (config.duration.count() == 0) {
    return Ok{};
  }
  return loop.after(config.duration, [&] {
    if (child) {  // as timeout(1) does it; its end is that of the run
      base::log::info("the time is over: the command is sent SIGTERM");
      child->send(SIGTERM);
      child->send(SIGCONT);
    } else {
      loop.stop();
    }
  });
}

// Of what this run does.
void say_what_is_missing(const kernel::Features& features, const Pipeline& pipeline) {
  for (const kernel::Capability& capability : kernel::explain(features)) {
    const bool is_asked_for =
        capability.purpose != kernel::Purpose::attempts || pipeline.looks_for_attempts();
    const bool counts =
        capability.state == kernel::Availability::off ||
        (capability.state == kernel::Availability::degraded && capability.purpose == kernel::Purpose::alarms);
    if (is_asked_for && counts) {
      base::log::info("{} {}: {}", capability.name, kernel::to_string(capability.state), capability.words);
    }
  }
}

// From attaching to the last window.
Result<Ok> trace(EventLoop& loop, Pipeline& pipeline, std::optional<Child>& child,
                 const config::Config& config, const kernel::Features& features) {
  if (auto done = wire(loop, pipeline, child); !done) {
    return done;
  }
  if (child) {
    pipeline.judge_only(CommandScope(child->cgroup_path(), static_cast<std::uint32_t>(::getpid())));
  }
  if (auto done = pipeline.start(); !done) {
    return done;
  }
  if (auto done = set_timers(loop, pipeline, child, config); !done) {
    return done;
  }
  say_what_is_missing(features, pipeline);
  if (child) {
    child->let_go();
    if (child->reap()) {  // somebody ended it before SIGCHLD was ours to take
      loop.stop();
    }
  }
  drop_privileges(config, child.has_value());
  notify_ready();
  if (!child && pipeline.on_terminal()) {
    base::log::info("tracing; the first window ends in {} s, and Ctrl-C ends the run",
                    std::chrono::duration<double>(config.interval).count());
  }
  if (auto done = loop.run(); !done) {
    return done;
  }
  notify_stopping();
  pipeline.finish();
  return Ok{};
}

}  // namespace

Result<int> run(const config::Config& config) {
  const kernel::Features features = probe::discover();
  if (auto able = kernel::require(features); !able) {
    return able.error();
  }
  std::optional<Child> child;
  if (!config.arguments.empty()) {  // before anything that it would inherit
    auto made = Child::create(config.arguments, features.cgroups);
    if (!made) {
      return made.error();
    }
    child.emplace(std::move(*made));
  }
  // A reader that goes away is told by the write, not by a signal.
  ::signal(SIGPIPE, SIG_IGN);
  auto pipeline = Pipeline::create(config, features);
  if (!pipeline) {
    return pipeline.error();
  }
  auto loop = EventLoop::create();
  if (!loop) {
    return loop.error();
  }
  if (auto done = trace(*loop, **pipeline, child, config, features); !done) {
    return done.error();
  }
  auto verdict = (*pipeline)->verdict();
  if (!child) {
    return verdict ? base::Result<int>(0) : verdict.error();
  }
  if (!child->failure().empty()) {
    base::log::error("{}", child->failure());
  }
  if (!verdict) {
    verdict.error().message += fmt::format("; the command itself ended with {}", child->status());
    return verdict.error();
  }
  return child->status();
}

}  // namespace isoscope::agent
