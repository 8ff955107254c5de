// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <memory>

#include "abi/histogram.h"
#include "abi/knobs.h"
#include "base/result.h"
#include "kernel/features.h"
#include "probe/probe.h"

// After the ABI headers, whose structs it has as members.
#include "isoscope.skel.h"

// Private to this room: the generated skeleton, owned.
namespace isoscope::probe {

struct DestroySkeleton {
  void operator()(isoscope_bpf* skeleton) const { isoscope_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<isoscope_bpf, DestroySkeleton>;

struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, DestroyLink>;

// An opened object of our ABI version, with its knobs set and no optional program turned on.
base::Result<Skeleton> open_skeleton(const kernel::Features& features, const Options& options);

base::Result<base::Ok> load_skeleton(isoscope_bpf* skeleton, const char* what);

base::Result<Link> attach_program(bpf_program* program);

}  // namespace isoscope::probe
