// SPDX-License-Identifier: Apache-2.0
#include "probe/kvm_attachment.h"

#include <fmt/format.h>

#include <cerrno>

namespace isoscope::probe {

namespace {

using base::Error;
using base::ErrorKind;

struct Programs {
  bpf_program* on_exit = nullptr;
  std::vector<bpf_program*> others;  // attached before it
};

Programs programs_for(kernel::KvmPath path, const kernel::KvmHooks& hooks, const isoscope_bpf* skeleton) {
  const auto& all = skeleton->progs;
  Programs chosen;
  switch (path) {
    case kernel::KvmPath::svm:
      chosen.on_exit = all.handle_kvm_exit_svm;
      break;
    case kernel::KvmPath::vmx:
      chosen.on_exit = all.handle_kvm_exit_vmx;
      break;
    case kernel::KvmPath::other:
      chosen.on_exit = all.handle_kvm_exit_other;
      break;
    case kernel::KvmPath::classic:
      chosen.on_exit = all.handle_kvm_exit_classic;
      break;
    case kernel::KvmPath::none:
      return {};
  }
  const bool classic = path == kernel::KvmPath::classic;
  const auto add = [&](bool wanted, bpf_program* fast, bpf_program* fallback) {
    if (wanted) {
      chosen.others.push_back(classic ? fallback : fast);
    }
  };
  add(true, all.handle_kvm_entry, all.handle_kvm_entry_classic);
  add(hooks.userspace_exit, all.handle_kvm_userspace_exit, all.handle_kvm_userspace_exit_classic);
  add(hooks.vcpu_wakeup, all.handle_kvm_vcpu_wakeup, all.handle_kvm_vcpu_wakeup_classic);
  add(hooks.nested_vmexit, all.handle_kvm_nested_vmexit, all.handle_kvm_nested_vmexit_classic);
  if (hooks.run_start) {
    chosen.others.push_back(all.handle_kvm_arch_vcpu_ioctl_run);
  }
  return chosen;
}

base::Result<base::Ok> share_maps(isoscope_bpf* from, isoscope_bpf* to) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, to->obj) {
    if (map == to->maps.rodata) {
      continue;  // the knobs: each instance has its own copy of the same values
    }
    const bpf_map* const shared = bpf_object__find_map_by_name(from->obj, bpf_map__name(map));
    if (shared == nullptr || bpf_map__reuse_fd(map, bpf_map__fd(shared)) != 0) {
      return Error{ErrorKind::failure, fmt::format("cannot share the BPF map {} with the kvm programs: {}",
                                                   bpf_map__name(map), base::errno_text(errno))};
    }
  }
  return base::Ok{};
}

}  // namespace

base::Result<KvmAttachment> KvmAttachment::create(isoscope_bpf* shared, const kernel::Features& features,
                                                  const kernel::KvmFeatures& kvm, const Options& options) {
  auto skeleton = open_skeleton(features, options);
  if (!skeleton) {
    return skeleton.error();
  }
  isoscope_bpf* const object = skeleton->get();
  if (kvm.classic) {
    isoscope_knobs& knobs = object->rodata->knobs;
    knobs.classic_reason_offset = kvm.classic->reason_offset;
    knobs.classic_vcpu_offset = kvm.classic->vcpu_offset;
    knobs.classic_isa_offset = kvm.classic->isa_offset;
    knobs.classic_rip_offset = kvm.classic->rip_offset;
    knobs.classic_wakeup_ns_offset = kvm.classic->wakeup_ns_offset;
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object->obj) {
    bpf_program__set_autoload(program, false);
  }
  const bool guest_rip = options.stream_exits || options.slow_exit_ns != 0;
  const Programs chosen = programs_for(kernel::kvm_path(kvm, guest_rip), kvm.hooks, object);
  if (chosen.on_exit == nullptr) {
    return Error{ErrorKind::unsupported, "kvm offers no way to see its exits"};
  }
  for (bpf_program* const one : chosen.others) {
    bpf_program__set_autoload(one, true);
  }
  bpf_program__set_autoload(chosen.on_exit, true);
  if (auto done = share_maps(shared, object); !done) {
    return done.error();
  }
  if (auto done = load_skeleton(object, "the kvm programs"); !done) {
    return done.error();
  }
  std::vector<Link> others;
  for (bpf_program* const one : chosen.others) {
    auto link = attach_program(one);
    if (!link) {
      return link.error();
    }
    others.push_back(std::move(*link));
  }
  auto on_exit = attach_program(chosen.on_exit);
  if (!on_exit) {
    return on_exit.error();
  }
  return KvmAttachment(std::move(*skeleton), std::move(*on_exit), std::move(others));
}

}  // namespace isoscope::probe
