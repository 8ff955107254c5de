// SPDX-License-Identifier: GPL-2.0-only
/*
 * Crossings that the kernel itself refuses: setns, unshare and clone that fail for want of a permission, or
 * at a limit. What seccomp refuses does not come this far. Loaded where somebody asked for attempts, since
 * each fork passes here.
 */
#include "lib/maps.bpf.h"
#include "lib/access.bpf.h"

#define EPERM 1
#define EACCES 13
#define ENOSPC 28 /* user.max_*_namespaces */
#define EUSERS 87 /* the same, of user namespaces up to 4.8 and where they are nested too deep */

/* include/uapi/linux/sched.h */
#define CLONE_NEWTIME 0x00000080
#define CLONE_NEWNS 0x00020000
#define CLONE_NEWCGROUP 0x02000000
#define CLONE_NEWUTS 0x04000000
#define CLONE_NEWIPC 0x08000000
#define CLONE_NEWUSER 0x10000000
#define CLONE_NEWPID 0x20000000
#define CLONE_NEWNET 0x40000000
#define ALL_NAMESPACES                                                                                 \
	(CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET)

static __always_inline bool is_refusal(long result)
{
	return result == -EPERM || result == -EACCES || result == -ENOSPC || result == -EUSERS;
}

/* NULL: the descriptor is of something else, as a pidfd. The file of a namespace has it in its inode (nsfs).
 */
static __always_inline struct ns_common *namespace_of(__u32 fd)
{
	const __u64 nsfs_magic = 0x6e736673;
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = NULL;
	struct inode *inode;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	inode = BPF_CORE_READ(file, f_inode);
	return BPF_CORE_READ(inode, i_sb, s_magic) == nsfs_magic ? BPF_CORE_READ(inode, i_private) : NULL;
}

static __always_inline int on_setns(__u32 fd, __u32 flags, long result)
{
	struct access what = {.kind = ISOSCOPE_ACCESS_SETNS, .detail = flags, .result = result};
	struct ns_common *namespace;

	if (!is_refusal(result))
		return 0;
	namespace = namespace_of(fd);
	what.target_inum = BPF_CORE_READ(namespace, inum);
	if (!flags) /* of whatever type it is */
		what.detail = BPF_CORE_READ(namespace, ops, type);
	return report_access(&what);
}

static __always_inline int on_new_namespaces(__u32 kind, __u64 flags, long result)
{
	struct access what = {.kind = kind, .detail = flags & ALL_NAMESPACES, .result = result};

	return what.detail && is_refusal(result) ? report_access(&what) : 0;
}

/* long __x64_sys_setns(const struct pt_regs *regs), of 64-bit programs and of x32 */
SEC("?fexit/__x64_sys_setns")
int BPF_PROG(handle_setns, const struct pt_regs *regs, long result)
{
	return on_setns(regs->di, regs->si, result);
}

/* long __ia32_sys_setns(const struct pt_regs *regs), of 32-bit programs, and by int 0x80 of others */
SEC("?fexit/__ia32_sys_setns")
int BPF_PROG(handle_setns_32, const struct pt_regs *regs, long result)
{
	return on_setns(regs->bx, regs->cx, result);
}

SEC("?fexit/__x64_sys_unshare")
int BPF_PROG(handle_unshare, const struct pt_regs *regs, long result)
{
	return on_new_namespaces(ISOSCOPE_ACCESS_UNSHARE, regs->di, result);
}

SEC("?fexit/__ia32_sys_unshare")
int BPF_PROG(handle_unshare_32, const struct pt_regs *regs, long result)
{
	return on_new_namespaces(ISOSCOPE_ACCESS_UNSHARE, regs->bx, result);
}

/* pid_t kernel_clone(struct kernel_clone_args *args): clone, clone3 and the forks */
SEC("?fexit/kernel_clone")
int BPF_PROG(handle_kernel_clone, struct kernel_clone_args *args, int result)
{
	return on_new_namespaces(ISOSCOPE_ACCESS_CLONE, args->flags, result);
}
