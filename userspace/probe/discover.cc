// SPDX-License-Identifier: Apache-2.0
#include "probe/discover.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <sstream>
#include <string_view>

#include "base/unique_fd.h"
#include "kernel/tracepoint_format.h"

namespace isoscope::probe {

namespace {

namespace fs = std::filesystem;
using base::UniqueFd;

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> missing_capabilities() {
  // CAP_SYS_ADMIN: libbpf walks the BTF of every module, and object ids are open to that capability alone.
  struct Needed {
    int number;
    const char* name;
  };
  constexpr std::array needed{Needed{CAP_BPF, "CAP_BPF"}, Needed{CAP_PERFMON, "CAP_PERFMON"},
                              Needed{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}};
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  std::vector<std::string> missing;
  if (::syscall(SYS_capget, &header, sets.data()) != 0) {
    return missing;
  }
  for (const Needed& capability : needed) {
    const auto word = static_cast<std::size_t>(capability.number) / 32;
    if ((sets.at(word).effective & (1U << (capability.number % 32))) == 0) {
      missing.emplace_back(capability.name);
    }
  }
  return missing;
}

// The bracketed word of `none [integrity] confidentiality`.
std::string lockdown() {
  const std::string text = read_file("/sys/kernel/security/lockdown");
  const std::size_t open = text.find('[');
  const std::size_t close = text.find(']');
  return open == std::string::npos || close == std::string::npos ? ""
                                                                 : text.substr(open + 1, close - open - 1);
}

bool bpf_syscall_works() {
  bpf_insn program[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const UniqueFd fd(bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "isoscope_probe", "GPL", program, 2, nullptr));
  return static_cast<bool>(fd);
}

// Number of arguments of a tp_btf tracepoint, the leading `void *` not counted; -1 if BTF does not know it.
int tracepoint_arguments(const btf* types, const char* tracepoint) {
  const std::string name = std::string("btf_trace_") + tracepoint;
  const int id = btf__find_by_name_kind(types, name.c_str(), BTF_KIND_TYPEDEF);
  if (id < 0) {
    return -1;
  }
  const btf_type* type = btf__type_by_id(types, btf__type_by_id(types, static_cast<__u32>(id))->type);
  const btf_type* prototype = btf__type_by_id(types, type->type);
  return btf_is_func_proto(prototype) ? static_cast<int>(btf_vlen(prototype)) - 1 : -1;
}

bool has_member(const btf* types, const char* structure, const char* member) {
  const int id = btf__find_by_name_kind(types, structure, BTF_KIND_STRUCT);
  if (id < 0) {
    return false;
  }
  const btf_type* type = btf__type_by_id(types, static_cast<__u32>(id));
  const std::span<const btf_member> members(btf_members(type), btf_vlen(type));
  return std::any_of(members.begin(), members.end(), [&](const btf_member& one) {
    return std::string_view(btf__name_by_offset(types, one.name_off)) == member;
  });
}

// Whether fentry works on a function is known for sure only by loading and attaching: kernels differ in
// configuration and in which functions their compiler left whole.
bool fentry_works(const btf* types, const char* function) {
  // With this switch off everything attaches, and nothing is ever called.
  if (read_file("/proc/sys/kernel/ftrace_enabled").starts_with("0")) {
    return false;
  }
  const int id = btf__find_by_name_kind(types, function, BTF_KIND_FUNC);
  if (id < 0) {
    return false;
  }
  bpf_insn program[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  bpf_prog_load_opts options{};
  options.sz = sizeof options;
  options.expected_attach_type = BPF_TRACE_FENTRY;
  options.attach_btf_id = static_cast<__u32>(id);
  const UniqueFd fd(bpf_prog_load(BPF_PROG_TYPE_TRACING, "isoscope_probe", "GPL", program, 2, &options));
  if (!fd) {
    return false;
  }
  return static_cast<bool>(UniqueFd(bpf_raw_tracepoint_open(nullptr, fd.get())));
}

// That these functions can be hooked is taken from the two that were tried: none of them is special.
kernel::AccessHooks access_hooks(const btf* types, bool fentry) {
  const auto has = [&](const char* function) {
    return fentry && btf__find_by_name_kind(types, function, BTF_KIND_FUNC) > 0;
  };
  return {.ptrace = has("security_ptrace_access_check"),
          .unix_connect = has("security_unix_stream_connect"),
          .file_receive = has("security_file_receive"),
          .release_agent = has("cgroup_release_agent_write"),
          .core_pattern = has("proc_dostring_coredump"),
          .usermode_helper = has("call_usermodehelper_exec"),
          .module_load = tracepoint_arguments(types, "module_load") > 0,
          .bpf = has("security_bpf")};
}

kernel::AttemptHooks attempt_hooks(const btf* types, bool fentry) {
  const auto has = [&](const char* function) {
    return btf__find_by_name_kind(types, function, BTF_KIND_FUNC) > 0;
  };
  const bool there = fentry && has("__x64_sys_setns") && has("__x64_sys_unshare") && has("kernel_clone");
  return {.there = there, .of_32_bits = there && has("__ia32_sys_setns") && has("__ia32_sys_unshare")};
}

void discover_types(kernel::Features& features) {
  const Btf types(btf__load_vmlinux_btf());
  if (!types) {
    features.btf = false;
    return;
  }
  const int switch_arguments = tracepoint_arguments(types.get(), "sched_switch");
  features.switch_has_state = switch_arguments >= 4;
  features.scheduler_tracepoints = switch_arguments >= 3 &&
                                   tracepoint_arguments(types.get(), "sched_process_fork") > 0 &&
                                   tracepoint_arguments(types.get(), "sched_process_exec") > 0 &&
                                   tracepoint_arguments(types.get(), "sched_process_exit") > 0;
  features.delayed_dequeue = has_member(types.get(), "sched_entity", "sched_delayed");
  features.cgroup_tracepoints = tracepoint_arguments(types.get(), "cgroup_mkdir") > 0 &&
                                tracepoint_arguments(types.get(), "cgroup_rmdir") > 0 &&
                                tracepoint_arguments(types.get(), "cgroup_attach_task") > 0;
  features.rdonly_cast = btf__find_by_name_kind(types.get(), "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
  if (features.missing_capabilities.empty() && features.bpf_syscall) {
    features.fentry_switch_task_namespaces = fentry_works(types.get(), "switch_task_namespaces");
    features.fentry_perf_event_namespaces = fentry_works(types.get(), "perf_event_namespaces");
  }
  // Where a program of this kind is attached to (DEFINE_BPF_ITER_FUNC).
  features.task_iterator = btf__find_by_name_kind(types.get(), "bpf_iter_task", BTF_KIND_FUNC) > 0;
  // Like these: that it can be hooked is taken from the two that were tried.
  features.fexit_commit_creds =
      features.legal_paths() && btf__find_by_name_kind(types.get(), "commit_creds", BTF_KIND_FUNC) > 0;
  features.access = access_hooks(types.get(), features.legal_paths());
  features.attempts = attempt_hooks(types.get(), features.legal_paths());
}

std::string tracefs_root() {
  for (const char* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    if (exists(std::string(root) + "/events")) {
      return root;
    }
  }
  return "";
}

// A vendor module that is loaded, or built in. Its types stand in a BTF of its own or, built in, in vmlinux'.
struct Vendor {
  const char* module;
  const char* vcpu_struct;
  kernel::KvmVendor vendor;
};
constexpr std::array vendors{Vendor{"kvm_amd", "vcpu_svm", kernel::KvmVendor::svm},
                             Vendor{"kvm_intel", "vcpu_vmx", kernel::KvmVendor::vmx},
                             Vendor{"kvm_pvm", "vcpu_pvm", kernel::KvmVendor::other}};

}  // namespace

std::optional<kernel::CgroupHierarchy> discover_cgroups() {
  const std::string mountinfo = read_file("/proc/self/mountinfo");
  const auto unified = kernel::find_cgroup_mount(mountinfo, kernel::CgroupController::unified);
  const std::string controllers = unified ? read_file(unified->point + "/cgroup.controllers") : "";
  return kernel::choose_hierarchy(mountinfo, controllers, read_file("/proc/self/cgroup"));
}

kernel::KvmFeatures discover_kvm() {
  kernel::KvmFeatures kvm;
  kvm.loaded = exists("/sys/module/kvm");
  if (!kvm.loaded) {
    return kvm;
  }
  kvm.tracepoint_types = exists("/sys/kernel/btf/kvm") || !exists("/sys/module/kvm/initstate");
  for (const Vendor& candidate : vendors) {
    const std::string module = std::string("/sys/module/") + candidate.module;
    // Built into the kernel, every vendor has a folder; only one that drives the CPU has the device.
    const bool built_in = !exists(module + "/initstate");
    if (!exists(module) || (built_in && !exists("/dev/kvm"))) {
      continue;
    }
    if (!built_in && read_file(module + "/initstate") != "live\n") {
      continue;
    }
    kvm.vendor = candidate.vendor;
    kvm.vendor_module = candidate.module;
    kvm.vcpu_types = built_in || exists(std::string("/sys/kernel/btf/") + candidate.module);
    break;
  }
  const std::string root = tracefs_root();
  if (!root.empty()) {
    kvm.classic = kernel::parse_kvm_formats(read_file(root + "/events/kvm/kvm_exit/format"),
                                            read_file(root + "/events/kvm/kvm_vcpu_wakeup/format"));
  }
  return kvm;
}

// Its folder in sysfs is made anew each time, and the inode number not used again.
std::uint64_t module_instance(const std::string& module) {
  struct stat status {};
  return ::stat(("/sys/module/" + module).c_str(), &status) == 0 ? status.st_ino : 0;
}

// By the names in the module's BTF alone: libbpf would parse the kernel's as well, which takes a while, and
// what these hooks pass is not looked at or has not changed since they were made.
kernel::KvmHooks discover_kvm_hooks(const kernel::KvmFeatures& kvm, bool fentry) {
  kernel::KvmHooks hooks;
  if (!kvm.tracepoint_types) {
    const std::string events = tracefs_root() + "/events/kvm/";
    hooks.userspace_exit = exists(events + "kvm_userspace_exit");
    hooks.vcpu_wakeup = exists(events + "kvm_vcpu_wakeup");
    hooks.nested_vmexit = exists(events + "kvm_nested_vmexit");
    return hooks;
  }
  const std::string module = "/sys/kernel/btf/kvm";
  const std::string types = read_file(exists(module) ? module : "/sys/kernel/btf/vmlinux");
  const auto has = [&](const std::string& name) {
    return types.find('\0' + name + '\0') != std::string::npos;
  };
  hooks.userspace_exit = has("btf_trace_kvm_userspace_exit");
  hooks.vcpu_wakeup = has("btf_trace_kvm_vcpu_wakeup");
  hooks.nested_vmexit = has("btf_trace_kvm_nested_vmexit");
  hooks.run_start = fentry && has("kvm_arch_vcpu_ioctl_run");
  return hooks;
}

kernel::Features discover() {
  kernel::Features features;
  utsname names{};
  ::uname(&names);
  features.release = names.release;
  features.missing_capabilities = missing_capabilities();
  features.bpf_syscall = !features.missing_capabilities.empty() || bpf_syscall_works();
  features.lockdown = lockdown();
  features.btf = exists("/sys/kernel/btf/vmlinux");
  if (features.btf) {
    discover_types(features);
  }
  features.tracefs = !tracefs_root().empty();
  features.cgroups = discover_cgroups();
  features.kvm = discover_kvm();
  features.kvm.hooks = discover_kvm_hooks(features.kvm, features.legal_paths());
  return features;
}

std::string libbpf_version() {
  return std::to_string(libbpf_major_version()) + "." + std::to_string(libbpf_minor_version());
}

}  // namespace isoscope::probe
