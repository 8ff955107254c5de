// SPDX-License-Identifier: GPL-2.0-only
#include "lib/maps.bpf.h"

const volatile struct isoscope_knobs knobs = {
    .abi_version = ISOSCOPE_ABI_VERSION,
    .task_slots = 32768,
};

const volatile struct isoscope_hist_tables hist_tables;
volatile struct isoscope_control control;
struct isoscope_recheck recheck;
__u64 initial_cred;
__u64 initial_nsproxy;
struct isoscope_vcpu vcpus[ISOSCOPE_VCPUS];
__u64 vcpu_cache[VCPU_CACHE_ENTRIES];

struct tasks_map tasks SEC(".maps");
struct tasks_overflow_map tasks_overflow SEC(".maps");
struct exit_cells_map exit_cells SEC(".maps");
struct sched_cells_map sched_cells SEC(".maps");
struct accounts_map accounts SEC(".maps");
struct vmms_map vmms SEC(".maps");
struct preemptions_map preemptions SEC(".maps");
struct cpu_clock_events_map cpu_clock_events SEC(".maps");
struct cpu_runs_map cpu_runs SEC(".maps");
struct free_list_map free_vcpus SEC(".maps");
struct free_list_map free_exit_cells SEC(".maps");
struct free_list_map free_accounts SEC(".maps");
struct accesses_map accesses SEC(".maps");
struct enforcements_map enforcements SEC(".maps");
struct counters_map counters SEC(".maps");
struct ring_map security SEC(".maps");
struct ring_map data SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
