// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/cgroup_hierarchy.h"

namespace isoscope::kernel {

// Offsets in the records of the classic tracepoints kvm:kvm_exit and kvm:kvm_vcpu_wakeup.
struct ClassicKvm {
  std::uint32_t reason_offset = 0;
  std::uint32_t vcpu_offset = 0;
  std::uint32_t isa_offset = 0;
  std::uint32_t rip_offset = 0;
  std::uint32_t wakeup_ns_offset = 0;
};

// What divides the time of an exit, and tells exits of nested guests; each may be missing.
struct KvmHooks {
  bool userspace_exit = false;
  bool vcpu_wakeup = false;
  bool nested_vmexit = false;
  bool run_start = false;  // fentry on kvm_arch_vcpu_ioctl_run
};

// What sees access across units; each may be missing. Signals are seen on every kernel.
struct AccessHooks {
  bool ptrace = false;  // fexit on security_ptrace_access_check
  bool unix_connect = false;
  bool file_receive = false;
  bool release_agent = false;
  bool core_pattern = false;
  bool usermode_helper = false;
  bool module_load = false;
  bool bpf = false;
};

// What sees setns, unshare and clone that the kernel refuses (fexit).
struct AttemptHooks {
  bool there = false;
  bool of_32_bits = false;  // also those of 32-bit system calls
};

enum class KvmVendor { none, svm, vmx, other };

// KVM as it is now; it may come and go while we run.
struct KvmFeatures {
  bool loaded = false;  // the kvm module, or KVM built in
  KvmVendor vendor = KvmVendor::none;
  std::string vendor_module;          // "kvm_amd"; empty while vendor is none
  bool tracepoint_types = false;      // BTF tells kvm_exit's arguments: tp_btf works
  bool vcpu_types = false;            // BTF tells the vendor's vCPU struct: the reason can be read from it
  std::optional<ClassicKvm> classic;  // tracefs has the classic tracepoints
  KvmHooks hooks;                     // found by probe::discover_kvm_hooks()

  friend bool operator==(const KvmFeatures& a, const KvmFeatures& b) {
    return a.loaded == b.loaded && a.vendor == b.vendor && a.tracepoint_types == b.tracepoint_types &&
           a.vcpu_types == b.vcpu_types && a.classic.has_value() == b.classic.has_value();
  }
};

// What this kernel offers us, as a plain value: found by probe::discover(), built by hand in tests.
struct Features {
  std::string release;                            // uname -r
  std::vector<std::string> missing_capabilities;  // of those we need to load
  bool bpf_syscall = false;                       // bpf(2) is built in and not switched off
  std::string lockdown;                // "none", "integrity", "confidentiality"; empty: not built in
  bool btf = false;                    // /sys/kernel/btf/vmlinux
  bool scheduler_tracepoints = false;  // tp_btf on sched_switch, fork, exec, exit
  bool switch_has_state = false;       // sched_switch carries prev_state (5.18)
  bool delayed_dequeue = false;        // tasks that sleep may stay on a run queue, and be moved (6.12)
  bool cgroup_tracepoints = false;
  bool rdonly_cast = false;  // the programs may read kernel memory by plain loads (6.2)
  bool fentry_switch_task_namespaces = false;
  bool fentry_perf_event_namespaces = false;
  bool task_iterator = false;       // a program can walk over all tasks
  bool fexit_commit_creds = false;  // else new credentials are seen at the next switch
  AccessHooks access;
  AttemptHooks attempts;
  bool tracefs = false;
  std::optional<CgroupHierarchy> cgroups;  // the hierarchy to follow; none is mounted: nothing
  KvmFeatures kvm;

  // Both hooks of the event path: a change found by state alone can then be called tampering.
  bool legal_paths() const { return fentry_switch_task_namespaces && fentry_perf_event_namespaces; }
};

enum class KvmPath { none, svm, vmx, other, classic };

// How exits are seen with these features; none if they cannot be. Where the guest was at an exit is known to
// kvm_intel only when it has read that from the VMCS, as it does for the classic tracepoint: `guest_rip`
// takes that one, at its price, where single exits are asked for.
KvmPath kvm_path(const KvmFeatures& kvm, bool guest_rip = false);

// Fails with the reason in words, and what to do, if nothing can run here: no permission first, then what the
// kernel lacks.
base::Result<base::Ok> require(const Features& features);

enum class Availability { on, degraded, off };
const char* to_string(Availability availability);

// What a capability is wanted for.
enum class Purpose {
  figures,
  alarms,   // there are fewer where it is degraded
  attempts  // which nobody looks for unasked
};

// One line of `isoscope check`.
struct Capability {
  std::string name;
  Availability state = Availability::on;
  std::string words;  // by what means, or what is missing and what that turns off
  Purpose purpose = Purpose::figures;
};

std::vector<Capability> explain(const Features& features);

}  // namespace isoscope::kernel
