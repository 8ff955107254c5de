// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include "agent/commands.h"
#include "agent/event_loop.h"
#include "agent/pipeline.h"
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

Result<Ok> wire(EventLoop& loop, Pipeline& pipeline) {
  const auto drain = [&] {
    pipeline.drain();
    if (pipeline.all_outputs_closed()) {
      loop.stop();
    }
  };
  const auto on_signal = [&](int signal) {
    if (signal == SIGHUP) {
      pipeline.reopen_outputs();
    } else {
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
  return loop.on_signals({SIGINT, SIGTERM, SIGHUP}, on_signal);
}

// Windows and the run's time begin when everything is attached.
Result<Ok> set_timers(EventLoop& loop, Pipeline& pipeline, const config::Config& config) {
  if (auto done = loop.every(kvm_period, [&] { pipeline.look_for_kvm(); }); !done) {
    return done;
  }
  if (auto done = loop.every(metadata_period, [&] { pipeline.look_for_metadata(); }); !done) {
    return done;
  }
  if (auto done = loop.every(config.interval, [&] { pipeline.close_window(); }); !done) {
    return done;
  }
  if (config.duration.count() == 0) {
    return Ok{};
  }
  return loop.after(config.duration, [&] { loop.stop(); });
}

}  // namespace

Result<Ok> run(const config::Config& config) {
  // A reader that goes away is told by the write, not by a signal.
  ::signal(SIGPIPE, SIG_IGN);
  const kernel::Features features = probe::discover();
  if (auto able = kernel::require(features); !able) {
    return able;
  }
  auto pipeline = Pipeline::create(config, features);
  if (!pipeline) {
    return pipeline.error();
  }
  auto loop = EventLoop::create();
  if (!loop) {
    return loop.error();
  }
  if (auto done = wire(*loop, **pipeline); !done) {
    return done;
  }
  if (auto done = (*pipeline)->start(); !done) {
    return done;
  }
  if (auto done = set_timers(*loop, **pipeline, config); !done) {
    return done;
  }
  for (const kernel::Capability& capability : kernel::explain(features)) {
    if (capability.state == kernel::Availability::off) {
      base::log::info("{} off: {}", capability.name, capability.words);
    }
  }
  if (auto done = loop->run(); !done) {
    return done;
  }
  (*pipeline)->finish();
  return Ok{};
}

}  // namespace isoscope::agent
