/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding the vCPU of a thread. */
#ifndef ISOSCOPE_VCPU_BPF_H
#define ISOSCOPE_VCPU_BPF_H

#include "lib/maps.bpf.h"
#include "lib/task.bpf.h"

static __always_inline struct isoscope_vcpu *vcpu_at(__u64 index)
{
	if (!index)
		return NULL;
	/* Every index comes from free_vcpus, which has no greater one: the mask is for the verifier. */
	barrier_var(index);
	return &vcpus[index & (ISOSCOPE_VCPUS - 1)];
}

static __always_inline struct isoscope_vcpu *vcpu_of(const struct task_record *record)
{
	return vcpu_at(record->vcpu);
}

static __always_inline __u64 *vcpu_cache_entry(__u32 tid)
{
	return &vcpu_cache[tid & (VCPU_CACHE_ENTRIES - 1)];
}

/* One store: another CPU that reads it for a thread of its own finds this thread's id or that of another. */
static __always_inline void cache_vcpu(__u32 tid, __u32 index)
{
	*(volatile __u64 *)vcpu_cache_entry(tid) = (__u64)tid << 32 | index;
}

static __always_inline void uncache_vcpu(__u32 tid)
{
	__u64 *entry = vcpu_cache_entry(tid);

	if (*entry >> 32 == tid)
		*entry = 0;
}

static __noinline __u32 find_vcpu_index(__u32 tid)
{
	struct task_record *record = find_task(tid);

	if (!record || !record->vcpu)
		return 0;
	cache_vcpu(tid, record->vcpu);
	return record->vcpu;
}

/* The vCPU of the thread that runs; NULL before its first exit, or if that was counted as untracked. */
static __always_inline struct isoscope_vcpu *find_vcpu(const struct task_struct *task)
{
	__u32 tid = task->pid; /* never 0: the idle task runs no guest */
	__u64 entry = *(volatile __u64 *)vcpu_cache_entry(tid);
	__u64 index = (__u32)entry;

	if (entry >> 32 != tid) {
		index = find_vcpu_index(tid);
		if (!index)
			return NULL;
	}
	barrier_var(index);
	return &vcpus[index & (ISOSCOPE_VCPUS - 1)];
}

#endif
