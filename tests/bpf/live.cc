// SPDX-License-Identifier: Apache-2.0
#include "live.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <cstring>
#include <stdexcept>

#include "cgroup.h"
#include "event/decode.h"
#include "probe/discover.h"

namespace isoscope::live {

namespace {

// PROC_PID_INIT_INO of include/linux/proc_ns.h.
constexpr ino_t initial_pid_namespace = 0xeffffffc;

bool in_initial_pid_namespace() {
  struct stat info {};
  return ::stat("/proc/self/ns/pid", &info) == 0 && info.st_ino == initial_pid_namespace;
}

}  // namespace

const kernel::Features& features() {
  static const kernel::Features found = [] {
    kernel::Features here = probe::discover();
    here.cgroups = kernel::CgroupHierarchy{};
    return here;
  }();
  return found;
}

std::optional<std::string> missing_for_bpf() {
  const kernel::Features& found = features();
  if (!found.missing_capabilities.empty()) {
    return fmt::format("NOT RUN, not root: {} missing", fmt::join(found.missing_capabilities, ", "));
  }
  if (!found.bpf_syscall) {
    return "NOT RUN, no bpf(2): switched off, or not built into this kernel";
  }
  if (found.lockdown == "confidentiality") {
    return "NOT RUN, the kernel is locked down for confidentiality";
  }
  if (!found.btf) {
    return "NOT RUN, no BTF: /sys/kernel/btf/vmlinux is missing";
  }
  if (!found.scheduler_tracepoints) {
    return "NOT RUN, no tp_btf: the kernel's BTF does not describe the scheduler's tracepoints";
  }
  if (!in_initial_pid_namespace()) {
    return "NOT RUN, not in the initial pid namespace: records carry ids that this process cannot know";
  }
  return std::nullopt;
}

std::optional<std::string> missing_for_cgroups() {
  if (cgroup_mount().empty()) {
    return "NOT RUN, no cgroup v2 that can be written";
  }
  if (!features().cgroup_tracepoints) {
    return "NOT RUN, no cgroup tracepoints in the kernel's BTF";
  }
  return std::nullopt;
}

void Live::SetUp() {
  if (const auto missing = missing_for_bpf()) {
    GTEST_SKIP() << *missing;
  }
  if (const auto missing = missing_for_cgroups()) {
    GTEST_SKIP() << *missing;
  }
}

void Live::start(const probe::Options& options, const kernel::CgroupHierarchy& cgroups) {
  kernel::Features here = features();
  here.cgroups = cgroups;
  auto created = probe::Probe::create(here, options);
  if (!created) {
    throw std::runtime_error(created.error().message);
  }
  probe_.emplace(std::move(*created));
  if (auto attached = probe_->attach(); !attached) {
    throw std::runtime_error(attached.error().message);
  }
}

void Live::take(std::span<const std::byte> bytes) {
  auto record = event::decode(bytes);
  if (!record) {
    ADD_FAILURE() << record.error().message;
    return;
  }
  isoscope_event_header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  ++handled_.at(header.event_class);
  records_.push_back(std::move(*record));
}

void Live::start_among_hosts(probe::Options options) {
  struct stat info {};
  const auto inum = [&info](const char* link) {
    return ::stat(link, &info) == 0 ? static_cast<std::uint32_t>(info.st_ino) : 0;
  };
  options.host_namespaces.inum[ISOSCOPE_NS_MNT] = inum("/proc/self/ns/mnt");
  options.host_namespaces.inum[ISOSCOPE_NS_PID] = inum("/proc/self/ns/pid");
  options.host_namespaces.inum[ISOSCOPE_NS_USER] = inum("/proc/self/ns/user");
  start(options);
}

void Live::drain() {
  for (const probe::Ring ring : {probe::Ring::security, probe::Ring::data}) {
    probe_->drain(ring, [this](std::span<const std::byte> bytes) { take(bytes); });
  }
}

std::optional<isoscope_sched_cell> Live::counters_of(std::uint64_t cgroup_id) {
  for (const isoscope_sched_cell& cell : probe_->read_sched().cells) {
    if (cell.account == cgroup_id) {
      return cell;
    }
  }
  return std::nullopt;
}

void Live::expect_switches(std::uint64_t cgroup_id, const std::function<SwitchCounts()>& by_kernel) {
  SwitchCounts counted;
  const bool equal = eventually([&] {
    const auto reading = counters_of(cgroup_id);
    counted = reading ? SwitchCounts{reading->voluntary, reading->involuntary} : SwitchCounts{};
    return counted == by_kernel();
  });
  EXPECT_TRUE(equal) << "counted for the cgroup: " << counted << "; by the kernel: " << by_kernel();
}

void Live::expect_ledger_closed() {
  // A program that was running on another processor when it was detached may still be about to count.
  const auto closed = [&] {
    drain();
    const probe::Counters counters = probe_->read_counters();
    for (std::size_t i = 0; i < handled_.size(); ++i) {
      if (counters.at(ISOSCOPE_MADE_SECURITY + i) !=
          handled_.at(i) + counters.at(ISOSCOPE_DROPPED_SECURITY + i)) {
        return false;
      }
    }
    return true;
  };
  const bool does = eventually(closed);
  const probe::Counters counters = probe_->read_counters();
  for (std::size_t i = 0; !does && i < handled_.size(); ++i) {
    ADD_FAILURE() << "class " << i << ": made " << counters.at(ISOSCOPE_MADE_SECURITY + i) << ", handled "
                  << handled_.at(i) << ", dropped " << counters.at(ISOSCOPE_DROPPED_SECURITY + i);
  }
}

PingPong::PingPong(int cgroup, int rounds)
    : server_({.cgroup = cgroup},
              [&] {
                run_on(first_cpu());
                for (int i = 0; i < rounds; ++i) {
                  ping_.wait();
                  pong_.open();
                }
                return 0;
              }),
      client_({.cgroup = cgroup}, [&] {
        run_on(first_cpu());
        for (int i = 0; i < rounds; ++i) {
          ping_.open();
          pong_.wait();
        }
        return 0;
      }) {}

bool PingPong::await_end() const {
  return client_.await_end() == 0 && server_.await_end() == 0;
}

SwitchCounts PingPong::switches() const {
  SwitchCounts sum = switches_of(server_.pid());
  sum += switches_of(client_.pid());
  return sum;
}

}  // namespace isoscope::live
