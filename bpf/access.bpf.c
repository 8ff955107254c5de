// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access across units without a change of namespaces: ptrace and /proc/PID, signals, sockets of the host,
 * files that are handed over, helpers that the kernel runs for root, modules and BPF programs. Only of tasks
 * that are not in the host's own namespaces; whose unit they are, userspace knows. Each hook but those of
 * signals and modules needs fentry.
 */
#include "lib/maps.bpf.h"
#include "lib/access.bpf.h"

/* include/linux/ptrace.h: asked by ps and others for what anybody may see, and allowed to fail in silence. */
#define PTRACE_MODE_NOAUDIT 0x04

/* int security_ptrace_access_check(struct task_struct *child, unsigned int mode) */
SEC("?fexit/security_ptrace_access_check")
int BPF_PROG(handle_ptrace_access_check, struct task_struct *child, unsigned int mode, int result)
{
	struct access what = {
	    .kind = ISOSCOPE_ACCESS_PTRACE, .detail = mode, .result = result, .target = child};

	if (mode & PTRACE_MODE_NOAUDIT)
		return 0;
	return report_access(&what);
}

/*
 * TP_PROTO(int sig, struct kernel_siginfo *info, struct task_struct *task, int group, int result). Only what
 * a system call sends: kill, tgkill, sigqueue. The kernel's own have a positive code, or no info at all.
 */
SEC("tp_btf/signal_generate")
int BPF_PROG(handle_signal_generate, int sig, struct kernel_siginfo *info, struct task_struct *task)
{
	const int si_user = 0, si_queue = -1, si_tkill = -6;
	struct access what = {.kind = ISOSCOPE_ACCESS_SIGNAL, .detail = sig, .target = task};
	int code = si_user;

	/* include/linux/sched/signal.h: SEND_SIG_NOINFO is 0, SEND_SIG_PRIV 1. */
	if ((__u64)info == 1)
		return 0;
	if (info && bpf_core_read(&code, sizeof(code), &info->si_code))
		return 0;
	if (code != si_user && code != si_queue && code != si_tkill)
		return 0;
	return report_access(&what);
}

/* int security_unix_stream_connect(struct sock *sock, struct sock *other, struct sock *newsk) */
SEC("?fentry/security_unix_stream_connect")
int BPF_PROG(handle_unix_stream_connect, struct sock *sock, struct sock *other)
{
	struct access what = {.kind = ISOSCOPE_ACCESS_UNIX_CONNECT};
	struct unix_address *address;

	if (!bpf_core_type_exists(struct unix_sock))
		return 0;
	what.target_pid = BPF_CORE_READ(other, sk_peer_pid, numbers[0].nr); /* who listens */
	address = BPF_CORE_READ((struct unix_sock *)other, addr);
	if (address)
		what.path = (void *)address->name + bpf_core_field_offset(struct sockaddr_un, sun_path);
	return report_access(&what);
}

/* int security_file_receive(struct file *file): by SCM_RIGHTS, pidfd_getfd or seccomp's notifier. */
SEC("?fentry/security_file_receive")
int BPF_PROG(handle_file_receive, struct file *file)
{
	struct access what = {.kind = ISOSCOPE_ACCESS_FILE_RECEIVED};
	struct vfsmount *mount = BPF_CORE_READ(file, f_path.mnt);

	what.detail = mount_namespace_of(mount);
	/* Pipes, sockets and memory files are on no mount of anybody's. */
	if (!what.detail || !is_foreign_mount(what.detail))
		return 0;
	what.path = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	return report_access(&what);
}

/* ssize_t cgroup_release_agent_write(struct kernfs_open_file *of, char *buf, size_t nbytes, loff_t off) */
SEC("?fentry/cgroup_release_agent_write")
int BPF_PROG(handle_release_agent_write, struct kernfs_open_file *of, char *text)
{
	struct access what = {.kind = ISOSCOPE_ACCESS_RELEASE_AGENT, .path = text};

	return report_access(&what);
}

/* int proc_dostring_coredump(struct ctl_table *table, int write, void *buffer, size_t *lenp, loff_t *ppos) */
SEC("?fentry/proc_dostring_coredump")
int BPF_PROG(handle_core_pattern, struct ctl_table *table, int write, void *text)
{
	struct access what = {.kind = ISOSCOPE_ACCESS_CORE_PATTERN, .path = text};

	return write ? report_access(&what) : 0;
}

/* int call_usermodehelper_exec(struct subprocess_info *sub_info, int wait) */
SEC("?fentry/call_usermodehelper_exec")
int BPF_PROG(handle_usermodehelper, struct subprocess_info *helper)
{
	struct access what = {.kind = ISOSCOPE_ACCESS_USERMODE_HELPER};

	what.path = BPF_CORE_READ(helper, path);
	return report_access(&what);
}

/* TP_PROTO(struct module *mod) */
SEC("?tp_btf/module_load")
int BPF_PROG(handle_module_load, struct module *module)
{
	struct access what = {.kind = ISOSCOPE_ACCESS_MODULE_LOAD, .path = module->name};

	return report_access(&what);
}

/* int security_bpf(int cmd, union bpf_attr *attr, unsigned int size) */
SEC("?fentry/security_bpf")
int BPF_PROG(handle_bpf, int command)
{
	struct access what = {.kind = ISOSCOPE_ACCESS_BPF, .detail = command};

	return command == BPF_PROG_LOAD ? report_access(&what) : 0;
}
