/* SPDX-License-Identifier: GPL-2.0-only */
/* Whom a task's time on and off the CPU is charged to, and the charging. */
#ifndef ISOSCOPE_ACCOUNT_BPF_H
#define ISOSCOPE_ACCOUNT_BPF_H

#include "lib/histogram.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/task.bpf.h"

/* The entry of an account, made when it is first charged; 0 (`other`) when none is left. */
static __noinline __u32 find_or_make_sched_cell(__u64 account)
{
	struct isoscope_sched_cell *cell;
	__u32 *found, index;

	found = bpf_map_lookup_elem(&accounts, &account);
	if (found)
		return *found;
	if (bpf_map_pop_elem(&free_accounts, &index)) {
		count(ISOSCOPE_ACCOUNT_FULL);
		return 0;
	}
	cell = bpf_map_lookup_elem(&sched_cells, &index);
	if (!cell)
		return 0;
	cell->account = account;
	if (bpf_map_update_elem(&accounts, &account, &index, BPF_NOEXIST)) {
		/* Another CPU was first, or the map is full. */
		cell->account = 0;
		bpf_map_push_elem(&free_accounts, &index, 0);
		found = bpf_map_lookup_elem(&accounts, &account);
		if (!found)
			count(ISOSCOPE_ACCOUNT_FULL);
		return found ? *found : 0;
	}
	return index;
}

static __noinline int assign_account(struct task_struct *task, struct task_record *record)
{
	__u32 tgid = task->tgid;

	record->css_set = (__u64)task->cgroups;
	record->account =
	    bpf_map_lookup_elem(&vmms, &tgid) ? ISOSCOPE_ACCOUNT_VM | tgid : task_cgroup_id(task);
	record->sched_cell = find_or_make_sched_cell(record->account);
	return 0;
}

static __always_inline struct isoscope_sched_cell *sched_cell_of(const struct task_record *record)
{
	__u32 index = record->sched_cell;
	struct isoscope_sched_cell *cell = bpf_map_lookup_elem(&sched_cells, &index);

	if (cell && cell->account == record->account)
		return cell;
	/* None left; or the cgroup was removed and its entry given away while this task was dying. */
	index = 0;
	return bpf_map_lookup_elem(&sched_cells, &index);
}

static __noinline int charge_preemption(struct isoscope_sched_cell *cell, __u64 account, __u64 by,
					__u64 waited_ns)
{
	const struct isoscope_preemption_key key = {.account = account, .by = by};
	static const struct isoscope_preemption none;
	struct isoscope_preemption *preemption;

	if (!cell)
		return 0;
	__sync_fetch_and_add(&cell->resumed, 1);
	if (!by) /* it was about to sleep, and a signal came */
		return 0;
	__sync_fetch_and_add(&cell->preempted_ns, waited_ns);
	preemption = bpf_map_lookup_elem(&preemptions, &key);
	if (!preemption) {
		bpf_map_update_elem(&preemptions, &key, &none, BPF_NOEXIST);
		preemption = bpf_map_lookup_elem(&preemptions, &key);
	}
	if (!preemption) {
		count(ISOSCOPE_PREEMPTION_FULL);
		return 0;
	}
	__sync_fetch_and_add(&preemption->count, 1);
	__sync_fetch_and_add(&preemption->waited_ns, waited_ns);
	return 0;
}

/* The wait of a task that comes to a CPU is over. */
static __always_inline void charge_wait(const struct task_record *record, struct isoscope_sched_cell *cell,
					__u64 waited_ns)
{
	__u32 bucket = bucket_of(waited_ns);

	__sync_fetch_and_add(&cell->waits_ns, waited_ns);
	if (bucket < ISOSCOPE_HIST_BUCKETS)
		__sync_fetch_and_add(&cell->wait_buckets[bucket], 1);
	if (record->preempted_by != ISOSCOPE_ACCOUNT_WOKEN)
		charge_preemption(cell, record->account, record->preempted_by, waited_ns);
}

/* Once a window, and when there is a new VMM. */
static __noinline int renew_account(struct task_struct *task, struct task_record *record)
{
	__u32 window = control.window;
	struct isoscope_sched_cell *cell;

	record->epoch = control.epoch;
	assign_account(task, record);
	if (record->window == window)
		return 0;
	record->window = window;
	cell = sched_cell_of(record);
	if (cell)
		__sync_fetch_and_add(&cell->threads, 1);
	return 0;
}

/*
 * Whom a task is charged to when it comes to a CPU. A task that moves has another css_set then; that its next
 * one but one is in the place of this is seen by handle_cgroup_attach_task.
 */
static __always_inline void update_account(struct task_struct *task, struct task_record *record)
{
	if (record->epoch != control.epoch || record->css_set != (__u64)task->cgroups)
		renew_account(task, record);
}

#endif
