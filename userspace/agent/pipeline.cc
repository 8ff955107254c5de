// SPDX-License-Identifier: Apache-2.0
#include "agent/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "agent/own_use.h"
#include "agent/version_number.h"
#include "aggregate/histogram.h"
#include "base/log.h"
#include "event/decode.h"
#include "event/reason.h"
#include "identity/host.h"
#include "identity/vm.h"
#include "probe/discover.h"

namespace isoscope::agent {

namespace {

using base::Ok;
using base::Result;

isoscope_class class_of(const event::Payload& payload) {
  struct Classes {
    isoscope_class operator()(const event::VmExit&) const { return ISOSCOPE_CLASS_EXIT; }
    isoscope_class operator()(const event::ContextSwitch&) const { return ISOSCOPE_CLASS_SWITCH; }
    isoscope_class operator()(const event::NamespacesChanged&) const { return ISOSCOPE_CLASS_SECURITY; }
    isoscope_class operator()(const event::CgroupMade&) const { return ISOSCOPE_CLASS_LIFECYCLE; }
    isoscope_class operator()(const event::CgroupRemoved&) const { return ISOSCOPE_CLASS_LIFECYCLE; }
    isoscope_class operator()(const event::CgroupAttached&) const { return ISOSCOPE_CLASS_LIFECYCLE; }
    isoscope_class operator()(const event::Exec&) const { return ISOSCOPE_CLASS_LIFECYCLE; }
    isoscope_class operator()(const event::Access&) const { return ISOSCOPE_CLASS_SECURITY; }
    isoscope_class operator()(const event::Breach&) const { return ISOSCOPE_CLASS_SECURITY; }
    isoscope_class operator()(const event::VcpuSeen&) const { return ISOSCOPE_CLASS_LIFECYCLE; }
  };
  return std::visit(Classes{}, payload);
}

constexpr std::size_t security_records_at_once = 65'536;
constexpr std::size_t data_records_at_once = 8192;

// A ring for single exits or switches must hold what comes between two looks at it.
std::uint32_t data_ring_bytes(const config::Config& config) {
  constexpr std::uint32_t at_rest = 64U << 10;
  constexpr std::uint32_t streaming = 8U << 20;
  if (config.data_ring_bytes != 0) {
    return config.data_ring_bytes;
  }
  return config.streams.exits || config.streams.switches ? streaming : at_rest;
}

probe::Options probe_options(const config::Config& config, const event::NamespaceSet& host,
                             const policy::PolicySet& policies) {
  probe::Options options;
  options.attempts = config.streams.attempts || policy::asks_for_attempts(policies);
  options.stream_exits = config.streams.exits;
  options.stream_switches = config.streams.switches;
  options.slow_exit_ns = static_cast<std::uint64_t>(config.slow_exit.count());
  options.exit_cells = config.exit_histograms;
  options.accounts = config.accounts;
  options.data_ring_bytes = data_ring_bytes(config);
  options.histogram = aggregate::bucket_tables();
  std::copy(host.inum.begin(), host.inum.end(), std::begin(options.host_namespaces.inum));
  return options;
}

}  // namespace

Result<std::unique_ptr<Pipeline>> Pipeline::create(const config::Config& config,
                                                   const kernel::Features& features) {
  auto guard = Guard::create(config.policies);
  if (!guard) {
    return guard.error();
  }
  auto files = sink::open_outputs(config.outputs, config.listen);
  if (!files) {
    return files.error();
  }
  HostView host(features.cgroups);
  auto probe = probe::Probe::create(features, probe_options(config, host.namespaces(), guard->policies()));
  if (!probe) {
    return probe.error();
  }
  std::unique_ptr<Pipeline> pipeline(
      new Pipeline(config, std::move(host), std::move(*probe), std::move(*guard), features.legal_paths()));
  pipeline->filter_.emplace(config.filters);
  sink::Settings settings;
  settings.host = identity::read_host();
  settings.top = config.top;
  settings.sort = config.sort;
  settings.color = config.color;
  settings.filtered = !pipeline->filter_->empty();
  settings.series = config.series;
  settings.version = version_number;
  settings.started_wall_ns = pipeline->clock_.wall_ns(base::monotonic_ns());
  for (std::size_t i = 0; i < files->size(); ++i) {
    // The last one is the listener, where there is one.
    const auto format = i < config.outputs.size() ? config.outputs[i].format : config::Format::prom;
    pipeline->sinks_.push_back(sink::make_sink(format, std::move((*files)[i]), pipeline->clock_, settings));
    pipeline->has_table_ |= pipeline->sinks_.back()->shows_sums();
  }
  return pipeline;
}

Result<Ok> Pipeline::start() {
  probe_.begin_window(window_);
  window_start_ns_ = base::monotonic_ns();
  if (auto done = probe_.attach(); !done) {
    return done;
  }
  look_for_kvm();
  if (auto done = take_stock(); !done) {
    return done;
  }
  base::log::verbose("tracing; the BPF maps take {:.1f} MB", static_cast<double>(probe_.map_bytes()) / 1e6);
  return Ok{};
}

// After attaching, so that nothing starts unseen in between: what is seen twice is recognised.
Result<Ok> Pipeline::take_stock() {
  registry_.emplace(host_.make_registry(command_ ? command_->cgroup_path() : ""));
  enrichment_.emplace(*registry_, identity::metadata_source(config_.labels));
  const auto processes = host_.list_processes();
  if (!processes) {
    return processes.error();
  }
  enforcement_.emplace(probe_, *registry_, *filter_, guard_.policies());
  report_units(registry_->adopt(*processes, base::boottime_ns()), base::monotonic_ns());
  enforcement_->renew();
  resources_.start(*registry_, *filter_);
  return Ok{};
}

void Pipeline::look_for_kvm() {
  if (probe_.kvm_attached()) {
    if (probe::module_instance(kvm_module_) == kvm_instance_) {
      return;
    }
    // As long as our programs are attached, kvm itself cannot be unloaded.
    probe_.detach_kvm();
    base::log::verbose("VM exits are not traced any more: {} was unloaded", kvm_module_);
  }
  const kernel::KvmFeatures kvm = probe::discover_kvm();
  const std::uint64_t instance = probe::module_instance(kvm.vendor_module);
  const bool is_known = kvm.vendor_module == kvm_module_ && instance == kvm_instance_;
  kvm_module_ = kvm.vendor_module;
  kvm_instance_ = instance;
  if (kernel::kvm_path(kvm) == kernel::KvmPath::none || instance == 0 ||
      (is_known && refused_kvm_ && *refused_kvm_ == kvm)) {
    return;
  }
  if (auto done = probe_.attach_kvm(kvm); !done) {
    refused_kvm_ = kvm;
    base::log::warning("VM exits are not traced: {}", done.error().message);
    return;
  }
  refused_kvm_.reset();
  base::log::verbose("VM exits are traced ({})", kvm.vendor_module);
}

// The security ring first and whole: it is small. Of the data ring what can be done in some milliseconds;
// what is left keeps its descriptor readable, so that timers, signals and the security ring get their turn in
// between.
void Pipeline::drain() {
  drain_security();
  probe_.drain(
      probe::Ring::data, [this](std::span<const std::byte> bytes) { take_bytes(bytes); },
      data_records_at_once);
  for (const auto& sink : sinks_) {
    sink->flush();
  }
}

void Pipeline::drain_security() {
  probe_.drain(
      probe::Ring::security, [this](std::span<const std::byte> bytes) { take_bytes(bytes); },
      security_records_at_once);
}

void Pipeline::take_bytes(std::span<const std::byte> bytes) {
  const auto record = event::decode(bytes);
  if (!record) {
    ledger_.undecodable();
    base::log::verbose("a record of {} bytes could not be read: {}", bytes.size(), record.error().message);
    return;
  }
  ledger_.handled(class_of(record->payload));
  take_record(*record);
}

void Pipeline::handle(const event::Meta& meta, const event::VmExit& exit) {
  sink::VmExitReport out{meta, exit, vm_of(meta.tgid), registry_->ref_of_cgroup(meta.cgroup_id)};
  const Filter::Exits what{exit.vcpu_id, exit.isa, exit.reason};
  if (filter_->passes({&out.unit, &out.vm, path_of(meta.cgroup_id), meta.tgid, &what})) {
    report(out);
  }
}

void Pipeline::handle(const event::Meta& meta, const event::ContextSwitch& change) {
  sink::SwitchReport out{meta, change, registry_->ref_of_cgroup(meta.cgroup_id), {}};
  if (change.next_tid != 0) {
    out.next = registry_->ref_of_cgroup(change.next_cgroup_id);
  }
  const bool leaves = filter_->passes({&out.prev, nullptr, path_of(meta.cgroup_id), meta.tgid});
  const bool comes = change.next_tid != 0 &&
                     filter_->passes({&out.next, nullptr, path_of(change.next_cgroup_id), change.next_tgid});
  if (leaves || comes) {
    report(out);
  }
}

void Pipeline::handle(const event::Meta& meta, const event::CgroupMade& made) {
  if (!config_.streams.cgroups) {
    return;
  }
  const std::string* const parent = path_of(made.parent_id);
  sink::CgroupReport out{meta, sink::CgroupReport::Action::made, made.id, "", 0, 0};
  if (parent != nullptr) {
    out.path = (*parent == "/" ? "" : *parent) + "/" + made.name;
  }
  const identity::UnitRef unit = registry_->ref_of_cgroup(made.parent_id);
  if (filter_->passes({&unit, nullptr, &out.path, meta.tgid})) {
    report(out);
  }
}

void Pipeline::handle(const event::Meta& meta, const event::CgroupRemoved& removed) {
  if (!config_.streams.cgroups) {
    return;
  }
  const std::string* const path = path_of(removed.id);
  const identity::UnitRef unit = registry_->ref_of_cgroup(removed.id);
  if (filter_->passes({&unit, nullptr, path, meta.tgid})) {
    report(sink::CgroupReport{meta, sink::CgroupReport::Action::removed, removed.id,
                              path == nullptr ? "" : *path, 0, 0});
  }
}

void Pipeline::handle(const event::Meta& meta, const event::CgroupAttached& attached) {
  invariants_.moved();
  if (!config_.streams.cgroups) {
    return;
  }
  const std::string* const path = path_of(attached.to_cgroup_id);
  const identity::UnitRef unit = registry_->ref_of_cgroup(attached.to_cgroup_id);
  if (filter_->passes({&unit, nullptr, path, attached.moved_tgid})) {
    report(sink::CgroupReport{meta, sink::CgroupReport::Action::attached, attached.to_cgroup_id,
                              path == nullptr ? "" : *path, attached.moved_tgid, attached.moved_tid});
  }
}

void Pipeline::look_for_metadata() {
  const std::uint64_t now_ns = base::monotonic_ns();
  write_units(enrichment_->retry(now_ns), now_ns);
}

void Pipeline::report_units(std::vector<identity::Unit> units, std::uint64_t ts_ns) {
  if (!units.empty()) {
    write_units(enrichment_->take(std::move(units), ts_ns), ts_ns);
  }
}

void Pipeline::write_units(const std::vector<identity::Unit>& units, std::uint64_t ts_ns) {
  for (const identity::Unit& unit : units) {
    enforcement_->take(unit);
    const bool is_vm = unit.ref.kind == identity::UnitKind::vm;
    const identity::Vm as_vm{unit.ref.id, unit.ref.name, "", "", 0};
    if (filter_->passes({&unit.ref, is_vm ? &as_vm : nullptr, &unit.cgroup_path, 0})) {
      report(sink::UnitReport{ts_ns, unit});
    }
  }
}

void Pipeline::report(const sink::Report& report) {
  for (const auto& sink : sinks_) {
    sink->take(report);
  }
}

identity::Vm Pipeline::vm_of(std::uint32_t pid) const {
  if (const identity::Vm* const vm = registry_->vm_of(pid)) {
    return *vm;
  }
  const std::string name = identity::name_by_pid(pid);
  return identity::Vm{name, name, "", "unknown", pid};
}

std::vector<aggregate::VmExitsRow> Pipeline::close_exits(const std::vector<probe::VcpuReading>& readings,
                                                         std::uint64_t now_ns) {
  for (const probe::VcpuReading& reading : readings) {
    if (registry_->vm_of(reading.vcpu.tgid) == nullptr) {  // its record was lost
      const event::Meta meta{now_ns, reading.vcpu.cgroup_id, reading.vcpu.tgid, reading.vcpu.tid, 0};
      const event::VcpuSeen seen{reading.vcpu.start_ns, reading.vcpu.vcpu_id,
                                 static_cast<event::Isa>(reading.vcpu.isa)};
      report_units(registry_->observe(event::Record{meta, seen}), now_ns);
    }
  }
  std::uint64_t vcpus = 0;
  std::uint64_t cells = 0;
  for (const probe::VcpuReading& reading : readings) {
    if (reading.vcpu.state != ISOSCOPE_VCPU_DEAD) {  // those are given back before the window is over
      ++vcpus;
      cells += reading.cells.size();
    }
  }
  maps_.push_back({"vcpus", vcpus, probe_.capacities().vcpus});
  maps_.push_back({"exit_histograms", cells, probe_.capacities().exit_cells});
  aggregate::ExitWindows::Window window = exit_windows_.close(readings, window_);
  ledger_.unmatched(window.unmatched_exits, window.unmatched_entries);
  std::vector<aggregate::VmExitsRow> rows;
  for (aggregate::VmExitsRow& row : window.rows) {
    row.vm = vm_of(row.vm.pid);
    report_units(registry_->learn(row.cgroup_id, now_ns), now_ns);
    row.unit = registry_->ref_of_cgroup(row.cgroup_id);
    if (!row.other && !event::is_known_reason(row.isa, row.reason)) {
      ledger_.unknown_reasons(row.count);
    }
    const Filter::Exits what{row.vcpu_id, row.isa, row.reason, row.other};
    if (filter_->passes({&row.unit, &row.vm, path_of(row.cgroup_id), row.vm.pid, &what})) {
      rows.push_back(std::move(row));
    }
  }
  release_dead(readings);
  return rows;
}

void Pipeline::release_dead(const std::vector<probe::VcpuReading>& readings) {
  std::set<std::uint32_t> dead;
  live_vmms_.clear();
  for (const probe::VcpuReading& reading : readings) {
    if (reading.vcpu.state == ISOSCOPE_VCPU_DEAD) {
      dead.insert(reading.vcpu.tgid);
      probe_.release_vcpu(reading);
    } else {
      live_vmms_.insert(reading.vcpu.tgid);
    }
  }
  live_vmms_.merge(new_vmms_);
  for (const std::uint32_t tgid : dead) {
    if (!live_vmms_.contains(tgid)) {
      report_units(registry_->end_vm(tgid), base::monotonic_ns());
      ended_vmms_.push_back(tgid);
    }
  }
}

// Accounts of what ended in the window before this one: by now their last tasks are gone.
void Pipeline::release_accounts() {
  std::vector<std::uint64_t> accounts = registry_->expire();
  for (const std::uint32_t tgid : std::exchange(expiring_vmms_, std::exchange(ended_vmms_, {}))) {
    if (!live_vmms_.contains(tgid)) {  // else it has vCPUs again
      registry_->forget_process(tgid);
      accounts.push_back(ISOSCOPE_ACCOUNT_VM | tgid);
    }
  }
  for (const std::uint64_t account : accounts) {
    probe_.release_account(account);
    sched_windows_.forget(account);
  }
}

identity::UnitRef Pipeline::unit_of_account(std::uint64_t account) const {
  if (account == 0) {  // of cgroups that found no entry
    return {identity::UnitKind::cgroup, "other", "other"};
  }
  if (const auto vmm = aggregate::vmm_of_account(account)) {
    return registry_->ref_of_vm(*vmm);
  }
  return registry_->ref_of_cgroup(account);
}

bool Pipeline::passes(std::uint64_t account) const {
  const identity::UnitRef unit = unit_of_account(account);
  const auto vmm = aggregate::vmm_of_account(account);
  if (!vmm) {
    return filter_->passes({&unit, nullptr, path_of(account), 0});
  }
  const identity::Vm vm = vm_of(*vmm);
  return filter_->passes({&unit, &vm, path_of(vm.cgroup_id), vm.pid});
}

std::vector<aggregate::SchedRow> Pipeline::close_sched(const probe::SchedReading& reading,
                                                       std::uint64_t now_ns,
                                                       const std::vector<aggregate::VmExitsRow>& exits) {
  maps_.push_back({"accounts", reading.cells.size() - 1, probe_.capacities().accounts});  // without `other`
  maps_.push_back({"preemptions", reading.preemptions.size(), probe_.capacities().preemptions});
  std::vector<aggregate::AccountChange> changes = sched_windows_.close(reading, window_start_ns_);
  for (const aggregate::AccountChange& change : changes) {
    std::uint64_t cgroup_id = change.account;
    if (const auto vmm = aggregate::vmm_of_account(change.account)) {
      cgroup_id = vm_of(*vmm).cgroup_id;
    } else if (cgroup_id != 0) {
      report_units(registry_->learn(cgroup_id, now_ns), now_ns);
    }
    if (cgroup_id != 0) {
      resources_.ran(cgroup_id, change.on_cpu_ns);
    }
  }
  std::erase_if(changes, [this](const auto& change) { return !passes(change.account); });
  std::vector<aggregate::SchedRow> rows =
      aggregate::fold_by_unit(changes, [this](std::uint64_t account) { return unit_of_account(account); });
  for (aggregate::SchedRow& row : rows) {
    if (row.unit.kind == identity::UnitKind::vm) {
      row.steal_ns = aggregate::steal_of(row.unit.id, exits);
    }
  }
  return rows;
}

// A start that was lost would leave a container in the hands of its runtime for ever.
void Pipeline::recover_units(const aggregate::Ledger& window, std::uint64_t now_ns) {
  if (registry_->suspects_losses()) {
    if (const auto processes = host_.list_processes()) {
      report_units(registry_->recover(*processes), now_ns);
    }
  }
  if (window.classes[ISOSCOPE_CLASS_LIFECYCLE].dropped > 0) {
    report_units(registry_->suspect_losses(), now_ns);
  }
}

void Pipeline::close_window() {
  drain();
  recheck();
  clock_.refresh();
  aggregate::Snapshot window;
  window.window = window_;
  window.start_mono_ns = window_start_ns_;
  window.end_mono_ns = base::monotonic_ns();
  new_vmms_.clear();
  const std::vector<probe::VcpuReading> vcpus = probe_.read_vcpus();
  const probe::SchedReading sched = probe_.read_sched();
  // Once more: whatever the readings have was announced before them. A cgroup that comes and goes between the
  // draining and the reading would have numbers and no name.
  drain_security();
  window.vm_exits = close_exits(vcpus, window.end_mono_ns);
  window.sched = close_sched(sched, window.end_mono_ns, window.vm_exits);
  window.resources = resources_.close(*registry_, *filter_, window.start_mono_ns);
  const probe::Counters counters = probe_.read_counters();
  window.ledger = ledger_.close(counters, look_at_outputs(), own_cpu_ns());
  window.ledger.agent_resident_bytes = own_resident_bytes();
  const aggregate::Recheck& recheck = window.ledger.recheck = recheck_.close(window.end_mono_ns);
  window.invariants =
      invariants_.close(counters, registry_->contained(), window_, recheck.open_ns > 0 || !recheck.complete);
  window.ledger.maps = std::exchange(maps_, {});
  window.ledger.causes.push_back({"resource_units_full", resources_.left_out()});
  window.ledger.causes.push_back({"ancestries_left_out", ancestry_.take_left_out()});
  // Before the new window begins, in which every task looks for its account again.
  release_accounts();
  probe_.begin_window(++window_);
  window_start_ns_ = window.end_mono_ns;
  if (has_table_) {
    totals_.add(window);
  } else {
    totals_.add_ledger_of(window);
  }
  report(window);
  recover_units(window.ledger, window.end_mono_ns);
}

std::uint64_t Pipeline::look_at_outputs() {
  std::uint64_t write_errors = 0;
  output_watches_.resize(sinks_.size());
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    const sink::OutputFile& output = sinks_[i]->output();
    write_errors += output.write_errors();
    if (const auto news = output_watches_[i].look(output)) {
      base::log::write(news->bad ? base::log::Level::error : base::log::Level::info, news->words);
    }
  }
  return write_errors;
}

