// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "abi/counters.h"
#include "aggregate/histogram.h"
#include "aggregate/snapshot.h"
#include "identity/unit.h"
#include "probe/readings.h"

namespace isoscope::aggregate {

// What the threads of one account (abi/counters.h) did in one window. Times in ns.
struct AccountChange {
  // Who took the CPU of this account's threads; ISOSCOPE_ACCOUNT_IDLE: nobody.
  struct Preemption {
    std::uint64_t by = 0;
    std::uint64_t count = 0;
    std::uint64_t waited_ns = 0;
  };
  std::uint64_t account = 0;  // 0: `other`
  std::uint64_t voluntary = 0;
  std::uint64_t involuntary = 0;
  std::uint64_t on_cpu_ns = 0;
  std::uint64_t wakeups = 0;
  std::uint64_t migrations = 0;
  std::uint64_t threads = 0;
  std::uint64_t preempted_ns = 0;
  DurationStats waits;
  std::vector<Preemption> preempted_by;
};

// Turns readings of the accounts' counters into what happened in one window.
class SchedWindows {
 public:
  // Counters whose account is not among `reading` any more are forgotten. A run that is not over is charged
  // up to the reading. Returns the differences; accounts whose threads did not run are left out.
  std::vector<AccountChange> close(const probe::SchedReading& reading, std::uint64_t window_start_ns);

  // The account was given back after the last reading: its next one counts from 0.
  void forget(std::uint64_t account);

 private:
  struct Previous {
    isoscope_sched_cell cell{};
    std::uint64_t on_cpu_ns = 0;  // with what was running
  };
  std::unordered_map<std::uint64_t, Previous> previous_;  // by account
};

// The process behind the account of a VM.
std::optional<std::uint32_t> vmm_of_account(std::uint64_t account);

inline constexpr std::size_t most_preemptors = 10;

// Adds up the accounts of each unit; the rows are in the order of kind and id. Of the units that took a row's
// CPU the first most_preemptors are kept, by the time that it waited.
using UnitOfAccount = std::function<identity::UnitRef(std::uint64_t account)>;
std::vector<SchedRow> fold_by_unit(std::span<const AccountChange> changes, const UnitOfAccount& unit_of);

// What the vCPUs of a VM waited for a CPU, by the exits that ended in the window.
std::uint64_t steal_of(const std::string& vm_id, std::span<const VmExitsRow> exits);

// Merges `from` into `into`, whose unit stays.
void merge_into(SchedRow& into, const SchedRow& from);

}  // namespace isoscope::aggregate
