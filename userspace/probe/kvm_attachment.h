// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "kernel/features.h"
#include "probe/skeleton.h"

namespace isoscope::probe {

// The kvm programs: a second instance of the object that shares every map with the first. Programs cannot be
// added to a loaded object, and the kvm modules, whose types these need, may come and go at any time.
class KvmAttachment {
 public:
  static base::Result<KvmAttachment> create(isoscope_bpf* shared, const kernel::Features& features,
                                            const kernel::KvmFeatures& kvm, const Options& options);

  const bpf_object* object() const { return skeleton_->obj; }

 private:
  KvmAttachment(Skeleton skeleton, Link on_exit, std::vector<Link> others)
      : skeleton_(std::move(skeleton)), others_(std::move(others)), on_exit_(std::move(on_exit)) {}

  // Members end in reverse order: exits first, so that every exit that was seen can still find its entry.
  Skeleton skeleton_;
  std::vector<Link> others_;
  Link on_exit_;
};

}  // namespace isoscope::probe
