// SPDX-License-Identifier: GPL-2.0-only
/* cgroups of the hierarchy that is followed: made, removed, and tasks moved into them. */
#include "lib/maps.bpf.h"
#include "lib/account.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/move.bpf.h"
#include "lib/task.bpf.h"

static __always_inline bool is_followed(struct cgroup *cgrp)
{
	return (__u32)BPF_CORE_READ(cgrp, root, hierarchy_id) == knobs.cgroup_hierarchy_id;
}

/*
 * The parent's id and the own name; userspace puts the path together. Not through kernfs_node.parent, which
 * became `__parent` in 6.15.
 */
static __always_inline int report_cgroup(struct cgroup *cgrp, __u16 kind)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct cgroup_subsys_state *parent_css;
	struct isoscope_cgroup_change event;
	struct cgroup *parent;
	long name_bytes;
	__u64 size;

	if (!is_followed(cgrp))
		return 0;
	parent_css = BPF_CORE_READ(cgrp, self.parent);
	parent = (void *)parent_css - bpf_core_field_offset(struct cgroup, self);
	event.id = BPF_CORE_READ(cgrp, kn, id);
	event.parent_id = parent_css ? BPF_CORE_READ(parent, kn, id) : 0;
	event.level = BPF_CORE_READ(cgrp, level);
	name_bytes = bpf_probe_read_kernel_str(event.name, sizeof(event.name), BPF_CORE_READ(cgrp, kn, name));
	if (name_bytes <= 0 || name_bytes > (long)sizeof(event.name)) {
		event.name[0] = 0;
		name_bytes = 1;
	}
	event.name_bytes = name_bytes;
	size = __builtin_offsetof(struct isoscope_cgroup_change, name) + (name_bytes & 0x1ff);
	if (size > sizeof(event)) /* cannot be; tells the verifier so */
		return 0;
	fill_header(&event.header, size, kind, ISOSCOPE_CLASS_LIFECYCLE, task, task_cgroup_id(task),
		    bpf_ktime_get_ns());
	output_lifecycle(&event, size);
	return 0;
}

/* TP_PROTO(struct cgroup *cgrp, const char *path) */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(handle_cgroup_mkdir, struct cgroup *cgrp)
{
	return report_cgroup(cgrp, ISOSCOPE_KIND_CGROUP_MKDIR);
}

/* TP_PROTO(struct cgroup *cgrp, const char *path) */
SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(handle_cgroup_rmdir, struct cgroup *cgrp)
{
	return report_cgroup(cgrp, ISOSCOPE_KIND_CGROUP_RMDIR);
}

/*
 * TP_PROTO(struct cgroup *dst_cgrp, const char *path, struct task_struct *task, bool threadgroup). A task
 * cloned straight into a cgroup passes no such event: sched_process_fork tells of it.
 */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(handle_cgroup_attach_task, struct cgroup *dst, const char *path, struct task_struct *task)
{
	struct task_record *record = find_task(task->pid);
	struct move move = {
	    .mover = bpf_get_current_task_btf(),
	    .moved = task,
	    .home_cgroup_id = record ? record->home_cgroup_id : 0,
	    .mechanism = ISOSCOPE_MECHANISM_CGROUP_ATTACH,
	};

	if (record)
		record->css_set = 0;
	if (record && task->pid == move.mover->pid)
		divide_run(task, record);
	if (!is_followed(dst))
		return 0;
	move.to_cgroup_id = BPF_CORE_READ(dst, kn, id);
	if (!report_move(&move)) {
		lose_move(record, move.mechanism);
		return 0;
	}
	if (record && record->lost_move) {
		count(ISOSCOPE_MOVE_GONE); /* where it was in between */
		record->lost_move = 0;
	}
	return 0;
}
