/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding, making and ending task records; what is read of a task. */
#ifndef ISOSCOPE_TASK_BPF_H
#define ISOSCOPE_TASK_BPF_H

#include "lib/maps.bpf.h"

/*
 * What is read through a task's own pointers is read by plain loads: the verifier knows their types, and a
 * load that faults gives 0. Each would be a call of about 95 instructions otherwise (bpf_probe_read_kernel).
 *
 * Each pointer of a task is loaded once and handed on, though loads cost next to nothing: since 6.4 the
 * verifier searches all types of the kernel for each of them, several times over, at every way that leads
 * there (btf_nested_type_is_trusted).
 */

/*
 * In the hierarchy that is followed. Where cgroup v1 has the controllers, every task may be in the root of
 * the default hierarchy. A knob is constant from load on: the verifier drops the branch that is not taken.
 */
static __always_inline __u64 cgroup_id_of(struct css_set *css_set)
{
	struct cgroup_subsys_state **by_controller;
	__u32 controller;

	if (knobs.cgroup_controller == ISOSCOPE_CGROUP_UNIFIED)
		return css_set->dfl_cgrp->kn->id;
	if (knobs.cgroup_controller == ISOSCOPE_CGROUP_PIDS)
		controller = bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);
	else
		controller = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	by_controller = css_set->subsys;
	return by_controller[controller]->cgroup->kn->id;
}

static __always_inline __u64 task_cgroup_id(struct task_struct *task)
{
	return cgroup_id_of(task->cgroups);
}

/* The one arithmetic that the verifier allows between two pointers. */
#define POINTER_DIFFERENCE(a, b)                              \
	({                                                    \
		__u64 __difference = (__u64)(a) - (__u64)(b); \
		barrier_var(__difference);                    \
		__difference;                                 \
	})

/*
 * Differs when the namespaces do. The address of the nsproxy would not do: setns frees the old one, and the
 * one after the next is often made in its place. Two namespace objects in turn at one address, with all
 * others the same, remain: exec and exit compare inums, whatever the key says.
 */
static __always_inline __u64 namespaces_key(const struct nsproxy *nsproxy)
{
	__u64 key = POINTER_DIFFERENCE(nsproxy->mnt_ns, nsproxy->uts_ns);

	key = key * 31 + POINTER_DIFFERENCE(nsproxy->uts_ns, nsproxy->ipc_ns);
	key = key * 31 + POINTER_DIFFERENCE(nsproxy->ipc_ns, nsproxy->net_ns);
	key = key * 31 + POINTER_DIFFERENCE(nsproxy->net_ns, nsproxy->pid_ns_for_children);
	key = key * 31 + POINTER_DIFFERENCE(nsproxy->pid_ns_for_children, nsproxy->cgroup_ns);
	return key * 31 + POINTER_DIFFERENCE(nsproxy->cgroup_ns, nsproxy->time_ns_for_children);
}

static __always_inline void read_namespaces(const struct nsproxy *nsproxy, const struct cred *cred,
					    struct isoscope_ns_set *set)
{
	set->inum[ISOSCOPE_NS_MNT] = nsproxy->mnt_ns->ns.inum;
	set->inum[ISOSCOPE_NS_UTS] = nsproxy->uts_ns->ns.inum;
	set->inum[ISOSCOPE_NS_IPC] = nsproxy->ipc_ns->ns.inum;
	set->inum[ISOSCOPE_NS_NET] = nsproxy->net_ns->ns.inum;
	set->inum[ISOSCOPE_NS_PID] = nsproxy->pid_ns_for_children->ns.inum;
	set->inum[ISOSCOPE_NS_CGROUP] = nsproxy->cgroup_ns->ns.inum;
	set->inum[ISOSCOPE_NS_TIME] = nsproxy->time_ns_for_children->ns.inum;
	set->inum[ISOSCOPE_NS_USER] = cred->user_ns->ns.inum;
}

/* Never at a switch that has nothing to tell: these are calls. */
static __always_inline void read_exe(struct task_struct *task, struct isoscope_exe *exe)
{
	struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);

	exe->inode = BPF_CORE_READ(inode, i_ino);
	exe->device = BPF_CORE_READ(inode, i_sb, s_dev);
	exe->pad = 0;
}

