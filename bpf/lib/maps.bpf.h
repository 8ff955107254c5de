/* SPDX-License-Identifier: GPL-2.0-only */
/* Every map and knob of the object; defined once, in maps.bpf.c. Capacities are set by userspace before load.
 */
#ifndef ISOSCOPE_MAPS_BPF_H
#define ISOSCOPE_MAPS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/knobs.h"
#include "lib/task_record.h"

extern const volatile struct isoscope_knobs knobs;
/* Not a map of its own: reading a global is one instruction. */
extern volatile struct isoscope_control control;
extern struct isoscope_recheck recheck;

/*
 * Where the kernel's first credentials and namespaces are, which its task 0 has: init_cred and init_nsproxy.
 * 0: not known yet.
 */
extern __u64 initial_cred;
extern __u64 initial_nsproxy;

/*
 * One slot per thread, found by thread id: tid & (task_slots - 1). The JIT inlines the look-up (about 10
 * instructions; a hash or task storage costs about 100).
 */
struct tasks_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct task_record);
};
extern struct tasks_map tasks SEC(".maps");

/*
 * Threads whose slot is another live thread's. A preallocated hash and not task storage: kernels up to 6.1
 * allocate storage with kmalloc, which sched_switch must not do under the run-queue lock.
 */
struct tasks_overflow_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct task_record);
};
extern struct tasks_overflow_map tasks_overflow SEC(".maps");

/*
 * vCPU threads. A global, found without a look-up; index 0 means none. Userspace reads it and the next two
 * through mmap.
 */
extern struct isoscope_vcpu vcpus[ISOSCOPE_VCPUS];

/* The vCPU of a thread: its id in the upper half, the index in the lower. A cache of what the task records
 * say.
 */
#define VCPU_CACHE_ENTRIES 4096
extern __u64 vcpu_cache[VCPU_CACHE_ENTRIES];

/* Index 0 means none. */
struct exit_cells_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct isoscope_exit_cell);
};
extern struct exit_cells_map exit_cells SEC(".maps");

/* Accounts; index 0 is `other`. */
struct sched_cells_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct isoscope_sched_cell);
};
extern struct sched_cells_map sched_cells SEC(".maps");

/* Account -> index into sched_cells. */
struct accounts_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
};
extern struct accounts_map accounts SEC(".maps");

/* Thread groups that have vCPUs. */
struct vmms_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ISOSCOPE_VCPUS);
	__type(key, __u32);
	__type(value, __u8);
};
extern struct vmms_map vmms SEC(".maps");

struct preemptions_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct isoscope_preemption_key);
	__type(value, struct isoscope_preemption);
};
extern struct preemptions_map preemptions SEC(".maps");

/* By CPU: an event cpu-clock; none of a CPU that was not there when userspace looked. */
struct cpu_clock_events_map {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};
extern struct cpu_clock_events_map cpu_clock_events SEC(".maps");

/* By CPU: as many as there can be. */
struct cpu_runs_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct isoscope_cpu_runs);
};
extern struct cpu_runs_map cpu_runs SEC(".maps");

/* Free indexes: filled by userspace at start, and again when it has taken the last reading of a dead one. */
struct free_list_map {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8192);
	__uint(key_size, 0);
	__uint(value_size, sizeof(__u32));
};
extern struct free_list_map free_vcpus SEC(".maps");
extern struct free_list_map free_exit_cells SEC(".maps");
extern struct free_list_map free_accounts SEC(".maps");

struct counters_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ISOSCOPE_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
};
extern struct counters_map counters SEC(".maps");

/* When an access was last told of; private to the kernel side. */
struct access_key {
	__u64 home_cgroup_id;
	__u64 target_cgroup_id;
	__u32 kind;
	__u32 detail;
};

struct accesses_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct access_key);
	__type(value, __u64);
};
extern struct accesses_map accesses SEC(".maps");

/*
 * By home cgroup. Without preallocation: the programs only look up, and where no policy is enforced it takes
 * no memory.
 */
struct enforcements_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct isoscope_enforcement);
};
extern struct enforcements_map enforcements SEC(".maps");

/*
 * Security and lifecycle events have a ring of their own, so that no flood of data events can push one out.
 */
struct ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
};
extern struct ring_map security SEC(".maps");
extern struct ring_map data SEC(".maps");

/* Atomic although the counters are per CPU: fentry programs can be preempted by another that counts the same.
 */
static __always_inline void count(enum isoscope_counter which)
{
	__u32 key = which;
	__u64 *value = bpf_map_lookup_elem(&counters, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
}

#endif
