// SPDX-License-Identifier: Apache-2.0
#include "probe/probe.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <optional>
#include <utility>

#include "abi/event.h"
#include "abi/knobs.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "probe/discover.h"
#include "probe/kvm_attachment.h"
#include "probe/libbpf_log.h"
#include "probe/mapped_array.h"
#include "probe/queue_clocks.h"
#include "probe/skeleton.h"

namespace isoscope::probe {

namespace {

using base::Error;
using base::ErrorKind;
using base::Ok;
using base::Result;

struct FreeRing {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

template <typename T>
Result<MappedArray<T>> map_array(const bpf_map* map) {
  const std::uint32_t count = bpf_map__max_entries(map);
  auto mapping = Mapping::create(bpf_map__fd(map), std::size_t{count} * sizeof(T), bpf_map__name(map));
  if (!mapping) {
    return mapping.error();
  }
  return MappedArray<T>(std::move(*mapping), count);
}

// Free lists begin with every index but 0, which means "none" or "other".
Result<Ok> fill_free_list(const bpf_map* list, std::uint32_t count) {
  for (std::uint32_t index = 1; index < count; ++index) {
    if (bpf_map_update_elem(bpf_map__fd(list), nullptr, &index, BPF_ANY) != 0) {
      return Error{ErrorKind::failure, fmt::format("cannot fill the BPF map {}: {}", bpf_map__name(list),
                                                   base::errno_text(errno))};
    }
  }
  return Ok{};
}

void push_free(const bpf_map* list, std::uint32_t index) {
  if (bpf_map_update_elem(bpf_map__fd(list), nullptr, &index, BPF_ANY) != 0) {
    base::log::warning("index {} of the BPF map {} is lost: {}", index, bpf_map__name(list),
                       base::errno_text(errno));
  }
}

std::uint64_t program_misses(const bpf_object* object) {
  std::uint64_t misses = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    if (bpf_program__fd(program) >= 0 &&
        bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0) {
      misses += info.recursion_misses;
    }
  }
  return misses;
}

std::size_t possible_cpus() {
  const int cpus = libbpf_num_possible_cpus();
  return cpus > 0 ? static_cast<std::size_t>(cpus) : 1;
}

// Memory of one map as the kernel accounts it.
std::size_t accounted_bytes(int map_fd) {
  std::ifstream info(fmt::format("/proc/self/fdinfo/{}", map_fd));
  std::string key;
  std::size_t value = 0;
  while (info >> key) {
    if (key == "memlock:") {
      info >> value;
      return value;
    }
  }
  return 0;
}

// Those that this kernel can load, and that are asked for.
void choose_programs(const decltype(isoscope_bpf::progs)& programs, const kernel::Features& features,
                     const Options& options) {
  bpf_program__set_autoload(
      features.switch_has_state ? programs.handle_sched_switch : programs.handle_sched_switch_no_state, true);
  for (bpf_program* const program :
       {programs.handle_cgroup_mkdir, programs.handle_cgroup_rmdir, programs.handle_cgroup_attach_task}) {
    bpf_program__set_autoload(program, features.cgroup_tracepoints);
  }
  for (bpf_program* const program :
       {programs.handle_switch_task_namespaces, programs.handle_perf_event_namespaces}) {
    bpf_program__set_autoload(program, features.legal_paths());
  }
  for (const auto& [program, wanted] : {std::pair(programs.handle_commit_creds, features.fexit_commit_creds),
                                        {programs.handle_ptrace_access_check, features.access.ptrace},
                                        {programs.handle_unix_stream_connect, features.access.unix_connect},
                                        {programs.handle_file_receive, features.access.file_receive},
                                        {programs.handle_release_agent_write, features.access.release_agent},
                                        {programs.handle_core_pattern, features.access.core_pattern},
                                        {programs.handle_usermodehelper, features.access.usermode_helper},
                                        {programs.handle_module_load, features.access.module_load},
                                        {programs.handle_bpf, features.access.bpf}}) {
    bpf_program__set_autoload(program, wanted);
  }
  for (bpf_program* const program :
       {programs.handle_setns, programs.handle_unshare, programs.handle_kernel_clone}) {
    bpf_program__set_autoload(program, options.attempts && features.attempts.there);
  }
  for (bpf_program* const program : {programs.handle_setns_32, programs.handle_unshare_32}) {
    bpf_program__set_autoload(program, options.attempts && features.attempts.of_32_bits);
  }
  bpf_program__set_autoload(programs.handle_iter_task, features.task_iterator);
  bpf_program__set_autoload(programs.handle_sched_migrate_task, features.delayed_dequeue);
}

void size_maps(const decltype(isoscope_bpf::maps)& maps, const Options& options) {
  bpf_map__set_max_entries(maps.exit_cells, options.exit_cells + 1);
  bpf_map__set_max_entries(maps.free_exit_cells, options.exit_cells);
  bpf_map__set_max_entries(maps.sched_cells, options.accounts + 1);
  bpf_map__set_max_entries(maps.free_accounts, options.accounts);
  bpf_map__set_max_entries(maps.accounts, options.accounts);
  for (bpf_map* const by_cpu : {maps.cpu_runs, maps.cpu_clock_events}) {
    bpf_map__set_max_entries(by_cpu, static_cast<std::uint32_t>(possible_cpus()));
  }
  bpf_map__set_max_entries(maps.data, options.data_ring_bytes);
  bpf_map__set_max_entries(maps.security, options.security_ring_bytes);
}

}  // namespace

class Probe::Impl {
 public:
  static Result<std::unique_ptr<Impl>> create(const kernel::Features& features, const Options& options);