/*
 * The record of a thread, or NULL. A thread whose slot was taken when it came is in the overflow map for
 * its whole life, also after the slot became free.
 */
static __always_inline struct task_record *find_task(__u32 tid)
{
	__u32 slot = tid & (knobs.task_slots - 1);
	struct task_record *record = bpf_map_lookup_elem(&tasks, &slot);

	if (record && record->tid == tid)
		return record;
	return bpf_map_lookup_elem(&tasks_overflow, &tid);
}

/* What its waits made up, in the clocks of the CPUs it waited for. Not of the one that is not over. */
static __always_inline __u64 run_delay_of(struct task_struct *task)
{
	return bpf_core_field_exists(task->sched_info.run_delay) ? task->sched_info.run_delay : 0;
}

static __always_inline void reset_record(struct task_record *record, struct task_struct *task,
					 __u64 home_cgroup_id)
{
	const struct nsproxy *nsproxy = task->nsproxy;

	record->vcpu = 0;
	record->namespaces_key = namespaces_key(nsproxy);
	record->nsproxy = 0;
	record->announced_key = 0;
	read_namespaces(nsproxy, task->real_cred, &record->namespaces);
	record->home_cgroup_id = home_cgroup_id;
	record->deferrals = 0;
	record->lost_mechanism = 0;
	record->lost_key = 0;
	record->answer = 0;
	record->lost_move = 0;
	record->told_state = 0;
	record->migrations = task->se.nr_migrations;
	record->switched_in_ns = bpf_ktime_get_ns(); /* it runs, since some time that is not known */
	record->runnable_ns = 0;
	record->run_delay = run_delay_of(task);
	record->preempted_by = 0;
	record->css_set = 0;
	record->account = 0;
	record->sched_cell = 0;
	record->epoch = 0;
	record->window = 0;
	__builtin_memset(&record->limits, 0, sizeof(record->limits));
}

/* One of these is the host's for every task of the host's own, and for few of a container's. */
static __always_inline bool is_contained(const struct task_record *record)
{
	const volatile struct isoscope_ns_set *host = &knobs.host_namespaces;

	return record->namespaces.inum[ISOSCOPE_NS_MNT] != host->inum[ISOSCOPE_NS_MNT] ||
	       record->namespaces.inum[ISOSCOPE_NS_PID] != host->inum[ISOSCOPE_NS_PID] ||
	       record->namespaces.inum[ISOSCOPE_NS_USER] != host->inum[ISOSCOPE_NS_USER];
}

/*
 * A record for a thread that has none. Only one CPU at a time makes the record of a thread: its parent before
 * it first runs, the CPU it runs on, or the one that wakes it up, under the lock of its run queue.
 */
static __noinline struct task_record *make_task(struct task_struct *task, __u64 home_cgroup_id)
{
	static const struct task_record empty;
	__u32 tid = task->pid;
	__u32 slot = tid & (knobs.task_slots - 1);
	struct task_record *record;

	record = bpf_map_lookup_elem(&tasks, &slot);
	if (!record)
		return NULL;
	if (__sync_val_compare_and_swap(&record->tid, 0, tid) != 0) {
		count(ISOSCOPE_TASK_COLLISION);
		if (bpf_map_update_elem(&tasks_overflow, &tid, &empty, BPF_ANY)) {
			count(ISOSCOPE_TASK_FULL);
			return NULL;
		}
		record = bpf_map_lookup_elem(&tasks_overflow, &tid);
		if (!record)
			return NULL;
		record->tid = tid;
	}
	reset_record(record, task, home_cgroup_id);
	return record;
}

static __always_inline struct task_record *find_or_make_task(struct task_struct *task)
{
	struct task_record *record = find_task(task->pid);

	return record ? record : make_task(task, task_cgroup_id(task));
}

static __always_inline void free_task(__u32 tid)
{
	__u32 slot = tid & (knobs.task_slots - 1);
	struct task_record *in_table = bpf_map_lookup_elem(&tasks, &slot);

	if (in_table && in_table->tid == tid)
		in_table->tid = 0;
	else
		bpf_map_delete_elem(&tasks_overflow, &tid);
}

#endif
