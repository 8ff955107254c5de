/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Invariants of a contained task's credentials, system call filter and pid namespace: what no legal path
 * changes. A task that breaks one was written to by something that is no system call. A miss is better than a
 * false alarm here: where the kernel has a rare way to a state, that state is none of a breach.
 */
#ifndef ISOSCOPE_LIMITS_BPF_H
#define ISOSCOPE_LIMITS_BPF_H

#include "lib/initial.bpf.h"
#include "lib/task.bpf.h"

/* include/linux/sched.h. Workers of io_uring may be made with the credentials that one request asked for. */
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000
#define PFA_NO_NEW_PRIVS 0

/* no_new_privs in bit 0, the mode of seccomp above it. */
static __always_inline __u8 read_locks(struct task_struct *task)
{
	__u8 locks = task->atomic_flags >> PFA_NO_NEW_PRIVS & 1;

	if (bpf_core_field_exists(task->seccomp.mode))
		locks |= task->seccomp.mode << 1;
	return locks;
}

/* 0: not known; a task that was waited for has no id any more. */
static __always_inline __u32 own_pid_namespace(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid *innermost;

	if (!pid)
		return 0;
	innermost = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
		    BPF_CORE_READ(pid, level) * bpf_core_type_size(struct upid);
	return BPF_CORE_READ(innermost, ns, ns.inum);
}

/*
 * Holds everything against the record of the running task. Not static: the verifier goes through it once, and
 * not once for every way that leads here.
 */
int judge_limits(__u32 seen_at);

/*
 * Of the running task: everything, wherever something may have changed. A task that was contained once is
 * watched to its end: leaving its namespaces must not be a way out of this. An exiting task has given its
 * namespaces back, and may have been waited for.
 */
static __always_inline void look_at_limits(struct task_struct *task, const struct cred *cred,
					   struct task_record *record, __u8 seen_at)
{
	struct task_limits *known = &record->limits;

	/* A call, and not a load for the verifier to search types for: what leads here is rare. */
	if (!BPF_CORE_READ(task, nsproxy))
		return;
	if ((task->flags & (PF_KTHREAD | PF_IO_WORKER)) || (!known->watched && !is_contained(record))) {
		known->real_cred = (__u64)cred;
		known->locks = read_locks(task);
		return;
	}
	judge_limits(seen_at);
}

/* At switches, which are many. What changes legally comes by commit_creds or prctl, and is looked at once. */
static __always_inline void check_limits(struct task_struct *task, struct task_record *record, __u8 seen_at)
{
	const struct task_limits *known = &record->limits;
	const struct cred *cred = task->real_cred;

	if (known->real_cred != (__u64)cred || known->locks != read_locks(task))
		look_at_limits(task, cred, record, seen_at);
}

/*
 * A child begins with what is known of its parent, so that nothing is lost that could not be told, and is
 * looked at when it first leaves a CPU, or executes a program.
 */
static __always_inline void inherit_limits(struct task_struct *parent, struct task_record *of_parent,
					   struct task_struct *child, struct task_record *of_child)
{
	struct task_limits *limits = &of_child->limits;

	if (!of_parent->limits.watched)
		return;
	check_limits(parent, of_parent, ISOSCOPE_SEEN_AT_FORK);
	*limits = of_parent->limits;
	limits->real_cred = 0;
	limits->task = (__u64)child;
	limits->pid_inum = own_pid_namespace(child);
	limits->exec_id = child->self_exec_id;
}

#endif
