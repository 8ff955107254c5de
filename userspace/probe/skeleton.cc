// SPDX-License-Identifier: Apache-2.0
#include "probe/skeleton.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "abi/knobs.h"
#include "probe/libbpf_log.h"

namespace isoscope::probe {

using base::Error;
using base::ErrorKind;

namespace {

std::uint8_t number_of(kernel::CgroupController controller) {
  switch (controller) {
    case kernel::CgroupController::unified:
      return ISOSCOPE_CGROUP_UNIFIED;
    case kernel::CgroupController::pids:
      return ISOSCOPE_CGROUP_PIDS;
    case kernel::CgroupController::memory:
      return ISOSCOPE_CGROUP_MEMORY;
  }
  return ISOSCOPE_CGROUP_UNIFIED;
}

}  // namespace

base::Result<Skeleton> open_skeleton(const kernel::Features& features, const Options& options) {
  Skeleton skeleton(isoscope_bpf__open());
  if (!skeleton) {
    return Error{ErrorKind::failure, fmt::format("cannot open the BPF object: {}", base::errno_text(errno))};
  }
  isoscope_knobs& knobs = skeleton->rodata->knobs;
  if (knobs.abi_version != ISOSCOPE_ABI_VERSION) {
    return Error{ErrorKind::failure,
                 fmt::format("the BPF object speaks ABI version {}, this program {}: rebuild both",
                             knobs.abi_version, ISOSCOPE_ABI_VERSION)};
  }
  knobs.slow_exit_ns = options.stream_exits ? 0 : options.slow_exit_ns;
  knobs.wakeup_bytes = options.data_ring_bytes / 4;
  knobs.stream_exits = options.stream_exits || options.slow_exit_ns != 0;
  knobs.stream_switches = options.stream_switches;
  knobs.legal_paths_watched = features.legal_paths();
  knobs.has_cast = features.rdonly_cast;
  if (features.cgroups) {
    knobs.cgroup_controller = number_of(features.cgroups->controller);
    knobs.cgroup_hierarchy_id = features.cgroups->id;
  }
  knobs.host_namespaces = options.host_namespaces;
  std::memcpy(&skeleton->rodata->hist_tables, &options.histogram, sizeof(options.histogram));
  return skeleton;
}

base::Result<base::Ok> load_skeleton(isoscope_bpf* skeleton, const char* what) {
  const int error = isoscope_bpf__load(skeleton);
  if (error == 0) {
    return base::Ok{};
  }
  const std::string warning = take_libbpf_warning();
  return Error{ErrorKind::failure,
               fmt::format("the kernel refused {}: {}{}{}; run with -vv for its whole answer", what,
                           base::errno_text(-error), warning.empty() ? "" : ": ", warning)};
}

base::Result<Link> attach_program(bpf_program* program) {
  Link link(bpf_program__attach(program));
  if (!link) {
    return Error{ErrorKind::failure,
                 fmt::format("cannot attach {} ({}): {}", bpf_program__name(program),
                             bpf_program__section_name(program), base::errno_text(errno))};
  }
  return link;
}

}  // namespace isoscope::probe
