// SPDX-License-Identifier: Apache-2.0
// What one core does with records that have come through a ring. scripts/bench.sh runs it and prints the
// figures.
//
// The records are generated, always the same ones: as many as the data ring holds when exits are streamed (8
// MiB), in about the shares of reasons that a Linux guest makes while it boots, with durations spread
// log-normally, so that they fall into many buckets. Every record is of a random vCPU: real streams come in
// bursts, which caches like better.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "abi/event.h"
#include "aggregate/exit_stream.h"
#include "event/decode.h"
#include "sink/sink.h"

namespace {

using isoscope::aggregate::ExitStream;
using isoscope::event::Meta;
using isoscope::event::VmExit;

constexpr std::size_t records = (8U << 20) / sizeof(isoscope_vm_exit);
constexpr std::uint32_t vcpus_per_vm = 4;

struct Reason {
  std::uint32_t code;
  double share;
  double median_ns;
  double spread;  // of the durations' logarithm
};

// SVM codes.
constexpr Reason reasons[] = {
    {0x60, 0.30, 1'500, 0.7},    // interrupt
    {0x7b, 0.22, 9'000, 0.8},    // io
    {0x7c, 0.17, 1'100, 0.5},    // msr
    {0x400, 0.14, 3'500, 1.2},   // npf
    {0x72, 0.09, 1'000, 0.3},    // cpuid
    {0x78, 0.05, 400'000, 2.0},  // hlt
    {0x64, 0.02, 1'300, 0.5},    // vintr
    {0x65, 0.005, 1'200, 0.4},   // cr0_sel_write
    {0x402, 0.003, 5'000, 0.6},  // avic_unaccelerated_access
    {0x61, 0.002, 1'800, 0.9},   // nmi
};

std::vector<isoscope_vm_exit> make_stream(std::uint32_t vcpus) {
  std::mt19937_64 random(1);
  std::vector<double> shares;
  for (const Reason& reason : reasons) {
    shares.push_back(reason.share);
  }
  std::discrete_distribution<std::size_t> pick(shares.begin(), shares.end());
  std::uniform_int_distribution<std::uint32_t> any_vcpu(0, vcpus - 1);
  std::normal_distribution<double> normal;
  std::vector<isoscope_vm_exit> stream(records);
  std::uint64_t now_ns = 1'000'000'000;
  for (isoscope_vm_exit& record : stream) {
    const Reason& reason = reasons[pick(random)];
    const std::uint32_t vcpu = any_vcpu(random);
    const std::uint32_t vm = vcpu / vcpus_per_vm;
    record = {};
    record.header.size = sizeof(record);
    record.header.kind = ISOSCOPE_KIND_VM_EXIT;
    record.header.event_class = ISOSCOPE_CLASS_EXIT;
    record.header.cpu = static_cast<std::uint16_t>(vcpu % 64);
    record.header.tgid = 2000 + vm * 16;
    record.header.tid = record.header.tgid + 4 + vcpu % vcpus_per_vm;
    record.header.cgroup_id = 5000 + vm;
    record.duration_ns =
        static_cast<std::uint64_t>(reason.median_ns * std::exp(reason.spread * normal(random)));
    record.split.userspace_ns = reason.code == 0x7b ? record.duration_ns / 2 : 0;
    record.split.halted_ns = reason.code == 0x78 ? record.duration_ns / 2 : 0;
    record.start_ns = now_ns;
    record.header.ts_ns = now_ns + record.duration_ns;
    record.vcpu_id = vcpu % vcpus_per_vm;
    record.isa = ISOSCOPE_ISA_SVM;
    record.reason = reason.code;
    now_ns += 400;
  }
  return stream;
}

std::uint64_t events(const benchmark::State& state) {
  return static_cast<std::uint64_t>(state.iterations()) * records;
}

void count_events(benchmark::State& state) {
  state.SetItemsProcessed(static_cast<std::int64_t>(events(state)));
}

// Null for a record that is none of a VM exit: decode() has refused it.
// Decodes the stream once; false if a record of it cannot be.
template <typename Take>
bool for_each_exit(benchmark::State& state, const std::vector<isoscope_vm_exit>& stream, Take take) {
  for (const isoscope_vm_exit& record : stream) {
    const auto decoded = isoscope::event::decode(std::as_bytes(std::span(&record, 1)));
    const VmExit* const exit = decoded ? std::get_if<VmExit>(&decoded->payload) : nullptr;
    if (exit == nullptr) {
      state.SkipWithError("a record of the stream could not be decoded");
      return false;
    }
    take(decoded->meta, *exit);
  }
  return true;
}

void decode_exits(benchmark::State& state) {
  const std::vector<isoscope_vm_exit> stream = make_stream(static_cast<std::uint32_t>(state.range(0)));
  for (auto _ : state) {
    for (const isoscope_vm_exit& record : stream) {
      auto decoded = isoscope::event::decode(std::as_bytes(std::span(&record, 1)));
      benchmark::DoNotOptimize(decoded);
    }
  }
  count_events(state);
}
BENCHMARK(decode_exits)->ArgName("vcpus")->Arg(64);

void decode_and_aggregate_exits(benchmark::State& state) {
  const std::vector<isoscope_vm_exit> stream = make_stream(static_cast<std::uint32_t>(state.range(0)));
  ExitStream aggregator;
  for (auto _ : state) {
    if (!for_each_exit(state, stream,
                       [&](const Meta& meta, const VmExit& exit) { aggregator.add(meta, exit); })) {
      return;
    }
  }
  std::uint64_t exits = 0;
  for (const auto& row : aggregator.rows()) {
    exits += row.count;
  }
  if (exits != events(state)) {
    state.SkipWithError("not every exit has arrived in the rows");
  }
  count_events(state);
}
BENCHMARK(decode_and_aggregate_exits)->ArgName("vcpus")->Arg(64)->Arg(1000);

// A line for each exit, as with --events exits; into nowhere, so that the disk has no say.
void write_exits_as_ndjson(benchmark::State& state) {
  const std::vector<isoscope_vm_exit> stream = make_stream(64);
  auto file = isoscope::sink::OutputFile::create("/dev/null");
  if (!file) {
    state.SkipWithError("cannot open /dev/null");
    return;
  }
  const isoscope::base::WallClock clock;
  const auto sink = isoscope::sink::make_sink(isoscope::config::Format::ndjson, std::move(*file), clock, {});
  isoscope::sink::VmExitReport report;
  report.vm.id = report.vm.uuid = "3f2a6c1e-5d0b-4f7e-9a41-0c8b7d1e2f30";
  report.vm.name = "web";
  report.vm.vmm = "qemu";
  report.vm.pid = 2000;
  report.unit = {isoscope::identity::UnitKind::vm, report.vm.id, report.vm.name};
  for (auto _ : state) {
    const bool done = for_each_exit(state, stream, [&](const Meta& meta, const VmExit& exit) {
      report.meta = meta;
      report.exit = exit;
      sink->take(report);
    });
    if (!done) {
      return;
    }
  }
  count_events(state);
}
BENCHMARK(write_exits_as_ndjson);

}  // namespace

BENCHMARK_MAIN();
