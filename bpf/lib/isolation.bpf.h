/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Namespaces of a task against its record. State decides: whatever changed a task's namespaces, the change is
 * found here, at the commit of the system call or, failing that, when the task next leaves a CPU, executes
 * a program or exits.
 */
#ifndef ISOSCOPE_ISOLATION_BPF_H
#define ISOSCOPE_ISOLATION_BPF_H

#include "lib/emit.bpf.h"
#include "lib/enforce.bpf.h"
#include "lib/initial.bpf.h"
#include "lib/task.bpf.h"

/*
 * Between switch_task_namespaces and the commit of setns or unshare the task may be preempted or sleep, but
 * not often. A change still announced after this many looks was not made by a system call.
 */
#define MAX_DEFERRALS 16

static __always_inline bool same_namespaces(const struct isoscope_ns_set *a, const struct isoscope_ns_set *b)
{
	__u32 differs = 0;

#pragma unroll
	for (int i = 0; i < ISOSCOPE_NS_COUNT; i++)
		differs |= a->inum[i] ^ b->inum[i];
	return !differs;
}

/*
 * A number for what a task has, never 0. By inums too: a new user namespace alone leaves the key as it is.
 * Who does not know where the kernel has its namespaces cannot make two states that have the same number.
 */
static __always_inline __u32 state_of(__u64 key, const struct isoscope_ns_set *set)
{
	__u64 state = key;

#pragma unroll
	for (int i = 0; i < ISOSCOPE_NS_COUNT; i++) {
		state = (state ^ set->inum[i]) * 0x9e3779b97f4a7c15;
		state ^= state >> 32;
	}
	return state | 1;
}

static __always_inline void fill_change(struct isoscope_namespaces *event, struct task_struct *task,
					const struct isoscope_ns_set *from, const struct isoscope_ns_set *to,
					__u64 home_cgroup_id)
{
	fill_header(&event->header, sizeof(*event), ISOSCOPE_KIND_NAMESPACES, ISOSCOPE_CLASS_SECURITY, task,
		    task_cgroup_id(task), bpf_ktime_get_ns());
	event->from = *from;
	event->to = *to;
	event->home_cgroup_id = home_cgroup_id;
	event->start_ns = task->start_boottime;
	event->cap_effective = 0;
	bpf_core_read(&event->cap_effective, sizeof(event->cap_effective), &task->real_cred->cap_effective);
	event->parent_tgid = BPF_CORE_READ(task, real_parent, tgid);
	event->uid = BPF_CORE_READ(task, real_cred, uid.val);
	__builtin_memset(event->pad, 0, sizeof(event->pad));
	bpf_core_read(event->comm, sizeof(event->comm), &task->comm);
	read_exe(task, &event->exe);
}

/* From here on the record says what the task has, and everybody was told. */
static __always_inline void settle(struct task_record *record, __u64 key, const struct isoscope_ns_set *now)
{
	record->namespaces_key = key;
	record->namespaces = *now;
	record->lost_mechanism = 0;
	record->answer = 0;
	record->lost_key = 0;
	record->told_state = 0;
	record->limits.real_cred = 0; /* it may be contained only now: the next switch looks at everything */
}

/*
 * Reports what differs between the record and the task. The record takes over the new state only when the
 * report is on its way: if the ring is full, the next check finds the difference again, and a loss is a
 * delay.
 */
