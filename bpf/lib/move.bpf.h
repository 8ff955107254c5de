/* SPDX-License-Identifier: GPL-2.0-only */
/* A task comes into another cgroup of the hierarchy that is followed. */
#ifndef ISOSCOPE_MOVE_BPF_H
#define ISOSCOPE_MOVE_BPF_H

#include "lib/emit.bpf.h"
#include "lib/task.bpf.h"

struct move {
	struct task_struct *mover; /* or its parent */
	struct task_struct *moved;
	__u64 to_cgroup_id;
	__u64 home_cgroup_id; /* of the moved task; 0: not known */
	__u32 mechanism;
};

/* False: the ring is full. */
static __always_inline bool report_move(const struct move *move)
{
	struct task_struct *moved = move->moved;
	struct isoscope_cgroup_attach *event;

	event = reserve(security, struct isoscope_cgroup_attach, ISOSCOPE_CLASS_LIFECYCLE);
	if (!event)
		return false;
	fill_header(&event->header, sizeof(*event), ISOSCOPE_KIND_CGROUP_ATTACH, ISOSCOPE_CLASS_LIFECYCLE,
		    move->mover, task_cgroup_id(move->mover), bpf_ktime_get_ns());
	event->to_cgroup_id = move->to_cgroup_id;
	event->home_cgroup_id = move->home_cgroup_id;
	event->moved_tgid = moved->tgid;
	event->moved_tid = moved->pid;
	bpf_core_read(event->comm, sizeof(event->comm), &moved->comm);
	event->mechanism = move->mechanism;
	read_exe(moved, &event->exe);
	__builtin_memset(event->pad, 0, sizeof(event->pad));
	submit(event);
	return true;
}

/*
 * What was dropped is told by a walk over all tasks: by then the task may be elsewhere again, and then only
 * the last of its moves is known.
 */
static __always_inline void lose_move(struct task_record *record, __u32 mechanism)
{
	if (!record || record->lost_move)
		count(ISOSCOPE_MOVE_GONE);
	if (!record)
		return;
	record->lost_move = mechanism;
	ask_for_recheck();
}

#endif
