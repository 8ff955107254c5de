// SPDX-License-Identifier: GPL-2.0-only
/* The event path: setns and unshare, announced when they switch namespaces and reported when they commit. */
#include "lib/maps.bpf.h"
#include "lib/compat.bpf.h"
#include "lib/isolation.bpf.h"

/* void switch_task_namespaces(struct task_struct *p, struct nsproxy *new); new is NULL when a task exits. */
SEC("?fentry/switch_task_namespaces")
int BPF_PROG(handle_switch_task_namespaces, struct task_struct *task, struct nsproxy *new)
{
	struct task_record *record;

	if (!new || !task->pid)
		return 0;
	record = find_or_make_task(task);
	if (record) {
		record->announced_key = namespaces_key(new);
		record->deferrals = 0;
	}
	return 0;
}

/*
 * void perf_event_namespaces(struct task_struct *task): called by setns and unshare after their commit,
 * whether or not perf is in use. fork calls it too, for the child; sched_process_fork has the child in hand
 * already.
 */
SEC("?fentry/perf_event_namespaces")
int BPF_PROG(handle_perf_event_namespaces, struct task_struct *task)
{
	struct task_struct *current_task = bpf_get_current_task_btf();
	struct task_record *record;

	if (task->pid != current_task->pid)
		return 0;
	record = find_task(task->pid);
	if (!record)
		return 0; /* no place was left for it, and that was counted */
	report_namespaces(task, record, running_mechanism(current_task), ISOSCOPE_SEEN_AT_COMMIT);
	/* Not before: preempted in between, the state check would take a legal change for one without a
	 * system call. */
	record->announced_key = 0;
	return 0;
}
