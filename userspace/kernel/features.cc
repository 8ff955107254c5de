// SPDX-License-Identifier: Apache-2.0
#include "kernel/features.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <utility>

namespace isoscope::kernel {

namespace {

using base::Error;
using base::ErrorKind;

Capability exits(const KvmFeatures& kvm) {
  const std::string name = "VM exits";
  switch (kvm_path(kvm)) {
    case KvmPath::svm:
    case KvmPath::vmx:
      return {name, Availability::on,
              fmt::format("tp_btf/kvm_exit, reason from {}'s types", kvm.vendor_module)};
    case KvmPath::classic:
      return {name, Availability::degraded,
              "classic tracepoint kvm:kvm_exit, at about three times the cost: the kvm modules have no BTF"};
    case KvmPath::other:
      return {
          name, Availability::degraded,
          fmt::format("counted and timed, but without reasons: {} is neither kvm_intel nor kvm_amd, or its "
                      "types and tracefs are both missing",
                      kvm.vendor_module.empty() ? "the vendor module" : kvm.vendor_module)};
    case KvmPath::none:
      break;
  }
  if (!kvm.loaded) {
    return {name, Availability::off, "the kvm module is not loaded; attached as soon as it is"};
  }
  if (kvm.vendor == KvmVendor::none) {
    return {name, Availability::off,
            "kvm is loaded without a vendor module (kvm_intel, kvm_amd); attached when it comes"};
  }
  return {name, Availability::off,
          "the kvm modules have no BTF and tracefs is not mounted: mount it, or rebuild with "
          "CONFIG_DEBUG_INFO_BTF_MODULES"};
}

Capability exit_split(const KvmFeatures& kvm) {
  const std::string name = "VM exits divided";
  if (kvm_path(kvm) == KvmPath::none) {
    return {name, Availability::off, "VM exits are off"};
  }
  if (!kvm.hooks.userspace_exit || !kvm.hooks.vcpu_wakeup) {
    return {name, Availability::degraded,
            fmt::format("this kernel has no {}: that time counts as the kernel's",
                        kvm.hooks.userspace_exit ? "kvm_vcpu_wakeup" : "kvm_userspace_exit")};
  }
  if (!kvm.hooks.run_start) {
    return {
        name, Availability::degraded,
        "no fentry on kvm_arch_vcpu_ioctl_run: time in the VMM lasts until the entry, some 100 ns too long"};
  }
  return {name, Availability::on, "kvm_userspace_exit to KVM_RUN (fentry), kvm_vcpu_wakeup and sched_switch"};
}

Capability access_across_units(const AccessHooks& hooks) {
  const std::string name = "access across units";
  const std::pair<bool, const char*> all[] = {{hooks.ptrace, "ptrace and /proc/PID"},
                                              {hooks.unix_connect, "unix sockets"},
                                              {hooks.file_receive, "files handed over"},
                                              {hooks.release_agent, "release_agent"},
                                              {hooks.core_pattern, "core_pattern"},
                                              {hooks.usermode_helper, "usermode helpers"},
                                              {hooks.module_load, "modules"},
                                              {hooks.bpf, "bpf(2)"}};
  std::vector<std::string_view> missing;
  for (const auto& [there, what] : all) {
    if (!there) {
      missing.emplace_back(what);
    }
  }
  if (missing.empty()) {
    return {name, Availability::on,
            "signals and folders left open, and by fentry ptrace, sockets, files, helpers", Purpose::alarms};
  }
  return {
      name, Availability::degraded,
      fmt::format("signals and folders left open are seen; without hooks for {}", fmt::join(missing, ", ")),
      Purpose::alarms};
}

Capability refused_crossings(const AttemptHooks& hooks) {
  const std::string name = "crossings that are refused";
  if (!hooks.there) {
    return {
        name, Availability::off,
        "no fexit on the system calls setns, unshare and clone: those that fail leave no trace in any state",
        Purpose::attempts};
  }
  return {name, hooks.of_32_bits ? Availability::on : Availability::degraded,
          fmt::format(
              "fexit on setns, unshare and clone{}, where attempts are asked for (--events attempts); not "
              "what seccomp refuses",
              hooks.of_32_bits ? "" : " of 64-bit programs"),
          Purpose::attempts};
}

Capability units_by_cgroup(const Features& features) {
  const std::string name = "units by cgroup";
  if (!features.cgroups) {
    return {name, Availability::degraded,
            "neither cgroup v2 nor the v1 hierarchy of pids or memory is mounted: every task counts as the "
            "host's"};
  }
  if (features.cgroups->controller == CgroupController::unified) {
    return {name, Availability::on, "cgroup v2"};
  }
  return {name, Availability::degraded,
          fmt::format("cgroup v1, by the {} hierarchy at {}: v2 does not have these controllers here. What "
                      "units use (unit_resources) is read from v2 alone; boot with "
                      "systemd.unified_cgroup_hierarchy=1 for it",
                      to_string(features.cgroups->controller), features.cgroups->mount.point)};
}

Capability namespace_events(const Features& features) {
  if (features.legal_paths()) {
    return {"namespace changes by system call", Availability::on,
            "fentry on switch_task_namespaces and perf_event_namespaces: at once, with mechanism"};
  }
  return {"namespace changes by system call", Availability::off,
          "no fentry on this kernel (needs CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS and sysctl "
          "kernel.ftrace_enabled=1): crossings are found by "
          "state, "
          "at the task's next switch, exec or exit; setns and unshare cannot be told from tampering"};
}

Capability recheck(const Features& features) {
  const std::string name = "re-check after a loss";
  if (features.task_iterator) {
    return {
        name, Availability::on,
        "iter/task: when security records were dropped, the namespaces of tasks that sleep are compared, and "
        "tasks that were moved between cgroups are told of"};
  }
  return {name, Availability::off,
          "the kernel has no BPF task iterator: what was dropped is told when its task next runs"};
}

Capability invariants(const Features& features) {
  const std::string name = "invariants of tasks";
  if (features.legal_paths() && features.fexit_commit_creds) {
    return {name, Availability::on, "credentials at every commit_creds (fexit), switch, exec and exit"};
  }
  return {
      name, Availability::degraded,
      features.legal_paths()
          ? "no fexit on commit_creds: credentials are looked at when a task next switches, executes or exits"
          : "no fentry: credentials are looked at when a task next switches, executes or exits; namespaces "
            "that changed without a system call (I6) cannot be told"};
}

}  // namespace

KvmPath kvm_path(const KvmFeatures& kvm, bool guest_rip) {
  if (!kvm.loaded || kvm.vendor == KvmVendor::none) {
    return KvmPath::none;
  }
  if (kvm.tracepoint_types && kvm.vcpu_types && kvm.vendor == KvmVendor::svm) {
    return KvmPath::svm;
  }
  const bool slow = guest_rip && kvm.classic;
  if (kvm.tracepoint_types && kvm.vcpu_types && kvm.vendor == KvmVendor::vmx && !slow) {
    return KvmPath::vmx;
  }
  if (kvm.vendor != KvmVendor::other && kvm.classic) {
    return KvmPath::classic;
  }
  return kvm.tracepoint_types ? KvmPath::other : KvmPath::none;
}

base::Result<base::Ok> require(const Features& features) {
  if (!features.missing_capabilities.empty()) {
    return Error{
        ErrorKind::permission,
        fmt::format("cannot trace this kernel: the process lacks {}; run isoscope as root (sudo isoscope "
                    "...) or from its systemd unit",
                    fmt::join(features.missing_capabilities, ", "))};
  }
  if (!features.bpf_syscall) {
    return Error{ErrorKind::unsupported,
                 "cannot trace this kernel: the bpf system call is switched off (kernel built without "
                 "CONFIG_BPF_SYSCALL, or filtered by seccomp in this container)"};
  }
  if (features.lockdown == "confidentiality") {
    return Error{
        ErrorKind::unsupported,
        "cannot trace this kernel: it is locked down for confidentiality, which forbids BPF programs to "
        "read kernel memory; boot with lockdown=integrity or none"};
  }
  if (!features.btf) {
    return Error{
        ErrorKind::unsupported,
        fmt::format("cannot trace this kernel: {} has no BTF (/sys/kernel/btf/vmlinux is missing); it must "
                    "be built with CONFIG_DEBUG_INFO_BTF",
                    features.release)};
  }
  if (!features.scheduler_tracepoints) {
    return Error{
        ErrorKind::unsupported,
        fmt::format("cannot trace this kernel: the BTF of {} does not describe the scheduler's tracepoints; "
                    "Linux 5.15 or newer is needed",
                    features.release)};
  }
  return base::Ok{};
}

const char* to_string(Availability availability) {
  switch (availability) {
    case Availability::on:
      return "on";
    case Availability::degraded:
      return "degraded";
    case Availability::off:
      return "off";
  }
  return "?";
}

std::vector<Capability> explain(const Features& features) {
  std::vector<Capability> lines;
  lines.push_back(exits(features.kvm));
  lines.push_back(exit_split(features.kvm));
  lines.push_back(
      {"context switches", Availability::on,
       features.switch_has_state ? "tp_btf/sched_switch" : "tp_btf/sched_switch, state read from the task"});
  lines.push_back(
      features.cgroup_tracepoints
          ? Capability{"cgroup life cycle", Availability::on, "tp_btf/cgroup_mkdir, rmdir, attach_task"}
          : Capability{"cgroup life cycle", Availability::off,
                       "the kernel has no cgroup tracepoints: units are found at start only"});
  lines.push_back(units_by_cgroup(features));
  lines.push_back(namespace_events(features));
  lines.push_back({"namespace changes by state", Availability::on, "checked at every switch, exec and exit"});
  lines.push_back(recheck(features));
  lines.push_back(invariants(features));
  lines.push_back(access_across_units(features.access));
  lines.push_back(refused_crossings(features.attempts));
  return lines;
}

}  // namespace isoscope::kernel