  Result<Ok> set_up_maps();
  Result<Ok> open_rings();
  static int on_record(void* context, void* bytes, std::size_t size);

  kernel::Features features;
  Options options;
  Skeleton skeleton;
  MappedArray<isoscope_vcpu> vcpus;
  MappedArray<isoscope_exit_cell> exit_cells;
  MappedArray<isoscope_sched_cell> sched_cells;
  MappedArray<isoscope_cpu_runs> cpu_runs;
  QueueClocks queue_clocks;
  const Consumer* consumer = nullptr;  // while a drain is running
  std::size_t budget = 0;              // records it may still take
  std::unique_ptr<ring_buffer, FreeRing> security;
  std::unique_ptr<ring_buffer, FreeRing> data;
  std::optional<KvmAttachment> kvm;
  std::uint64_t detached_misses = 0;  // of kvm programs that are gone
};

int Probe::Impl::on_record(void* context, void* bytes, std::size_t size) {
  auto* const impl = static_cast<Impl*>(context);
  (*impl->consumer)(std::span(static_cast<const std::byte*>(bytes), size));
  return --impl->budget > 0 ? 0 : -ECANCELED;  // libbpf counts the record as taken, and stops
}

Result<Ok> Probe::Impl::set_up_maps() {
  auto cell_array = map_array<isoscope_exit_cell>(skeleton->maps.exit_cells);
  auto sched_array = map_array<isoscope_sched_cell>(skeleton->maps.sched_cells);
  auto run_array = map_array<isoscope_cpu_runs>(skeleton->maps.cpu_runs);
  if (!cell_array) {
    return cell_array.error();
  }
  if (!sched_array) {
    return sched_array.error();
  }
  if (!run_array) {
    return run_array.error();
  }
  vcpus = MappedArray<isoscope_vcpu>(skeleton->bss->vcpus);
  exit_cells = std::move(*cell_array);
  sched_cells = std::move(*sched_array);
  cpu_runs = std::move(*run_array);
  if (auto done = fill_free_list(skeleton->maps.free_vcpus, vcpus.size()); !done) {
    return done;
  }
  if (auto done = fill_free_list(skeleton->maps.free_exit_cells, exit_cells.size()); !done) {
    return done;
  }
  return fill_free_list(skeleton->maps.free_accounts, sched_cells.size());
}

Result<Ok> Probe::Impl::open_rings() {
  security.reset(ring_buffer__new(bpf_map__fd(skeleton->maps.security), on_record, this, nullptr));
  data.reset(ring_buffer__new(bpf_map__fd(skeleton->maps.data), on_record, this, nullptr));
  if (!security || !data) {
    return Error{ErrorKind::failure,
                 fmt::format("cannot open the ring buffers: {}", base::errno_text(errno))};
  }
  return Ok{};
}

Result<std::unique_ptr<Probe::Impl>> Probe::Impl::create(const kernel::Features& features,
                                                         const Options& options) {
  bridge_libbpf_log();
  auto opened = open_skeleton(features, options);
  if (!opened) {
    return opened.error();
  }
  auto impl = std::make_unique<Impl>();
  impl->features = features;
  impl->options = options;
  impl->skeleton = std::move(*opened);
  choose_programs(impl->skeleton->progs, features, options);
  size_maps(impl->skeleton->maps, options);
  if (auto done = load_skeleton(impl->skeleton.get(), "the BPF programs"); !done) {
    return done.error();
  }
  if (auto done = impl->set_up_maps(); !done) {
    return done.error();
  }
  impl->queue_clocks = QueueClocks(impl->skeleton.get(), &impl->cpu_runs, options.hook_wakeups);
  if (auto done = impl->open_rings(); !done) {
    return done.error();
  }
  return impl;
}

Probe::Probe(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Probe::Probe(Probe&&) noexcept = default;
Probe& Probe::operator=(Probe&&) noexcept = default;
Probe::~Probe() = default;

Result<Probe> Probe::create(const kernel::Features& features, const Options& options) {
  auto impl = Impl::create(features, options);
  if (!impl) {
    return impl.error();
  }
  return Probe(std::move(*impl));
}

Result<Ok> Probe::attach() {
  if (auto chosen = impl_->queue_clocks.choose(); !chosen) {
    return chosen;
  }
  const int error = isoscope_bpf__attach(impl_->skeleton.get());
  if (error != 0) {
    const std::string warning = take_libbpf_warning();
    return Error{ErrorKind::failure,
                 fmt::format("cannot attach the BPF programs: {}{}{}", base::errno_text(-error),
                             warning.empty() ? "" : ": ", warning)};
  }
  return Ok{};
}

Result<Ok> Probe::attach_kvm(const kernel::KvmFeatures& kvm) {
  kernel::KvmFeatures with_hooks = kvm;
  with_hooks.hooks = discover_kvm_hooks(kvm, impl_->features.legal_paths());
  const auto create = [&] {
    return KvmAttachment::create(impl_->skeleton.get(), impl_->features, with_hooks, impl_->options);
  };
  auto attachment = create();
  if (!attachment && with_hooks.hooks.run_start) {
    // Whether a function can be hooked, only trying tells.
    with_hooks.hooks.run_start = false;
    attachment = create();
  }
  if (!attachment) {
    return attachment.error();
  }
  impl_->kvm.emplace(std::move(*attachment));
  return Ok{};
}

void Probe::detach_kvm() {
  if (impl_->kvm) {
    impl_->detached_misses += program_misses(impl_->kvm->object());
  }
  impl_->kvm.reset();
}

bool Probe::kvm_attached() const {
  return impl_->kvm.has_value();
}

void Probe::detach() {
  detach_kvm();
  impl_->queue_clocks = {};
  isoscope_bpf__detach(impl_->skeleton.get());
}

int Probe::ring_fd(Ring ring) const {
  return ring_buffer__epoll_fd(ring == Ring::security ? impl_->security.get() : impl_->data.get());
}

bool Probe::drain(Ring ring, const Consumer& consumer, std::size_t most) {
  impl_->consumer = &consumer;
  impl_->budget = most;
  ring_buffer__consume(ring == Ring::security ? impl_->security.get() : impl_->data.get());
  impl_->consumer = nullptr;
  return impl_->budget > 0;
}

std::vector<VcpuReading> Probe::read_vcpus() const {
  std::vector<VcpuReading> readings;
  for (std::uint32_t index = 1; index < impl_->vcpus.size(); ++index) {
    if (__atomic_load_n(&impl_->vcpus.owned(index).state, __ATOMIC_RELAXED) == ISOSCOPE_VCPU_FREE) {
      continue;
    }
    VcpuReading reading;
    reading.index = index;
    reading.vcpu = impl_->vcpus.read(index);
    for (const std::uint16_t cell : reading.vcpu.cells) {
      if (cell != 0 && cell < impl_->exit_cells.size()) {
        reading.cells.push_back(impl_->exit_cells.read(cell));
      }
    }
    readings.push_back(std::move(reading));
  }
  return readings;
}

namespace {

// Every entry of the map, taken out of it; in batches, whose hash buckets the kernel holds one at a time.
std::vector<std::pair<isoscope_preemption_key, isoscope_preemption>> take_preemptions(const bpf_map* map) {
  constexpr std::uint32_t at_once = 1024;
  std::vector<std::pair<isoscope_preemption_key, isoscope_preemption>> out;
  std::vector<isoscope_preemption_key> keys(at_once);
  std::vector<isoscope_preemption> values(at_once);
  std::uint32_t position = 0;
  for (void* from = nullptr;; from = &position) {
    std::uint32_t count = at_once;
    const int error = bpf_map_lookup_and_delete_batch(bpf_map__fd(map), from, &position, keys.data(),
                                                      values.data(), &count, nullptr);
    if (error != 0 && errno != ENOENT) {
      base::log::warning("who preempted whom cannot be read: {}", base::errno_text(errno));
      return out;
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      out.emplace_back(keys[i], values[i]);
    }
    if (error != 0) {  // ENOENT: that was the last batch
      return out;
    }
  }
}

using Runs = std::vector<isoscope_cpu_run>;

// The run that is not over, of each CPU. Its entry is written before `last` says so, and again only seven
// switches later.
Runs read_runs(const MappedArray<isoscope_cpu_runs>& cpus) {
  Runs runs;
  runs.reserve(cpus.size());
  for (std::uint32_t cpu = 0; cpu < cpus.size(); ++cpu) {
    const isoscope_cpu_runs reading = cpus.read(cpu);
    runs.push_back(reading.runs[reading.last % ISOSCOPE_CPU_RUNS]);
  }
  return runs;
}

bool same_runs(const Runs& before, const Runs& after, std::uint64_t long_before_ns) {
  return std::equal(before.begin(), before.end(), after.begin(), after.end(),
                    [&](const auto& a, const auto& b) {
                      return a.since_ns == b.since_ns || a.account == 0 || a.since_ns >= long_before_ns;
                    });
}

}  // namespace

// The counters have the runs that are over, `running` the others. One that ends between the two readings
// would be in both, or in neither: a long one has them taken again. What a short one makes of it is less than
// a millisecond, and the next window's difference evens it out.
SchedReading Probe::read_sched() const {
  constexpr std::uint64_t short_run_ns = 1'000'000;
  SchedReading reading;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const Runs before = read_runs(impl_->cpu_runs);
    reading.cells.clear();
    for (std::uint32_t index = 0; index < impl_->sched_cells.size(); ++index) {
      if (index == 0 || __atomic_load_n(&impl_->sched_cells.owned(index).account, __ATOMIC_RELAXED) != 0) {
        reading.cells.push_back(impl_->sched_cells.read(index));
      }
    }
    reading.taken_ns = base::monotonic_ns();
    reading.running = read_runs(impl_->cpu_runs);
    if (same_runs(before, reading.running, reading.taken_ns - short_run_ns)) {
      break;
    }
  }
  reading.preemptions = take_preemptions(impl_->skeleton->maps.preemptions);
  return reading;
}

// Index 0 is none, or `other`.
Probe::Capacities Probe::capacities() const {
  return {impl_->vcpus.size() - 1, impl_->exit_cells.size() - 1, impl_->sched_cells.size() - 1,
          bpf_map__max_entries(impl_->skeleton->maps.preemptions)};
}

Counters Probe::read_counters() const {
  Counters sums{};
  std::vector<std::uint64_t> values(possible_cpus());
  for (std::uint32_t key = 0; key < sums.size(); ++key) {
    if (bpf_map_lookup_elem(bpf_map__fd(impl_->skeleton->maps.counters), &key, values.data()) != 0) {
      continue;
    }
    for (const std::uint64_t value : values) {
      sums[key] += value;
    }
  }
  sums.program_misses = program_misses(impl_->skeleton->obj);
  if (impl_->kvm) {
    sums.program_misses += program_misses(impl_->kvm->object());
  }
  sums.program_misses += impl_->detached_misses;
  return sums;
}

std::uint64_t Probe::take_first_drop() {
  return __atomic_exchange_n(&impl_->skeleton->bss->recheck.dropped_since_ns, 0, __ATOMIC_ACQ_REL);
}

// The program runs within read(2), in this thread.
std::optional<RecheckPass> Probe::recheck() {
  const bpf_link* const link = impl_->skeleton->links.handle_iter_task;
  if (link == nullptr) {
    return std::nullopt;
  }
  auto& counts = impl_->skeleton->bss->recheck;
  counts.tasks = counts.found = counts.pending = 0;
  const base::UniqueFd walk(bpf_iter_create(bpf_link__fd(link)));
  std::array<char, 64> nothing{};
  ssize_t bytes = -1;
  do {
    bytes = walk ? ::read(walk.get(), nothing.data(), nothing.size()) : -1;
  } while (bytes > 0 || (bytes < 0 && (errno == EAGAIN || errno == EINTR)));
  if (bytes < 0) {
    base::log::warning("the tasks could not be walked over after a loss: {}", base::errno_text(errno));
    return std::nullopt;
  }
  return RecheckPass{counts.tasks, counts.found, counts.pending};
}

void Probe::enforce(bool on) {
  __atomic_store_n(&impl_->skeleton->bss->control.enforced, on ? 1U : 0U, __ATOMIC_RELEASE);
}

void Probe::set_enforcement(std::uint64_t cgroup_id, const isoscope_enforcement& enforcement) {
  const int map = bpf_map__fd(impl_->skeleton->maps.enforcements);
  if (bpf_map_update_elem(map, &cgroup_id, &enforcement, BPF_ANY) != 0) {
    base::log::warning("policies are enforced for cgroup {} by this process alone: {}", cgroup_id,
                       base::errno_text(errno));
  }
}

// Most have none.
void Probe::forget_enforcement(std::uint64_t cgroup_id) {
  bpf_map_delete_elem(bpf_map__fd(impl_->skeleton->maps.enforcements), &cgroup_id);
}

void Probe::begin_window(std::uint32_t window) {
  auto& control = impl_->skeleton->bss->control;
  __atomic_store_n(&control.window, window, __ATOMIC_RELAXED);
  __atomic_fetch_add(&control.epoch, 1, __ATOMIC_RELEASE);  // the programs count this up as well
  impl_->queue_clocks.watch();
}

void Probe::release_vcpu(const VcpuReading& dead) {
  for (const std::uint16_t cell : dead.vcpu.cells) {
    if (cell != 0 && cell < impl_->exit_cells.size()) {
      impl_->exit_cells.owned(cell) = isoscope_exit_cell{};
      push_free(impl_->skeleton->maps.free_exit_cells, cell);
    }
  }
  impl_->vcpus.owned(dead.index) = isoscope_vcpu{};
  push_free(impl_->skeleton->maps.free_vcpus, dead.index);
}

void Probe::release_account(std::uint64_t account) {
  const int accounts = bpf_map__fd(impl_->skeleton->maps.accounts);
  std::uint32_t index = 0;
  if (bpf_map_lookup_elem(accounts, &account, &index) != 0) {
    return;  // none of its tasks ever ran
  }
  bpf_map_delete_elem(accounts, &account);
  if ((account & ISOSCOPE_ACCOUNT_VM) != 0) {
    // It may live on without vCPUs: from the next window on its threads are charged to their cgroups again.
    const auto tgid = static_cast<std::uint32_t>(account);
    bpf_map_delete_elem(bpf_map__fd(impl_->skeleton->maps.vmms), &tgid);
  }
  impl_->sched_cells.owned(index) = isoscope_sched_cell{};
  push_free(impl_->skeleton->maps.free_accounts, index);
}

std::size_t Probe::map_bytes() const {
  std::size_t bytes = 0;
  const bpf_map* map = nullptr;
  bpf_object__for_each_map(map, impl_->skeleton->obj) {
    bytes += accounted_bytes(bpf_map__fd(map));
  }
  return bytes;
}

}  // namespace isoscope::probe
