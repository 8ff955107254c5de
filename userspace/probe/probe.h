// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "abi/event.h"
#include "abi/histogram.h"
#include "abi/knobs.h"
#include "base/result.h"
#include "kernel/features.h"
#include "probe/readings.h"

namespace isoscope::probe {

struct Options {
  bool stream_exits = false;
  bool stream_switches = false;
  bool hook_wakeups = false;        // waits are timed by a hook also where the kernel's own notes would do
  bool attempts = false;            // crossings that the kernel refuses are told
  std::uint64_t slow_exit_ns = 0;   // 0: off
  std::uint32_t exit_cells = 4096;  // 65,535 at most
  std::uint32_t accounts = 3072;
  std::uint32_t data_ring_bytes = 65536;  // a power of two, at least a page
  std::uint32_t security_ring_bytes = 1U << 20;
  isoscope_ns_set host_namespaces{};  // access by tasks that have mnt, pid and user of these is not told
  isoscope_hist_tables histogram{};   // how the programs find a bucket; must be the reader's own tables
};

enum class Ring { security, data };

// The programs in the kernel, and everything that comes out of them. Nothing is pinned: when the process
// ends, however it ends, the programs are gone.
class Probe {
 public:
  // Loads everything but the kvm programs. Attaches nothing yet.
  static base::Result<Probe> create(const kernel::Features& features, const Options& options);
  Probe(Probe&&) noexcept;
  Probe& operator=(Probe&&) noexcept;
  ~Probe();

  base::Result<base::Ok> attach();

  // The kvm programs are loaded when the modules whose types they need are there. May be called again after
  // detach_kvm(), with what discover_kvm() then says.
  base::Result<base::Ok> attach_kvm(const kernel::KvmFeatures& kvm);
  void detach_kvm();
  bool kvm_attached() const;

  // Detaches every program. The maps stay readable, and nothing more comes through the rings.
  void detach();

  // Readable (epoll) when the kernel side asks for a reader.
  int ring_fd(Ring ring) const;
  // Hands over the records that are in the ring, oldest first, `most` of them at the most: a producer that is
  // faster than we are must not keep us here for ever. True if the ring is empty. The bytes are valid during
  // the call only.
  using Consumer = std::function<void(std::span<const std::byte>)>;
  bool drain(Ring ring, const Consumer& consumer, std::size_t most = std::numeric_limits<std::size_t>::max());

  std::vector<VcpuReading> read_vcpus() const;
  SchedReading read_sched() const;
  Counters read_counters() const;

  // Entries that the tables behind these readings have, used or not.
  struct Capacities {
    std::uint32_t vcpus = 0;
    std::uint32_t exit_cells = 0;
    std::uint32_t accounts = 0;
    std::uint32_t preemptions = 0;
  };
  Capacities capacities() const;

  // When the first record of the security class was dropped since this was asked last (CLOCK_MONOTONIC); 0:
  // none was. Reads memory alone.
  std::uint64_t take_first_drop();
  // Looks at every task, and puts what was dropped into the ring again; nothing where the kernel cannot.
  std::optional<RecheckPass> recheck();

  // Whether the programs look at all for what they are to answer with SIGKILL.
  void enforce(bool on);
  // For tasks with this home cgroup. A cgroup that finds no place, which is logged, is left to userspace.
  void set_enforcement(std::uint64_t cgroup_id, const isoscope_enforcement& enforcement);
  void forget_enforcement(std::uint64_t cgroup_id);

  // Number of the window from now on; the programs begin min and max anew.
  void begin_window(std::uint32_t window);

  // Gives back what a dead vCPU held, or the account of a removed cgroup or an ended VMM. Call after its last
  // reading was taken.
  void release_vcpu(const VcpuReading& dead);
  void release_account(std::uint64_t account);

  std::size_t map_bytes() const;  // memory of all maps, as the kernel accounts the preallocated ones

 private:
  class Impl;
  explicit Probe(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace isoscope::probe
