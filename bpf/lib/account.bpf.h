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
	struct css_set *css_set = task->cgroups;
	__u32 tgid = task->tgid;

	record->css_set = (__u64)css_set;
	record->account =
	    bpf_map_lookup_elem(&vmms, &tgid) ? ISOSCOPE_ACCOUNT_VM | tgid : cgroup_id_of(css_set);
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

static __always_inline void begin_run(struct isoscope_cpu_runs *runs, __u64 account, __u64 now)
{
	__u64 next = (runs->last + 1) & (ISOSCOPE_CPU_RUNS - 1);

	/* Shows the verifier the bound. */
	barrier_var(next);
	next &= ISOSCOPE_CPU_RUNS - 1;
	runs->runs[next].account = account;
	runs->runs[next].since_ns = now;
	*(volatile __u64 *)&runs->last = next; /* userspace reads it first */
}

static __noinline int add_preemption(struct isoscope_sched_cell *cell, __u64 by, __u64 count_of, __u64 ns)
{
	static const struct isoscope_preemption none;
	struct isoscope_preemption_key key = {.by = by};
	struct isoscope_preemption *preemption;

	if (!cell)
		return 0;
	if (by == cell->account) {
		__sync_fetch_and_add(&cell->own_preemptions, count_of);
		__sync_fetch_and_add(&cell->own_preempted_ns, ns);
		return 0;
	}
	key.account = cell->account;
	preemption = bpf_map_lookup_elem(&preemptions, &key);
	if (!preemption) {
		bpf_map_update_elem(&preemptions, &key, &none, BPF_NOEXIST);
		preemption = bpf_map_lookup_elem(&preemptions, &key);
	}
	if (!preemption) {
		count(ISOSCOPE_PREEMPTION_FULL);
		return 0;
	}
	__sync_fetch_and_add(&preemption->count, count_of);
	__sync_fetch_and_add(&preemption->waited_ns, ns);
	return 0;
}

static __always_inline const struct isoscope_cpu_run *run_before(const struct isoscope_cpu_runs *runs,
								 __u32 i)
{
	__u64 index = (runs->last - i) & (ISOSCOPE_CPU_RUNS - 1);

	/* Shows the verifier the bound. */
	barrier_var(index);
	return &runs->runs[index & (ISOSCOPE_CPU_RUNS - 1)];
}

/* More than one run has passed since it was preempted; what is older than those that are known is the
 * taker's. */
static __noinline int divide_preemption(struct isoscope_sched_cell *cell,
					const struct isoscope_cpu_runs *runs, __u64 by, __u64 waited_ns,
					__u64 now)
{
	__u64 left_ns = waited_ns, end_ns = now, taken = 1;

	if (!cell || !runs)
		return 0;
	for (int i = 0; i < ISOSCOPE_CPU_RUNS; i++) {
		const struct isoscope_cpu_run *run = run_before(runs, i);
		__u64 ran_ns, count_of;

		if (!left_ns || !run->since_ns || run->since_ns > end_ns)
			break;
		ran_ns = end_ns - run->since_ns;
		if (ran_ns > left_ns)
			ran_ns = left_ns;
		left_ns -= ran_ns;
		end_ns = run->since_ns;
		count_of = run->account == by ? taken : 0;
		taken -= count_of;
		add_preemption(cell, run->account ? run->account : ISOSCOPE_ACCOUNT_IDLE, count_of, ran_ns);
	}
	if (taken || left_ns)
		add_preemption(cell, by, taken, left_ns);
	return 0;
}

/*
 * A wait of a task that was preempted is over. Each of the last runs on its CPU is charged to the one that
 * made it. Charging the one that took the CPU alone would make a kernel thread of some microseconds pay for a
 * neighbour's whole slice.
 */
static __always_inline void charge_preemption(struct isoscope_sched_cell *cell,
					      const struct task_record *record,
					      const struct isoscope_cpu_runs *runs, __u32 cpu,
					      __u64 waited_ns, __u64 now)
{
	const struct isoscope_cpu_run *last = run_before(runs, 0);
	__u64 by = record->preempted_by;

	__sync_fetch_and_add(&cell->resumed, 1);
	if (!by) /* it was about to sleep, and a signal came */
		return;
	__sync_fetch_and_add(&cell->preempted_ns, waited_ns);
	/* Nobody's fault; or it was moved, and these runs are another CPU's; or there was but one. */
	if (by == ISOSCOPE_ACCOUNT_IDLE || record->cpu != cpu ||
	    (last->account == by && now - last->since_ns >= waited_ns))
		add_preemption(cell, by, 1, waited_ns);
	else
		divide_preemption(cell, runs, by, waited_ns, now);
}

/* The wait of a task that comes to a CPU is over. */
static __always_inline void charge_wait(const struct task_record *record, struct isoscope_sched_cell *cell,
					const struct isoscope_cpu_runs *runs, __u32 cpu, __u64 waited_ns,
					__u64 now)
{
	__u32 bucket = bucket_of(waited_ns);

	__sync_fetch_and_add(&cell->waits_ns, waited_ns);
	if (bucket < ISOSCOPE_HIST_BUCKETS)
		__sync_fetch_and_add(&cell->wait_buckets[bucket], 1);
	if (record->preempted_by != ISOSCOPE_ACCOUNT_WOKEN)
		charge_preemption(cell, record, runs, cpu, waited_ns, now);
}

/* Once a window, and when there is a new VMM. */
static __noinline int renew_account(struct task_struct *task, struct task_record *record)
{
	struct isoscope_sched_cell *cell;
	__u32 window;

	/* In this order: userspace changes the window first. */
	record->epoch = *(volatile __u32 *)&control.epoch;
	window = control.window;
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
 * Whom a task is charged to when it comes to a CPU, and for all of that run. A task that moves has another
 * css_set then. That an old one has come to the same address is not seen before the next window.
 */
static __always_inline void update_account(struct task_struct *task, struct task_record *record)
{
	if (record->epoch != control.epoch || record->css_set != (__u64)task->cgroups)
		renew_account(task, record);
}

/* The task that runs here has another account from now on: its run is charged in two. */
static __always_inline int divide_run(struct task_struct *task, struct task_record *record)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct isoscope_cpu_runs *runs = bpf_map_lookup_elem(&cpu_runs, &cpu);
	struct isoscope_sched_cell *cell = sched_cell_of(record);
	__u64 now = bpf_ktime_get_ns();

	if (!runs || !cell || !record->switched_in_ns)
		return 0;
	__sync_fetch_and_add(&cell->on_cpu_ns, now - record->switched_in_ns);
	record->switched_in_ns = now;
	assign_account(task, record);
	begin_run(runs, record->account, now);
	return 0;
}

#endif
