/* SPDX-License-Identifier: GPL-2.0-only */
/* Every quirk of a kernel version or an architecture, each with its origin and when it can go. */
#ifndef ISOSCOPE_COMPAT_BPF_H
#define ISOSCOPE_COMPAT_BPF_H

#include "lib/maps.bpf.h"

/* include/linux/sched.h; the same numbers since 4.14. */
#define TASK_DEAD 0x80
/* TASK_NEW, TASK_WAKING and TASK_DEAD; 0 is running. In every other state a task sleeps, or is about to. */
#define TASK_NOT_ASLEEP (0x800 | 0x200 | TASK_DEAD)
/* include/uapi/asm-generic/errno-base.h */
#define EEXIST 17

/*
 * Whether the task leaves the CPU because its group is out of quota (cpu.max). Kernels without
 * CONFIG_CFS_BANDWIDTH have none. A task of the same group that comes in its place tells that it is not; the
 * counter is in a line of the cfs_rq that nothing else reads at a switch.
 */
static __always_inline bool is_throttled(struct task_struct *task, struct task_struct *next)
{
	if (!bpf_core_field_exists(task->se.cfs_rq) ||
	    !bpf_core_field_exists(task->se.cfs_rq->throttle_count))
		return false;
	if (task->se.cfs_rq == next->se.cfs_rq)
		return false;
	return task->se.cfs_rq->throttle_count > 0;
}

/*
 * 2f064a59a11f ("sched: Change task_struct::state", 5.14) renamed task->state. Needed only for kernels whose
 * sched_switch does not carry prev_state (before fa2c3254d7cf, 5.18); goes when 5.15 is no longer supported.
 */
struct task_struct___before_5_14 {
	volatile long state;
} __attribute__((preserve_access_index));

static __always_inline __u32 task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return BPF_CORE_READ((struct task_struct___before_5_14 *)task, state);
}

/*
 * a35b9af4ec2c ("bpf: Add a kfunc for generic type cast", 6.2): what is read through the result of
 * bpf_rdonly_cast is one load, and 0 if it faults, in place of a call of about 95 instructions. The type must
 * be a struct of vmlinux' own BTF; timespec64 stands for 64 bits. The call goes when 6.1 is no longer
 * supported.
 */
extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __ksym __weak;

static __always_inline __u64 load_u64(const void *from)
{
	struct timespec64 *bits = bpf_rdonly_cast((void *)from, bpf_core_type_id_kernel(struct timespec64));

	return bits->tv_sec;
}

/*
 * "KVM: VMX: Add struct vcpu_vt" moved exit_reason into a part shared with TDX (6.16); before the union it
 * was a plain u32 (8e53324021645, 5.11), which has the same size and place.
 */
struct vcpu_vt___vt {
	union vmx_exit_reason exit_reason;
} __attribute__((preserve_access_index));

struct vcpu_vmx___vt {
	struct vcpu_vt___vt vt;
} __attribute__((preserve_access_index));

static __always_inline bool read_vmx_reason(struct kvm_vcpu *vcpu, __u32 *reason)
{
	struct vcpu_vmx___vt *vt = (void *)vcpu;
	struct vcpu_vmx *vmx = (void *)vcpu;
	const void *from = bpf_core_field_exists(vt->vt.exit_reason) ? (void *)&vt->vt.exit_reason
								     : (void *)&vmx->exit_reason;

	if (knobs.has_cast) {
		*reason = load_u64(from);
		return true;
	}
	return !bpf_probe_read_kernel(reason, sizeof(*reason), from);
}

/*
 * exit_code is 32 bits wide, 64 from 6.20 on: negative means invalid, and the low half is the code either
 * way.
 *
 * Where the VMCB is, is remembered where each read through a pointer costs about 95 instructions. svm->vmcb
 * changes when the vCPU enters or leaves its own guest (svm_switch_vmcb), and so does a bit of hflags. A vCPU
 * of the thread's next VM may be at the same address: KVM counts its exits from 0.
 */
static __always_inline bool read_svm_reason(struct kvm_vcpu *vcpu, struct isoscope_svm_cache *cache,
					    __u32 *reason)
{
	struct vcpu_svm *svm = (void *)vcpu;
	struct vmcb *vmcb;
	__u64 exits;

	if (knobs.has_cast) {
		vmcb = (struct vmcb *)load_u64(&svm->vmcb);
		*reason = load_u64(&vmcb->control.exit_code);
		return vmcb != NULL;
	}
	exits = vcpu->stat.exits;
	if (cache->vcpu != (__u64)vcpu || cache->hflags != vcpu->arch.hflags || exits < cache->exits) {
		if (bpf_core_read(&vmcb, sizeof(vmcb), &svm->vmcb))
			return false;
		cache->vcpu = (__u64)vcpu;
		cache->hflags = vcpu->arch.hflags;
		cache->vmcb = (__u64)vmcb;
	}
	cache->exits = exits;
	vmcb = (struct vmcb *)cache->vmcb;
	return !bpf_core_read(reason, sizeof(*reason), &vmcb->control.exit_code);
}

/* KVM copies it from the VMCB after every run; of an encrypted guest (SEV-ES) it cannot. 0: not known. */
static __always_inline __u64 read_svm_rip(struct kvm_vcpu *vcpu)
{
	const int rip = 16; /* VCPU_REGS_RIP */

	return vcpu->arch.guest_state_protected ? 0 : vcpu->arch.regs[rip];
}

/*
 * Which system call is running, by its number. bpf_task_pt_regs exists since 5.15; the numbers of the 32-bit
 * tables mean other calls to 64-bit tasks, none of which changes namespaces, so both can be asked for at
 * once.
 */
static __always_inline __u8 running_mechanism(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

#if defined(__TARGET_ARCH_x86)
	switch ((__u32)BPF_CORE_READ(regs, orig_ax) & ~0x40000000) { /* the bit of x32 */
	case 308:						     /* x86_64 */
	case 346:						     /* i386 */
		return ISOSCOPE_MECHANISM_SETNS;
	case 272:
	case 310:
		return ISOSCOPE_MECHANISM_UNSHARE;
	}
#else
#error "the numbers of setns and unshare are not known for this architecture"
#endif
	return ISOSCOPE_MECHANISM_UNKNOWN;
}

#endif
