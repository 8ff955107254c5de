// SPDX-License-Identifier: Apache-2.0
#include "probe/queue_clocks.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/unique_fd.h"

namespace isoscope::probe {

namespace {

using base::Error;
using base::ErrorKind;
using base::Ok;
using base::Result;

constexpr std::uint64_t look_every_ns = 600'000'000'000;
// What is on another CPU's run queue was put there by the clock of the CPU that woke it up, and is wrong by
// as much. Those of one clock are read to some 100 ns.
constexpr std::int64_t most_apart_ns = 1'000;
// In which they part by less, at the rates that NTP corrects by.
constexpr std::uint64_t recent_ns = 2'000'000;
// Each reading narrows the offset down to the time that reading takes.
constexpr int readings = 8;

std::string online_cpus() {
  std::ifstream file("/sys/devices/system/cpu/online");
  std::string list;
  std::getline(file, list);
  return list;
}

enum class Clock { read, unreadable, offline };

Result<Clock> read_clock(const bpf_program* program, std::uint32_t cpu) {
  for (int i = 0; i < readings; ++i) {
    bpf_test_run_opts run{};
    run.sz = sizeof(run);
    run.flags = BPF_F_TEST_RUN_ON_CPU;
    run.cpu = cpu;
    if (bpf_prog_test_run_opts(bpf_program__fd(program), &run) != 0) {
      if (errno == ENXIO) {
        return Clock::offline;
      }
      return Error{ErrorKind::failure,
                   fmt::format("cannot run a program on CPU {}: {}", cpu, base::errno_text(errno))};
    }
    if (run.retval == 0) {
      return Clock::unreadable;
    }
  }
  return Clock::read;
}

// The map keeps the event.
Result<Ok> open_clock(const bpf_map* events, std::uint32_t cpu) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  const base::UniqueFd event(static_cast<int>(
      ::syscall(SYS_perf_event_open, &attributes, -1, static_cast<int>(cpu), -1, PERF_FLAG_FD_CLOEXEC)));
  const int fd = event.get();
  if (!event || bpf_map_update_elem(bpf_map__fd(events), &cpu, &fd, BPF_ANY) != 0) {
    return Error{ErrorKind::failure,
                 fmt::format("no event cpu-clock on CPU {}: {}", cpu, base::errno_text(errno))};
  }
  return Ok{};
}

// Opens it where there is none, or one that stopped as the CPU went off.
Result<Clock> find_clock(const isoscope_bpf& skeleton, std::uint32_t cpu) {
  auto found = read_clock(skeleton.progs.measure_queue_clock, cpu);
  if (!found || *found != Clock::unreadable) {
    return found;
  }
  if (auto opened = open_clock(skeleton.maps.cpu_clock_events, cpu); !opened) {
    return opened.error();
  }
  return read_clock(skeleton.progs.measure_queue_clock, cpu);
}

// Of offsets; 0 of none.
class Spread {
 public:
  void add(std::uint64_t offset_ns) {
    least_ = std::min(least_, static_cast<std::int64_t>(offset_ns));
    most_ = std::max(most_, static_cast<std::int64_t>(offset_ns));
  }
  std::int64_t ns() const { return most_ < least_ ? 0 : most_ - least_; }

 private:
  std::int64_t least_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t most_ = std::numeric_limits<std::int64_t>::min();
};

}  // namespace

// A CPU that comes or goes meanwhile is looked at again in the next window.
Result<Ok> QueueClocks::look() {
  looked_ns_ = base::monotonic_ns();
  online_ = online_cpus();
  Spread spread;
  for (std::uint32_t cpu = 0; cpu < cpus_->size(); ++cpu) {
    const auto found = find_clock(*skeleton_, cpu);
    if (found && *found == Clock::read) {
      spread.add(cpus_->read(cpu).clock.offset_ns);
    } else if (!found || *found == Clock::unreadable) {
      if (online_cpus() != online_) {
        return Ok{};
      }
      return found ? Error{ErrorKind::failure,
                           fmt::format("this kernel has no sched_info, or its clock on CPU {} cannot be read",
                                       cpu)}
                   : found.error();
    }
  }
  if (spread.ns() > most_apart_ns) {
    return Error{ErrorKind::failure,
                 fmt::format("the kernel's scheduler clocks of two CPUs are {} ns apart", spread.ns())};
  }
  return Ok{};
}

// By what the programs read last.
bool QueueClocks::has_reason() const {
  const std::uint64_t now = base::monotonic_ns();
  Spread spread;
  for (std::uint32_t cpu = 0; cpu < cpus_->size(); ++cpu) {
    const isoscope_queue_clock clock = cpus_->read(cpu).clock;
    if (clock.offset_ns != 0 && clock.read_ns == 0) {
      return true;  // it was off, if it is not now
    }
    if (clock.read_ns + recent_ns > now) {
      spread.add(clock.offset_ns);
    }
  }
  return spread.ns() > most_apart_ns || online_cpus() != online_;
}

Result<Ok> QueueClocks::use_hook(const std::string& reason) {
  for (const auto& [program, link] :
       {std::pair(skeleton_->progs.handle_sched_wakeup, &skeleton_->links.handle_sched_wakeup),
        {skeleton_->progs.handle_sched_wakeup_new, &skeleton_->links.handle_sched_wakeup_new}}) {
    if (*link != nullptr) {
      continue;
    }
    auto attached = attach_program(program);
    if (!attached) {
      return attached.error();
    }
    *link = attached->release();
  }
  hooked_ = true;
  __atomic_store_n(&skeleton_->bss->control.waits_hooked, 1, __ATOMIC_RELEASE);
  if (!reason.empty()) {
    base::log::info("waits for a CPU are timed by a hook on every wake-up, at a cost of its own: {}", reason);
  }
  return Ok{};
}

Result<Ok> QueueClocks::choose() {
  for (bpf_program* const program :
       {skeleton_->progs.handle_sched_wakeup, skeleton_->progs.handle_sched_wakeup_new}) {
    bpf_program__set_autoattach(program, false);
  }
  if (hooked_) {
    return use_hook("");
  }
  const auto looked = look();
  return looked ? Ok{} : use_hook(looked.error().message);
}

void QueueClocks::watch() {
  if (hooked_ || looked_ns_ == 0 || (base::monotonic_ns() - looked_ns_ < look_every_ns && !has_reason())) {
    return;
  }
  if (const auto looked = look(); !looked) {
    if (const auto hooked = use_hook(looked.error().message); !hooked) {
      base::log::warning("waits for a CPU are incomplete from now on: {}, and {}", looked.error().message,
                         hooked.error().message);
    }
  }
}

}  // namespace isoscope::probe
