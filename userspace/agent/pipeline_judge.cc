// SPDX-License-Identifier: Apache-2.0
// What a record means, what the policies say of it, and what is reported.
#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "agent/pipeline.h"
#include "base/log.h"
#include "identity/process.h"
#include "policy/access.h"
#include "policy/breach.h"
#include "policy/crossing.h"
#include "policy/facts.h"

namespace isoscope::agent {

namespace {

std::uint64_t home_cgroup_of(const event::Record& record) {
  if (const auto* const change = std::get_if<event::NamespacesChanged>(&record.payload)) {
    return change->home_cgroup_id;
  }
  if (const auto* const attached = std::get_if<event::CgroupAttached>(&record.payload)) {
    return attached->home_cgroup_id;
  }
  return record.meta.cgroup_id;
}

bool is_streamed(const policy::Event& event, const config::Streams& streams) {
  const auto* const access = std::get_if<policy::Access>(&event);
  if (access == nullptr) {
    return streams.crossings;
  }
  if (policy::is_about_namespaces(access->kind)) {
    return streams.attempts;
  }
  return streams.accesses || (streams.attempts && access->error != 0);
}

void warn_of_kill(event::Answer answer, bool is_denied, std::uint32_t pid) {
  if (answer == event::Answer::killed && !is_denied) {
    base::log::warning("the kernel side has killed process {} by policies that are not in force any more",
                       pid);
  }
}

}  // namespace

// Judged before the registry observes it: afterwards a new namespace has an owner.
void Pipeline::take_record(const event::Record& record) {
  report_units(registry_->prepare(record), record.meta.ts_ns);
  if (command_) {
    command_->observe(record, registry_->cgroups());
  }
  if (auto crossing = policy::resolve(record, *registry_)) {
    report_crossing(*std::move(crossing), home_cgroup_of(record));
  } else if (const auto* const access = std::get_if<event::Access>(&record.payload)) {
    if (auto resolved = policy::resolve_access(record.meta, with_target(*access), *registry_)) {
      report_event(*std::move(resolved), access->home_cgroup_id);
    }
  } else if (const auto* const breach = std::get_if<event::Breach>(&record.payload)) {
    if (auto resolved = policy::resolve_breach(record.meta, *breach, *registry_)) {
      const bool is_denied = report_breach(*std::move(resolved), breach->home_cgroup_id);
      warn_of_kill(breach->answer, is_denied, record.meta.tgid);
    }
  }
  std::visit([&](const auto& payload) { handle(record.meta, payload); }, record.payload);
  report_units(registry_->observe(record), record.meta.ts_ns);
  enforcement_->take(record);
}

// Where the task has never run since we came, the kernel side does not know its cgroup.
event::Access Pipeline::with_target(event::Access access) const {
  if (access.target_tgid != 0 && access.target_cgroup_id == 0) {
    const auto path = host_.cgroup_path_of(access.target_tgid);
    access.target_cgroup_id = path ? registry_->cgroups().id_of(*path) : 0;
  }
  return access;
}

// A rule may ask for what was done, or for what that breaks.
void Pipeline::report_crossing(policy::Crossing crossing, std::uint64_t cgroup_id) {
  std::vector<policy::Breach> breaches = policy::breaches_of(crossing);
  const event::Answer answer = crossing.answer;
  const std::uint32_t pid = crossing.process.pid;
  bool is_denied = report_event(std::move(crossing), cgroup_id);
  for (policy::Breach& breach : breaches) {
    is_denied |= report_breach(std::move(breach), cgroup_id);
  }
  warn_of_kill(answer, is_denied, pid);
}

bool Pipeline::report_breach(policy::Breach breach, std::uint64_t cgroup_id) {
  invariants_.breach(breach.invariant);
  return report_event(std::move(breach), cgroup_id);
}

bool Pipeline::report_event(policy::Event event, std::uint64_t cgroup_id) {
  policy::Incident& incident = std::visit([](auto& one) -> policy::Incident& { return one; }, event);
  policy::Process& process = incident.process;
  process.exe = identity::read_exe(process.pid, process.tid, process.start_boot_ns);
  if (!filter_->passes({&incident.from, nullptr, path_of(cgroup_id), process.pid})) {
    return false;
  }
  std::vector<policy::Violation> violations = guard_.judge(event);
  const bool is_enforced = std::any_of(violations.begin(), violations.end(),
                                       [](const policy::Violation& one) { return one.enforce; });
  const bool streams = is_streamed(event, config_.streams);
  if (streams || !violations.empty()) {  // what nobody is shown costs nothing
    incident.ancestry = ancestry_.read(process.pid, process.tid, process.parent_pid, process.start_boot_ns,
                                       base::monotonic_ns());
  }
  for (policy::Violation& violation : violations) {
    std::visit([&](policy::Incident& one) { one.ancestry = incident.ancestry; }, violation.event);
  }
  const bool counts = !command_ || command_->includes(cgroup_id, incident.ancestry, registry_->cgroups());
  for (const policy::Violation& violation : guard_.take(std::move(violations), counts)) {
    report(violation);
  }
  if (streams) {
    std::visit([this](const auto& one) { report(one); }, event);
  }
  return is_enforced;
}

void Pipeline::report_folded() {
  for (const policy::Violation& violation : guard_.expire(base::monotonic_ns())) {
    report(violation);
  }
}

}  // namespace isoscope::agent