static __noinline int report_namespaces(struct task_struct *task, struct task_record *record, __u32 mechanism,
					__u32 seen_at)
{
	const struct nsproxy *nsproxy = task->nsproxy;
	__u64 key = namespaces_key(nsproxy);
	struct isoscope_namespaces *event;
	struct isoscope_ns_set now;
	bool initial;

	count(ISOSCOPE_NAMESPACE_CHECKS);
	read_namespaces(nsproxy, task->real_cred, &now);
	record->deferrals = 0;
	record->nsproxy = 0; /* the next switch compares the whole key */
	if (record->told_state && record->told_state == state_of(key, &now)) {
		settle(record, key, &now);
		return 0;
	}
	if (record->told_state) /* and then it changed again */
		record->lost_key = record->told_state = record->answer = 0;
	/* Where it was in between was not told, and is nowhere to be seen any more. */
	if (record->lost_key && record->lost_key != key)
		count(ISOSCOPE_CROSSING_GONE);
	if (same_namespaces(&record->namespaces, &now)) {
		settle(record, key, &now);
		return 0;
	}
	count(ISOSCOPE_NAMESPACE_CHANGES);
	/* What a dropped record would have said still holds; with a further change on top, no one mechanism
	 * does. */
	if (record->lost_key)
		mechanism = record->lost_key == key ? record->lost_mechanism : ISOSCOPE_MECHANISM_UNKNOWN;
	initial = came_to_initial_namespaces(nsproxy, &record->namespaces, &now);
	/*
	 * Whether the record finds room or not. Not at fork, where it is the parent that runs, nor of who
	 * ends by itself. At a switch the task that leaves the CPU is still the one that runs.
	 */
	if (control.enforced && record->answer != ISOSCOPE_ANSWER_KILLED &&
	    seen_at != ISOSCOPE_SEEN_AT_FORK && seen_at != ISOSCOPE_SEEN_AT_EXIT)
		record->answer =
		    answer_change(record->home_cgroup_id, &record->namespaces, &now, mechanism, initial);
	event = reserve(security, struct isoscope_namespaces, ISOSCOPE_CLASS_SECURITY);
	if (!event) {
		record->lost_mechanism = mechanism;
		record->lost_key = key;
		return 0;
	}
	fill_change(event, task, &record->namespaces, &now, record->home_cgroup_id);
	event->mechanism = mechanism;
	event->seen_at = seen_at;
	event->initial = initial;
	event->answer = record->answer;
	submit_urgent(event);
	settle(record, key, &now);
	return 0;
}

/*
 * How many switches of a task pass between two compares of its whole key; the pointer to the nsproxy is
 * compared at every one. What that cannot see stays, and is found some switches later: a write into the
 * nsproxy itself and, where no hook of its own sees each legal change, an even number of them since the last
 * look, after which the old address may be in use again.
 */
#define SWITCHES_PER_KEY 16
#define SWITCHES_PER_KEY_UNWATCHED 4

static __always_inline bool may_skip_key(const struct nsproxy *nsproxy, struct task_record *record)
{
	if (record->nsproxy != (__u64)nsproxy || record->told_state)
		return false;
	return ++record->switches_since_key %
	       (knobs.legal_paths_watched ? SWITCHES_PER_KEY : SWITCHES_PER_KEY_UNWATCHED);
}

/*
 * The state path: a compare at every switch, and of inums at exec and exit. An exiting task has given its
 * namespaces back: nsproxy is NULL from then on.
 */
static __always_inline void check_namespaces(struct task_struct *task, struct task_record *record,
					     __u32 seen_at)
{
	const struct nsproxy *nsproxy = task->nsproxy;
	__u64 key;

	if (!nsproxy)
		return;
	if (seen_at == ISOSCOPE_SEEN_AT_SWITCH) {
		if (may_skip_key(nsproxy, record))
			return;
		key = namespaces_key(nsproxy);
		if (key == record->namespaces_key && !record->lost_key && !record->told_state) {
			record->nsproxy = (__u64)nsproxy;
			return;
		}
		if (key == record->announced_key && record->deferrals < MAX_DEFERRALS) {
			record->deferrals++;
			return;
		}
	}
	report_namespaces(task, record,
			  knobs.legal_paths_watched ? ISOSCOPE_MECHANISM_NONE : ISOSCOPE_MECHANISM_UNKNOWN,
			  seen_at);
}

#endif
