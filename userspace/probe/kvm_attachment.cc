// SPDX-License-Identifier: Apache-2.0
#include "probe/kvm_attachment.h"

#include <fmt/format.h>

#include <cerrno>

namespace isoscope::probe {

namespace {

using base::Error;
using base::ErrorKind;

struct Programs {
  bpf_program* on_entry = nullptr;
  bpf_program* on_exit = nullptr;
};

Programs programs_for(kernel::KvmPath path, const isoscope_bpf* skeleton) {
  const auto& all = skeleton->progs;
  switch (path) {
    case kernel::KvmPath::svm:
      return {all.handle_kvm_entry, all.handle_kvm_exit_svm};
    case kernel::KvmPath::vmx:
      return {all.handle_kvm_entry, all.handle_kvm_exit_vmx};
    case kernel::KvmPath::other:
      return {all.handle_kvm_entry, all.handle_kvm_exit_other};
    case kernel::KvmPath::classic:
      return {all.handle_kvm_entry_classic, all.handle_kvm_exit_classic};
    case kernel::KvmPath::none:
      break;
  }
  return {};
}

base::Result<base::Ok> share_maps(isoscope_bpf* from, isoscope_bpf* to) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, to->obj) {
    if (bpf_map__is_internal(map)) {
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
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object->obj) {
    bpf_program__set_autoload(program, false);
  }
  const Programs chosen = programs_for(kernel::kvm_path(kvm), object);
  if (chosen.on_entry == nullptr) {
    return Error{ErrorKind::unsupported, "kvm offers no way to see its exits"};
  }
  bpf_program__set_autoload(chosen.on_entry, true);
  bpf_program__set_autoload(chosen.on_exit, true);
  if (auto done = share_maps(shared, object); !done) {
    return done.error();
  }
  if (auto done = load_skeleton(object, "the kvm programs"); !done) {
    return done.error();
  }
  auto on_entry = attach_program(chosen.on_entry);
  if (!on_entry) {
    return on_entry.error();
  }
  auto on_exit = attach_program(chosen.on_exit);
  if (!on_exit) {
    return on_exit.error();
  }
  return KvmAttachment(std::move(*skeleton), std::move(*on_entry), std::move(*on_exit));
}

}  // namespace isoscope::probe
