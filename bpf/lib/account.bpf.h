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

static __always_inline __u64 account_of(const struct task_struct *task, const struct task_record *record)
{
	return record->is_vmm ? ISOSCOPE_ACCOUNT_VM | task->tgid : record->cgroup_id;
}

static __noinline int assign_account(struct task_struct *task, struct task_record *record)
{
	__u64 cgroup_id = task_cgroup_id(task);
	__u32 tgid = task->tgid;

	record->css_set = (__u64)task->cgroups;
	record->vmms = control.vmms;
	record->is_vmm = bpf_map_lookup_elem(&vmms, &tgid) != NULL;
	record->cgroup_id = cgroup_id;
	record->sched_cell = find_or_make_sched_cell(account_of(task, record));
	return 0;
}

/*
 * Sees to it that the record says whom the task is charged to. A task that moves has another css_set then; that
 * its next one but one is in the place of this is seen by handle_cgroup_attach_task. Which processes are VMMs
 * changes with every new one.
 */
static __always_inline void update_account(struct task_struct *task, struct task_record *record)
{
	if (record->css_set != (__u64)task->cgroups || record->vmms != (__u16)control.vmms || !record->sched_cell)
		assign_account(task, record);
}

static __always_inline struct isoscope_sched_cell *sched_cell_of(const struct task_struct *task,
								 const struct task_record *record)
{
	struct isoscope_sched_cell *cell;
	__u32 index = record->sched_cell;

	cell = bpf_map_lookup_elem(&sched_cells, &index);
	if (cell && cell->account == account_of(task, record))
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
static __always_inline void charge_wait(struct task_struct *task, struct task_record *record,
					struct isoscope_sched_cell *cell, __u64 waited_ns)
{
	__u32 bucket = bucket_of(waited_ns);

	__sync_fetch_and_add(&cell->waits_ns, waited_ns);
	if (bucket < ISOSCOPE_HIST_BUCKETS)
		__sync_fetch_and_add(&cell->wait_buckets[bucket], 1);
	if (!record->was_woken)
		__sync_fetch_and_add(&cell->resumed, 1);
	if (record->preempted_by)
		charge_preemption(cell, account_of(task, record), record->preempted_by, waited_ns);
}

#endif
