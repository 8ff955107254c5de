// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sink/sink.h"

// One of everything that a sink takes, and a place for it to write to.
namespace isoscope::sink::samples {

// 2024-05-01T10:00:00.123456789Z at CLOCK_MONOTONIC 1000 s.
inline constexpr std::uint64_t start_ns = 1'000'000'000'000;
inline constexpr std::int64_t offset_ns = 1'714'557'600'123'456'789 - 1'000'000'000'000;

inline const Host host = {"node1", "0123456789abcdef0123456789abcdef",
                          "01234567-89ab-cdef-0123-456789abcdef"};
inline const identity::Vm web = {
    "7c1f9a52-6e0d-4a55-9b1e-2f6d3c8a9e01",
    "web",
    "7c1f9a52-6e0d-4a55-9b1e-2f6d3c8a9e01",
    "qemu",
    4100,
    5005,
    R"(/machine.slice/machine-qemu\x2d1\x2dweb.scope/libvirt/emulator)",
    identity::VmScope{identity::VmScopeKind::libvirt, R"(/machine.slice/machine-qemu\x2d1\x2dweb.scope)",
                      "web"}};
inline const identity::Vm nameless = {"pid:4200", "pid:4200", "", "small_guest", 4200};
inline const identity::UnitRef host_unit;
inline const identity::UnitRef alpha = {identity::UnitKind::container,
                                        "4f5e6d7c8b9a4f5e6d7c8b9a4f5e6d7c8b9a4f5e6d7c8b9a4f5e6d7c8b9a4f5e",
                                        "alpha"};
inline const identity::UnitRef beta = {identity::UnitKind::container, "beta", "beta"};
inline const identity::UnitRef ssh = {identity::UnitKind::service, "/system.slice/ssh.service",
                                      "ssh.service"};

inline identity::UnitRef unit_of(const identity::Vm& vm) {
  return {identity::UnitKind::vm, vm.id, vm.name};
}

inline aggregate::VmExitsRow exits(const identity::Vm& vm, std::uint32_t vcpu, std::uint32_t reason,
                                   const std::vector<std::uint64_t>& durations,
                                   std::uint64_t unfinished = 0) {
  aggregate::VmExitsRow row;
  row.vm = vm;
  row.unit = unit_of(vm);
  row.vcpu_id = vcpu;
  row.tid = vm.pid + 1 + vcpu;
  row.isa = event::Isa::svm;
  row.reason = reason;
  row.count = durations.size() + unfinished;
  for (const std::uint64_t duration : durations) {
    row.stats.add(duration);
  }
  return row;
}

inline aggregate::SchedRow sched(const identity::UnitRef& unit, std::uint64_t voluntary,
                                 std::uint64_t involuntary, std::uint64_t on_cpu_ns) {
  aggregate::SchedRow row;
  row.unit = unit;
  row.voluntary = voluntary;
  row.involuntary = involuntary;
  row.on_cpu_ns = on_cpu_ns;
  return row;
}

inline aggregate::Ledger quiet_ledger() {
  aggregate::Ledger ledger;
  ledger.classes = {
      {"security", 12, 12, 0}, {"lifecycle", 40, 40, 0}, {"exits", 0, 0, 0}, {"switches", 0, 0, 0}};
  ledger.causes = {{"task_full", 0}, {"vcpu_full", 0}};
  ledger.maps = {{"vcpus", 3, 2047}, {"exit_histograms", 17, 4096}};
  ledger.unmatched_exits = 1;
  ledger.unmatched_entries = 2;
  ledger.namespace_checks = 123'456;
  ledger.credential_checks = 1'234;
  ledger.agent_cpu_ns = 12'345'678;
  return ledger;
}

// The host, a container that is throttled, and a service of which hardly anything is known.
inline std::vector<aggregate::ResourcesRow> resources() {
  aggregate::ResourcesRow machine;
  machine.unit = host_unit;
  machine.cgroup_id = 1;
  machine.cgroup_path = "/";
  machine.span_ns = 5'000'000'000;
  machine.cpu = {7'500'000'000, 5'000'000'000, 2'500'000'000, std::nullopt};
  machine.cpu_pressure = {250'000'000, 0};
  machine.memory_pressure = {0, 0};
  machine.io_pressure = {100'000'000, 40'000'000};
  machine.memory_current = 3'221'225'472;
  machine.limits.memory_max = 8'589'934'592;
  machine.efficiency = 0.952381;
  machine.bottleneck = aggregate::Bottleneck::none;

  aggregate::ResourcesRow box = machine;
  box.unit = alpha;
  box.cgroup_id = 18'446'744'073'709'551'615U;
  box.cgroup_path = "/system.slice/docker-4f5e.scope";
  box.cpu = {1'000'000'000, 900'000'000, 100'000'000, identity::Throttling{50, 49, 4'000'000'000}};
  box.cpu_pressure = {4'001'000'000, 3'999'000'000};
  box.memory_pressure = {50'000'000, 0};
  box.memory_current = 67'108'864;
  box.memory_peak = 134'217'728;
  box.memory_events = {12, 1};
  box.io = {1'048'576, 4'194'304, 16, 64};
  box.network = {4026532301, 2'000'000, 150'000, 1'500, 1'200};
  box.limits = {200'000, 268'435'456, identity::no_limit};
  box.efficiency = 0.2;
  box.bottleneck = aggregate::Bottleneck::cpu;

  aggregate::ResourcesRow little;
  little.unit = ssh;
  little.cgroup_id = 77;
  little.cgroup_path = ssh.id;
  little.span_ns = 15'000'000'000;
  little.cpu = {40'000, 30'000, 10'000, std::nullopt};
  little.limits.cpu_millionths = identity::no_limit;
  return {machine, box, little};
}

// Of a kernel without fentry, on which something was lost.
inline aggregate::Invariants invariants() {
  aggregate::Invariants result;
  result.units = 3;
  result.transitions = 21;
  result.lost = 2;
  for (std::size_t i = 1; i <= event::invariants; ++i) {
    result.rows.push_back({static_cast<event::Invariant>(i), true, 1'000 + i, 0});
  }
  result.rows[5] = {event::Invariant::system_call, false, 0, 0};
  result.rows[8].breaches = 1;
  result.incomplete = 1;
  result.in_windows = {3};
  return result;
}

// Two VMs (vCPUs, halts, a reason without a name, an unfinished exit, the row of others) and three units.
inline aggregate::Snapshot window() {
  aggregate::Snapshot snapshot;
  snapshot.window = 3;
  snapshot.start_mono_ns = start_ns;
  snapshot.end_mono_ns = start_ns + 5'000'000'000;
  snapshot.vm_exits = {
      exits(web, 0, 0x400, {1'000, 1'200, 1'500, 40'000}),
      exits(web, 1, 0x400, {2'000, 2'500}),
      exits(web, 0, 0x7b, {12'000, 15'000}),
      exits(web, 0, 0x78, {4'000'000'000}, 1),
      exits(web, 1, 0x1ff, {700}),
      exits(nameless, 0, 0x7b, {3'000}),
  };
  snapshot.vm_exits[0].split.preempted_ns = 30'000;
  snapshot.vm_exits[2].split = {.halted_ns = 1'000, .userspace_ns = 20'000, .preempted_ns = 2'000};
  snapshot.vm_exits[3].split = {.halted_ns = 3'999'000'000, .userspace_ns = 0, .preempted_ns = 900'000};
  snapshot.vm_exits[5].nested = 1;
  aggregate::VmExitsRow other = exits(web, 1, 0, {});
  other.other = true;
  other.count = 9;
  other.stats.count = 8;
  other.stats.sum_ns = 24'000;
  snapshot.vm_exits.push_back(other);
  snapshot.sched = {sched(host_unit, 900, 100, 250'000'000), sched(alpha, 1'234'567, 8'901, 3'210'000'000),
                    sched(ssh, 12, 0, 40'000), sched(unit_of(web), 300, 40, 1'500'000'000)};
  aggregate::SchedRow& of_alpha = snapshot.sched[1];
  of_alpha.threads = 7;
  of_alpha.wakeups = 1'234'000;
  of_alpha.migrations = 21;
  for (const std::uint64_t waited_ns : {1'000U, 1'200U, 2'500U, 40'000U, 900'000'000U}) {
    of_alpha.run_queue.add(waited_ns);
  }
  of_alpha.preempted_ns = 800'000'000;
  of_alpha.preempted_by = {{unit_of(web), 300, 700'000'000}, {std::nullopt, 12, 90'000'000}};
  snapshot.sched[3].steal_ns = 30'900'000;
  snapshot.sched[3].preempted_ns = 700'000'000;
  snapshot.sched[3].preempted_by = {{alpha, 40, 650'000'000}, {host_unit, 3, 50'000'000}};
  snapshot.resources = resources();
  snapshot.invariants = invariants();
  snapshot.ledger = quiet_ledger();
  return snapshot;
}

inline aggregate::Snapshot summary() {
  aggregate::Snapshot snapshot = window();
  snapshot.window = 0;
  snapshot.end_mono_ns = start_ns + 65'000'000'000;
  return snapshot;
}

inline policy::Crossing escape() {
  policy::Crossing crossing;
  crossing.ts_mono_ns = start_ns + 1'500'000'000;
  crossing.process = {5120,
                      5121,
                      5100,
                      0,
                      "nsenter",
                      "/usr/bin/nsenter",
                      77'000'000'000,
                      0x1ffffffffff,
                      event::Exe{.inode = 131'204, .device = 259U << 20 | 1}};
  crossing.ancestry = {{{5100, 76'990'000'000, "/bin/sh"},
                        {812, 12'340'000'000, "/usr/bin/containerd-shim"},
                        {1, 10'000'000, "/usr/lib/systemd/systemd"}},
                       true};
  crossing.from = alpha;
  crossing.to = host_unit;
  crossing.direction = policy::Direction::escape;
  crossing.mechanism = event::Mechanism::setns;
  crossing.moves = {
      {event::NamespaceType::mnt, 4026532201, 4026531841, host_unit, false, policy::Direction::escape},
      {event::NamespaceType::net, 4026532301, 4026532999, {}, true, policy::Direction::nest}};
  return crossing;
}

inline policy::Violation violation() {
  policy::Violation violation;
  violation.policy = "no-escape";
  violation.rule = "escape-to-host";
  violation.message = "nsenter left alpha for host";
  violation.id = "9d4c1f2e";
  std::get<policy::Crossing>(violation.event) = escape();
  return violation;
}

// The last of many, of a rule with a message of its own.
inline policy::Violation folded() {
  policy::Violation violation = samples::violation();
  violation.policy = "mine";
  violation.severity = policy::Severity::low;
  violation.message = "somebody left";
  violation.has_own_message = true;
  violation.suppressed = 1'234;
  violation.enforcement = policy::Enforcement{.why_not = "it was gone already"};
  return violation;
}

inline policy::Violation audit() {
  policy::Violation violation = samples::violation();
  violation.effect = policy::Effect::audit;
  return violation;
}

// A process moved out of its container's cgroup.
inline policy::Crossing cgroup_move() {
  policy::Crossing crossing = escape();
  crossing.direction = policy::Direction::leave_cgroup;
  crossing.mechanism = event::Mechanism::cgroup_attach;
  crossing.to = ssh;
  crossing.moves.clear();
  crossing.to_cgroup = "/system.slice/ssh.service";
  return crossing;
}

inline event::Meta meta() {
  return {start_ns + 2'000'000'000, 4711, 4100, 4101, 1};
}

inline VmExitReport vm_exit() {
  const event::Split split{.halted_ns = 0, .userspace_ns = 970'000, .preempted_ns = 20'000};
  return {meta(),
          {start_ns + 1'999'000'000, 1'000'000, split, 0xffff'ffff'8100'2a3b, 1, event::Isa::vmx, 48},
          web,
          unit_of(web)};
}

inline SwitchReport context_switch() {
  return {meta(), {1'234'567, 4712, 5120, 5121, 1, true}, ssh, alpha};
}

inline UnitReport unit_started() {
  identity::Unit unit;
  unit.ref = alpha;
  unit.state = identity::UnitState::started;
  unit.cgroup_id = 18'446'744'073'709'551'615U;
  unit.cgroup_path = "/system.slice/docker-4f5e.scope";
  unit.namespaces.inum = {4026532201, 4026532202, 4026532203, 4026532301,
                          4026532204, 4026532205, 0,          4026531837};
  return {start_ns + 250'000'000, unit};
}

// Of a container in a pod, when its runtime had told who it is.
inline UnitReport unit_updated() {
  UnitReport report = unit_started();
  report.ts_mono_ns += 2'000'000'000;
  identity::Unit& unit = report.unit;
  unit.ref.name = "web-0/alpha";
  unit.state = identity::UnitState::updated;
  unit.parent = {identity::UnitKind::pod, "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55", "web-0"};
  unit.metadata = {.runtime = "containerd",
                   .container = "alpha",
                   .image = "docker.io/library/alpha:1.2",
                   .pod_name = "web-0",
                   .pod_namespace = "shop",
                   .pod_uid = "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55",
                   .labels = {{"app", "shop"}, {"example.com/tier", "\"front\"\n"}}};
  return report;
}

inline CgroupReport cgroup(CgroupReport::Action action) {
  return {meta(), action, 4712, action == CgroupReport::Action::removed ? "" : "/alpha", 5120, 5121};
}

inline policy::Access access() {
  policy::Access access;
  static_cast<policy::Incident&>(access) = escape();
  access.kind = event::AccessKind::signal;
  access.detail = 9;
  access.target_pid = 812;
  return access;
}

inline policy::Access attempt() {
  policy::Access attempt = access();
  attempt.kind = event::AccessKind::unix_connect;
  attempt.path = "/run/docker.sock";
  attempt.error = 13;
  attempt.target_pid = 0;
  return attempt;
}

inline policy::Violation access_violation() {
  policy::Violation violation = samples::violation();
  violation.rule = "signal-across";
  violation.severity = policy::Severity::high;
  violation.event = access();
  return violation;
}

inline policy::Breach breach() {
  policy::Breach breach;
  static_cast<policy::Incident&>(breach) = escape();
  breach.to = breach.from;
  breach.direction = policy::Direction::own;
  breach.invariant = event::Invariant::capabilities;
  breach.set = event::CapabilitySet::bounding;
  breach.before = 0xa80425fb;
  breach.now = 0x1ffffffffff;
  breach.seen_at = event::SeenAt::context_switch;
  return breach;
}

inline policy::Breach breach_of_pid() {
  policy::Breach breach = samples::breach();
  breach.invariant = event::Invariant::pid_namespace;
  breach.set = event::CapabilitySet::none;
  breach.before = 4026532204;
  breach.now = 4026531836;
  return breach;
}

inline policy::Violation breach_violation() {
  policy::Violation violation = samples::violation();
  violation.rule = "broken-invariant";
  violation.message = "nsenter of alpha broke I9";
  policy::Breach breach = samples::breach();
  breach.invariant = event::Invariant::initial_credentials;
  breach.set = event::CapabilitySet::none;
  breach.before = breach.now = 0;
  violation.event = breach;
  return violation;
}

inline std::vector<Report> streamed() {
  return {unit_started(),
          vm_exit(),
          context_switch(),
          cgroup(CgroupReport::Action::made),
          cgroup(CgroupReport::Action::attached),
          cgroup(CgroupReport::Action::removed),
          escape(),
          cgroup_move(),
          violation(),
          unit_updated(),
          folded(),
          audit(),
          access(),
          attempt(),
          access_violation(),
          breach(),
          breach_of_pid(),
          breach_violation()};
}

// A file of its own, gone with the object.
class Scratch {
 public:
  Scratch() {
    std::string path = "/tmp/isoscope_sink_XXXXXX";
    const int fd = ::mkstemp(path.data());
    if (fd < 0) {
      throw std::runtime_error("no temporary file");
    }
    ::close(fd);
    path_ = path;
  }
  ~Scratch() { ::unlink(path_.c_str()); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  std::string text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_;
};

// Times of day in golden files are UTC wherever the tests run.
inline void use_utc() {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
}

// What a sink of this format writes for the reports, and for the end of the run if `end` is given.
inline std::string written(config::Format format, const std::vector<Report>& reports,
                           const aggregate::Snapshot* end = nullptr, Settings settings = {}) {
  use_utc();
  const base::WallClock clock(offset_ns);
  const Scratch scratch;
  auto output = open_output({scratch.path(), format});
  if (!output) {
    throw std::runtime_error(output.error().message);
  }
  settings.host = host;
  const std::unique_ptr<Sink> sink = make_sink(format, std::move(*output), clock, settings);
  for (const Report& report : reports) {
    sink->take(report);
  }
  sink->flush();
  if (end != nullptr) {
    sink->finish(*end);
  }
  return scratch.text();
}

// The golden file of this name. With ISOSCOPE_UPDATE_GOLDEN in the environment it is written first: look at
// the difference before you commit it.
inline std::string golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(ISOSCOPE_TEST_DATA) + "/golden/" + name;
  if (std::getenv("ISOSCOPE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << actual;
  }
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace isoscope::sink::samples