void Pipeline::finish() {
  recheck();
  probe_.detach();
  // Nothing comes any more: what is in the rings is all that there is.
  for (const probe::Ring ring : {probe::Ring::security, probe::Ring::data}) {
    probe_.drain(ring, [this](std::span<const std::byte> bytes) { take_bytes(bytes); });
  }
  for (const policy::Violation& violation : guard_.flush()) {
    report(violation);
  }
  close_window();
  const aggregate::Snapshot summary = totals_.summary();
  for (const auto& sink : sinks_) {
    sink->finish(summary);
  }
}

void Pipeline::reopen_outputs() {
  for (const auto& sink : sinks_) {
    if (auto done = sink->output().reopen(); !done) {
      base::log::error("{}; the old file stays in use", done.error().message);
    }
  }
}

bool Pipeline::on_terminal() const {
  return std::any_of(sinks_.begin(), sinks_.end(),
                     [](const auto& sink) { return sink->output().is_terminal(); });
}

bool Pipeline::looks_for_attempts() const {
  return config_.streams.attempts || policy::asks_for_attempts(guard_.policies());
}

bool Pipeline::all_outputs_closed() const {
  return std::all_of(sinks_.begin(), sinks_.end(), [](const auto& sink) { return sink->output().closed(); });
}

}  // namespace isoscope::agent
