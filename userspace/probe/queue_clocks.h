// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "probe/mapped_array.h"
#include "probe/skeleton.h"

namespace isoscope::probe {

// How the begin of a wait for a CPU is known: from what the kernel notes itself, in the clocks of its run
// queues, as long as these can be read and are one clock; else from a hook on every wake-up, from then on for
// good. See bpf/lib/queue_clock.bpf.h.
class QueueClocks {
 public:
  QueueClocks() = default;
  // The skeleton must be loaded, and outlive this, as must the map. `hooked`: by the hook in any case.
  QueueClocks(isoscope_bpf* skeleton, MappedArray<isoscope_cpu_runs>* cpus, bool hooked)
      : skeleton_(skeleton), cpus_(cpus), hooked_(hooked) {}

  // Before the other programs are attached: a task that was woken up before them has a begin. Fails if the
  // hook is wanted and cannot be attached.
  base::Result<base::Ok> choose();
  // Once a window: CPUs come and go, and a clock may turn out to be unstable. Reads a file and memory, and
  // every ten minutes, or if there is reason to, the clocks of all CPUs. Nothing before choose().
  void watch();

 private:
  base::Result<base::Ok> look();
  bool has_reason() const;
  base::Result<base::Ok> use_hook(const std::string& reason);

  isoscope_bpf* skeleton_ = nullptr;
  MappedArray<isoscope_cpu_runs>* cpus_ = nullptr;
  bool hooked_ = false;
  std::uint64_t looked_ns_ = 0;  // 0: never
  std::string online_;           // CPUs, as the kernel lists them, when they were looked at
};

}  // namespace isoscope::probe
