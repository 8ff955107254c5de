// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "agent/command_scope.h"
#include "agent/filter.h"
#include "agent/guard.h"
#include "agent/host_view.h"
#include "agent/kernel_enforcement.h"
#include "agent/output_watch.h"
#include "agent/recheck.h"
#include "agent/resource_watch.h"
#include "aggregate/exits.h"
#include "aggregate/invariants.h"
#include "aggregate/ledger.h"
#include "aggregate/recheck.h"
#include "aggregate/sched.h"
#include "aggregate/totals.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "event/record.h"
#include "identity/ancestry.h"
#include "identity/unit_enrichment.h"
#include "identity/unit_registry.h"
#include "kernel/features.h"
#include "probe/probe.h"
#include "sink/sink.h"

namespace isoscope::agent {

// The way of everything that comes out of the kernel to the outputs:
//
//   ring bytes -> decode -> identity -> policy -> sinks
//   map reads  -> aggregate -> identity -> sinks
class Pipeline {
 public:
  // Opens the outputs first, then loads the programs. Nothing is attached yet.
  static base::Result<std::unique_ptr<Pipeline>> create(const config::Config& config,
                                                        const kernel::Features& features);

  // From now on only violations within this scope make a verdict. To be called before start().
  void judge_only(CommandScope command) { command_.emplace(std::move(command)); }

  // Attaches, and takes stock of what runs already.
  base::Result<base::Ok> start();

  // Readable when the kernel side asks to be drained.
  int ring_fd(probe::Ring ring) const { return probe_.ring_fd(ring); }
  // Takes everything that waits in the rings, and writes what came of it.
  void drain();
  // Attaches to kvm if its modules have come, and lets go of it when they leave.
  void look_for_kvm();
  // Looks for what was dropped, if anything was.
  void recheck() {
    agent::recheck(probe_, recheck_, [this] { drain_security(); });
  }
  // Reads what container runtimes have written down since.
  void look_for_metadata();
  void close_window();
  // Detaches, takes what is left, and writes the last window and the summary.
  void finish();

  void reopen_outputs();
  // Reads the policies again; those in force stay if something is wrong with the new ones.
  void reload_policies() {
    // What was answered by the old ones is judged by them.
    enforcement_->pause();
    drain_security();
    guard_.reload();
    enforcement_->renew();
  }
  // Reports what was folded, where its time has come.
  void report_folded();
  // Error: violated, if there was a violation, by the command if there is one, of the severity that the run
  // is to fail on.
  base::Result<base::Ok> verdict() const { return guard_.verdict(config_.fail_on); }
  // Every reader has gone: there is nobody to trace for.
  bool all_outputs_closed() const;
  bool on_terminal() const;
  // By option or by a rule.
  bool looks_for_attempts() const;

 private:
  Pipeline(const config::Config& config, HostView host, probe::Probe probe, Guard guard, bool legal_paths)
      : config_(config),
        host_(std::move(host)),
        probe_(std::move(probe)),
        guard_(std::move(guard)),
        resources_(config.bottleneck),
        invariants_(legal_paths),
        totals_(aggregate::Totals::usual_capacity, config.bottleneck) {}

  base::Result<base::Ok> take_stock();

  void drain_security();
  void take_bytes(std::span<const std::byte> bytes);
  void take_record(const event::Record& record);
  void handle(const event::Meta& meta, const event::VmExit& exit);
  void handle(const event::Meta& meta, const event::ContextSwitch& change);
  void handle(const event::Meta& meta, const event::CgroupMade& made);
  void handle(const event::Meta& meta, const event::CgroupRemoved& removed);
  void handle(const event::Meta& meta, const event::CgroupAttached& attached);
  void handle(const event::Meta&, const event::NamespacesChanged&) {}
  void handle(const event::Meta&, const event::Access&) {}
  void handle(const event::Meta&, const event::Breach&) {}
  void handle(const event::Meta&, const event::Exec&) {}
  void handle(const event::Meta& meta, const event::VcpuSeen&) { new_vmms_.insert(meta.tgid); }

  void report_units(std::vector<identity::Unit> units, std::uint64_t ts_ns);
  void write_units(const std::vector<identity::Unit>& units, std::uint64_t ts_ns);
  event::Access with_target(event::Access access) const;
  void report_crossing(policy::Crossing crossing, std::uint64_t cgroup_id);
  // Whether an enforced policy denies it.
  bool report_breach(policy::Breach breach, std::uint64_t cgroup_id);
  bool report_event(policy::Event event, std::uint64_t cgroup_id);
  void report(const sink::Report& report);

  // Lines that were lost so far, of all outputs.
  std::uint64_t look_at_outputs();
  void recover_units(const aggregate::Ledger& window, std::uint64_t now_ns);
  std::vector<aggregate::VmExitsRow> close_exits(const std::vector<probe::VcpuReading>& readings,
                                                 std::uint64_t now_ns);
  std::vector<aggregate::SchedRow> close_sched(const probe::SchedReading& reading, std::uint64_t now_ns,
                                               const std::vector<aggregate::VmExitsRow>& exits);
  identity::UnitRef unit_of_account(std::uint64_t account) const;
  bool passes(std::uint64_t account) const;
  void release_dead(const std::vector<probe::VcpuReading>& readings);
  void release_accounts();
  identity::Vm vm_of(std::uint32_t pid) const;
  const std::string* path_of(std::uint64_t cgroup_id) const {
    return registry_->cgroups().path_of(cgroup_id);
  }

  config::Config config_;
  HostView host_;
  probe::Probe probe_;
  Guard guard_;
  base::WallClock clock_;
  std::vector<std::unique_ptr<sink::Sink>> sinks_;
  std::vector<OutputWatch> output_watches_;  // of sinks_
  std::optional<Filter> filter_;
  std::optional<CommandScope> command_;
  identity::AncestryReader ancestry_;
  std::optional<identity::UnitRegistry> registry_;
  std::optional<identity::UnitEnrichment> enrichment_;
  std::optional<KernelEnforcement> enforcement_;
  aggregate::ExitWindows exit_windows_;
  aggregate::SchedWindows sched_windows_;
  ResourceWatch resources_;
  aggregate::LedgerBook ledger_;
  aggregate::RecheckBook recheck_;
  aggregate::InvariantBook invariants_;
  aggregate::Totals totals_;
  bool has_table_ = false;                          // the one output that shows the sums of the run
  std::vector<aggregate::MapLedger> maps_;          // of the window that is being closed
  std::string kvm_module_;                          // the vendor's that was there last
  std::uint64_t kvm_instance_ = 0;                  // which load of it
  std::optional<kernel::KvmFeatures> refused_kvm_;  // tried in vain: not tried again until it changes
  std::set<std::uint32_t> new_vmms_;                // that made a vCPU since the last reading began
  std::set<std::uint32_t> live_vmms_;               // thread groups with a vCPU, by the last reading
  std::vector<std::uint32_t> ended_vmms_;           // whose last vCPU ended in this window
  std::vector<std::uint32_t> expiring_vmms_;        // and in the one before
  std::uint32_t window_ = 1;
  std::uint64_t window_start_ns_ = 0;
};

}  // namespace isoscope::agent
