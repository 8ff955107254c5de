/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether an access crosses units as far as the kernel side can tell, and reporting it. */
#ifndef ISOSCOPE_ACCESS_BPF_H
#define ISOSCOPE_ACCESS_BPF_H

#include "lib/emit.bpf.h"
#include "lib/task.bpf.h"

/* What a hook saw. The subject is the running task. */
struct access {
	__u32 kind;   /* enum isoscope_access_kind */
	__u32 detail; /* see struct isoscope_access */
	__s32 result;
	__u32 target_pid;
	__u32 target_inum;	    /* of a namespace */
	struct task_struct *target; /* NULL: none, or known by its pid alone */
	const void *path;	    /* text in the kernel's memory; NULL: none */
};

/* 0: none, as that of pipes and of what was unmounted. */
static __always_inline __u32 mount_namespace_of(struct vfsmount *vfsmount)
{
	struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);

	return vfsmount ? BPF_CORE_READ(mount, mnt_ns, ns.inum) : 0;
}

static __always_inline bool is_foreign_mount(__u32 inum)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return inum != task->nsproxy->mnt_ns->ns.inum;
}

/*
 * The same again within a second is counted and not told: a program that looks at every process of the host
 * does so many times a second.
 */
static __always_inline bool is_repeated(const struct access_key *key, __u64 now)
{
	const __u64 quiet_ns = 1000000000;
	__u64 *last = bpf_map_lookup_elem(&accesses, key);

	if (!last || now - *last >= quiet_ns)
		return false;
	count(ISOSCOPE_ACCESS_FOLDED);
	return true;
}

static __always_inline __u32 read_access_path(struct isoscope_access *event, const void *path)
{
	long bytes = 0;

	event->path[0] = 0;
	if (path)
		bytes = bpf_probe_read_kernel_str(event->path, sizeof(event->path), path);
	/* The name of an abstract socket begins with a zero byte, and is written with an @ for it. */
	if (bytes == 1 && event->kind == ISOSCOPE_ACCESS_UNIX_CONNECT) {
		bytes = bpf_probe_read_kernel_str(event->path + 1, sizeof(event->path) - 1, path + 1);
		if (bytes > 1) {
			event->path[0] = '@';
			bytes++;
		}
	}
	if (bytes <= 0 || bytes > (long)sizeof(event->path)) {
		event->path[0] = 0;
		bytes = 1;
	}
	return bytes;
}

/* 0: nobody, or not known. */
static __always_inline __u64 home_of_target(const struct access *what)
{
	__u32 pid = what->target ? what->target->pid : what->target_pid;
	struct task_record *record = pid ? find_task(pid) : NULL;
	__u64 home = 0;

	if (record) {
		home = record->home_cgroup_id;
		/* Else this load and the one below become one, of two kinds of pointers, which is refused. */
		barrier_var(home);
	} else if (what->target) {
		home = task_cgroup_id(what->target);
	}
	return home;
}

static __always_inline bool emit_access(struct task_struct *task, const struct task_record *record,
					const struct access *what, __u64 target_cgroup_id, __u64 now)
{
	struct isoscope_access event;
	__u64 size;

	event.kind = what->kind;
	event.detail = what->detail;
	event.result = what->result;
	event.target_inum = what->target_inum;
	event.home_cgroup_id = record->home_cgroup_id;
	event.start_ns = task->start_boottime;
	event.cap_effective = 0;
	bpf_core_read(&event.cap_effective, sizeof(event.cap_effective), &task->real_cred->cap_effective);
	event.parent_tgid = BPF_CORE_READ(task, real_parent, tgid);
	event.uid = BPF_CORE_READ(task, real_cred, uid.val);
	bpf_core_read(event.comm, sizeof(event.comm), &task->comm);
	read_exe(task, &event.exe);
	event.target_cgroup_id = target_cgroup_id;
	event.target_in_cgroup_id = what->target ? task_cgroup_id(what->target) : 0;
	event.target_tgid = what->target ? what->target->tgid : what->target_pid;
	event.path_bytes = read_access_path(&event, what->path);
	size = __builtin_offsetof(struct isoscope_access, path) + (event.path_bytes & 0xff);
	if (size > sizeof(event)) /* cannot be; tells the verifier so */
		return false;
	fill_header(&event.header, size, ISOSCOPE_KIND_ACCESS, ISOSCOPE_CLASS_SECURITY, task,
		    task_cgroup_id(task), now);
	if (output_security(&event, size))
		return true;
	count(ISOSCOPE_ACCESS_GONE);
	return false;
}

/* Without a target it is the kernel's, or the host's. */
static __always_inline int report_access(const struct access *what)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_record *record = find_task(task->pid);
	struct access_key key = {.kind = what->kind, .detail = what->detail};
	__u64 target_cgroup_id, now;

	if (!record || !is_contained(record))
		return 0;
	target_cgroup_id = home_of_target(what);
	key.home_cgroup_id = record->home_cgroup_id;
	if (target_cgroup_id == key.home_cgroup_id)
		return 0;
	/* An attempt has no target but perhaps a namespace; inums are above all ids of cgroups. */
	key.target_cgroup_id = target_cgroup_id ? target_cgroup_id : what->target_inum;
	now = bpf_ktime_get_ns();
	/*
	 * Only what was told quiets the next. Least recently used entries make room: nothing is lost but a
	 * fold.
	 */
	if (!is_repeated(&key, now) && emit_access(task, record, what, target_cgroup_id, now))
		bpf_map_update_elem(&accesses, &key, &now, BPF_ANY);
	return 0;
}

#endif
