// SPDX-License-Identifier: Apache-2.0
#include "sink/table_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "base/text.h"
#include "event/reason.h"
#include "policy/breach.h"
#include "policy/facts.h"
#include "sink/text.h"

namespace isoscope::sink {

namespace {

constexpr std::size_t name_width = 40;
constexpr std::size_t path_width = 80;
constexpr std::size_t message_width = 200;
constexpr std::size_t ancestors_shown = 8;
constexpr std::size_t id_width = 12;  // as container runtimes shorten theirs

std::string name_of(std::string_view name, std::size_t width = name_width) {
  return fit(name, width, false);
}

std::string means(event::Mechanism mechanism) {
  switch (mechanism) {
    case event::Mechanism::unknown:
      return "by an unknown way";
    case event::Mechanism::none:
      return "without a system call";  // tampering with kernel memory
    case event::Mechanism::cgroup_attach:
      return "by a cgroup move";
    case event::Mechanism::clone_into_cgroup:
      return "by a clone into another cgroup";
    case event::Mechanism::setns:
    case event::Mechanism::unshare:
    case event::Mechanism::clone:
      break;
  }
  return fmt::format("by {}", event::to_string(mechanism));
}

// `container web -> host by setns: mnt 4026532201 -> 4026531841 (host), pid 123 (nsenter)`
std::string describe_move(const policy::Crossing& crossing) {
  std::string text = fmt::format("{} -> {} {}:", unit_label(crossing.from), unit_label(crossing.to),
                                 means(crossing.mechanism));
  for (const policy::NamespaceMove& move : crossing.moves) {
    text += fmt::format(" {} {} -> {} ({}),", event::to_string(move.type), move.from, move.to,
                        move.to_is_new ? "new" : unit_label(move.to_owner));
  }
  if (!crossing.to_cgroup.empty()) {
    text += fmt::format(" to cgroup {},", name_of(crossing.to_cgroup, path_width));
  }
  return text + fmt::format(" pid {} ({})", crossing.process.pid, name_of(crossing.process.comm));
}

// `container web -> host by signal 9: pid 77, by pid 123 (sh)`
std::string describe_reach(const policy::Access& access) {
  const policy::Facts facts = policy::facts_of(access);
  std::string text =
      fmt::format("{} -> {} by {}", unit_label(access.from), unit_label(access.to), facts.action);
  if (access.kind == event::AccessKind::signal) {
    text += fmt::format(" {}", access.detail);
  }
  const char* separator = ": ";
  if (access.target_pid != 0) {
    text += fmt::format("{}pid {}", std::exchange(separator, ", "), access.target_pid);
  }
  if (!access.path.empty()) {
    text += fmt::format("{}{}", std::exchange(separator, ", "), name_of(access.path, path_width));
  }
  if (access.error != 0) {
    text += fmt::format("{}refused with errno {}", std::exchange(separator, ", "), access.error);
  }
  return text + fmt::format("{}by pid {} ({})", separator, access.process.pid, name_of(access.process.comm));
}

// `container web broke I3, a set of capabilities grew: bounding 00000000a80425fb -> 000001ffffffffff, pid 123
// (sh)`
std::string describe_break(const policy::Breach& breach) {
  std::string text = fmt::format("{} broke {}, {}:", unit_label(breach.from),
                                 event::to_string(breach.invariant), policy::describe(breach.invariant));
  if (breach.set != event::CapabilitySet::none) {
    text += fmt::format(" {} {:016x} -> {:016x},", event::to_string(breach.set), breach.before, breach.now);
  } else if (breach.before != breach.now) {
    text += fmt::format(" {} -> {},", breach.before, breach.now);
  }
  return text + fmt::format(" pid {} ({})", breach.process.pid, name_of(breach.process.comm));
}

std::string describe_event(const policy::Event& event) {
  struct Words {
    std::string operator()(const policy::Crossing& crossing) const { return describe_move(crossing); }
    std::string operator()(const policy::Access& access) const { return describe_reach(access); }
    std::string operator()(const policy::Breach& breach) const { return describe_break(breach); }
  };
  return std::visit(Words{}, event);
}

}  // namespace

std::string unit_label(const identity::UnitRef& unit) {
  if (unit.kind == identity::UnitKind::host) {
    return "host";
  }
  return fmt::format("{} {}", identity::to_string(unit.kind), name_of(unit.name));
}

std::string describe(const VmExitReport& report) {
  const event::VmExit& exit = report.exit;
  const auto time = [](std::uint64_t ns) { return human_duration(static_cast<double>(ns)); };
  std::string text = fmt::format("exit       vm {} vcpu {}: {} {}", name_of(report.vm.name), exit.vcpu_id,
                                 event::reason_name(exit.isa, exit.reason), time(exit.duration_ns));
  const std::pair<const char*, std::uint64_t> parts[] = {{"kernel", exit.split.kernel_ns(exit.duration_ns)},
                                                         {"userspace", exit.split.userspace_ns},
                                                         {"preempted", exit.split.preempted_ns},
                                                         {"halted", exit.split.halted_ns}};
  const char* separator = ": ";
  for (const auto& [name, ns] : parts) {
    if (ns > 0 && ns < exit.duration_ns) {
      text += fmt::format("{}{} {}", std::exchange(separator, ", "), name, time(ns));
    } else if (ns > 0) {
      text += fmt::format(", {}", name);
    }
  }
  if (exit.guest_rip != 0) {
    text += fmt::format(", rip {:#x}", exit.guest_rip);
  }
  return text;
}

std::string describe(const SwitchReport& report) {
  std::string text =
      fmt::format("switch     cpu {}: {} tid {} -> {} tid {}, {} after {}", report.meta.cpu,
                  unit_label(report.prev), report.meta.tid, unit_label(report.next), report.change.next_tid,
                  report.change.voluntary ? "voluntary" : "involuntary",
                  human_duration(static_cast<double>(report.change.ran_ns)));
  if (report.change.next_waited_ns != 0) {
    text +=
        fmt::format(", which waited {}", human_duration(static_cast<double>(report.change.next_waited_ns)));
  }
  return text;
}

std::string describe(const UnitReport& report) {
  const identity::Unit& unit = report.unit;
  std::string text = fmt::format("unit       {} {}", unit_label(unit.ref), identity::to_string(unit.state));
  if (unit.ref.id != unit.ref.name && unit.ref.id != unit.cgroup_path) {
    const std::size_t width = unit.ref.kind == identity::UnitKind::container ? id_width : name_width;
    text += fmt::format(", id {}", base::printable(std::string_view(unit.ref.id).substr(0, width)));
  }
  if (!unit.metadata.image.empty()) {
    text += fmt::format(", image {}", name_of(unit.metadata.image, path_width));
  }
  if (unit.parent) {
    text += fmt::format(", in {}", unit_label(*unit.parent));
  }
  if (!unit.cgroup_path.empty()) {
    text += fmt::format(", cgroup {}", name_of(unit.cgroup_path, path_width));
  }
  return text;
}

std::string describe(const CgroupReport& report) {
  const std::string path =
      report.path.empty() ? fmt::format("id {}", report.cgroup_id) : name_of(report.path, path_width);
  switch (report.action) {
    case CgroupReport::Action::made:
      return fmt::format("cgroup     {} made by pid {}", path, report.meta.tgid);
    case CgroupReport::Action::removed:
      return fmt::format("cgroup     {} removed by pid {}", path, report.meta.tgid);
    case CgroupReport::Action::attached:
      break;
  }
  return fmt::format("cgroup     {} gets tid {} of pid {}, moved by pid {}", path, report.moved_tid,
                     report.moved_pid, report.meta.tgid);
}

std::string describe(const policy::Crossing& crossing) {
  return fmt::format("crossing   {}: {}", policy::to_string(crossing.direction), describe_move(crossing));
}

std::string describe(const policy::Access& access) {
  return fmt::format("{}     {}: {}", access.error == 0 ? "access " : "attempt",
                     policy::to_string(access.direction), describe_reach(access));
}

std::string describe(const policy::Breach& breach) {
  return fmt::format("breach     {}", describe_break(breach));
}

std::string describe(const policy::Violation& violation) {
  std::string text =
      fmt::format("{} {}/{}: {}", policy::to_string(violation.severity), name_of(violation.policy),
                  name_of(violation.rule), describe_event(violation.event));
  if (violation.suppressed > 0) {
    text += fmt::format(", suppressed {} like it", human_count(violation.suppressed));
  }
  if (violation.enforcement) {
    const bool by_kernel = violation.enforcement->by == policy::Enforcement::By::kernel;
    text += violation.enforcement->sent ? (by_kernel ? ", killed by the kernel side" : ", killed")
                                        : fmt::format(", not killed: {}", violation.enforcement->why_not);
  }
  if (violation.has_own_message) {
    text += fmt::format(": {}", name_of(violation.message, message_width));
  }
  return text;
}

std::string describe(const identity::Ancestry& ancestry) {
  const std::size_t shown = std::min(ancestry.chain.size(), ancestors_shown);
  std::string text;
  for (std::size_t i = shown; i-- > 0;) {
    const identity::Ancestor& one = ancestry.chain[i];
    const std::string_view exe = one.exe;
    const std::string_view name = exe.substr(exe.rfind('/') + 1);
    text += fmt::format("{}{}({})", text.empty() ? "" : " > ", name.empty() ? "?" : name_of(name), one.pid);
  }
  const bool is_whole = ancestry.complete && shown == ancestry.chain.size();
  return text.empty() || is_whole ? text : "... > " + text;
}

}  // namespace isoscope::sink
