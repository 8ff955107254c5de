// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "abi/event.h"
#include "event/record.h"
#include "kernel/features.h"
#include "probe/probe.h"
#include "process.h"

namespace isoscope::live {

// Of this kernel; asked once. The tests' cgroups are of v2, whatever the agent would follow here.
const kernel::Features& features();

// What stands in the way of loading programs here, in words.
std::optional<std::string> missing_for_bpf();
std::optional<std::string> missing_for_cgroups();

// A record of one kind with what every record says.
template <typename Payload>
struct Seen {
  event::Meta meta;
  Payload what;
};

// The programs on the running kernel, without the agent: records are drained and decoded here.
class Live : public ::testing::Test {
 protected:
  void SetUp() override;

  // Loads and attaches. Called by each test, as options differ.
  void start(const probe::Options& options = {}, const kernel::CgroupHierarchy& cgroups = {});
  // The same, with this process' namespaces as those of the host: children that leave them are contained.
  void start_among_hosts(probe::Options options);
  probe::Probe& probe() { return *probe_; }

  // Takes what waits in both rings. Bytes that cannot be decoded fail the test.
  void drain();

  // Records so far of which `wanted` is true.
  template <typename Payload, typename Wanted>
  std::vector<Seen<Payload>> seen(Wanted&& wanted) {
    std::vector<Seen<Payload>> found;
    for (const event::Record& record : records_) {
      if (const auto* const payload = std::get_if<Payload>(&record.payload)) {
        if (wanted(record.meta, *payload)) {
          found.push_back({record.meta, *payload});
        }
      }
    }
    return found;
  }
  // The same, of one thread.
  template <typename Payload>
  std::vector<Seen<Payload>> seen_of(std::uint32_t tid) {
    return seen<Payload>([&](const event::Meta& meta, const Payload&) { return meta.tid == tid; });
  }
  // Drains until `count` records of a thread have come; false if they do not.
  template <typename Payload>
  bool await_records_of(std::uint32_t tid, std::size_t count) {
    return eventually([&] {
      drain();
      return seen_of<Payload>(tid).size() >= count;
    });
  }

  std::uint64_t counter(isoscope_counter which) { return probe_->read_counters().at(which); }
  std::optional<isoscope_sched_cell> counters_of(std::uint64_t cgroup_id);
  // Waits until a cgroup's counters are what the kernel counted for its processes, to the last switch. Both
  // still grow a little when a process was seen to end: it is a zombie before it leaves its processor for
  // good.
  void expect_switches(std::uint64_t cgroup_id, const std::function<SwitchCounts()>& by_kernel);
  // made == handled + dropped in every class. For a detached probe.
  void expect_ledger_closed();

 private:
  void take(std::span<const std::byte> bytes);

  std::optional<probe::Probe> probe_;
  std::vector<event::Record> records_;
  std::array<std::uint64_t, ISOSCOPE_CLASS_COUNT> handled_{};
};

// Two processes in one cgroup that hand a byte to and fro on one processor, so that every round takes at
// least two switches. Their whole life is in the cgroup; both have ended, and stay zombies with the object.
class PingPong {
 public:
  PingPong(int cgroup, int rounds);
  // False if they could not do it.
  [[nodiscard]] bool await_end() const;
  SwitchCounts switches() const;

 private:
  Gate ping_;
  Gate pong_;
  Child server_;
  Child client_;
};

}  // namespace isoscope::live
