// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM exits: paired per vCPU thread in its task record, counted per reason in cells of their own.
 *
 * Both tracepoints fire in the vCPU's thread, so a thread's record, vCPU and cells have one writer. kvm_entry
 * fires before the lapic-timer busy wait and the entry itself: that wait counts as guest time. kvm_amd fires
 * kvm_exit when interrupts and preemption are on again, until 791a089861fc (6.5) moved it: what happened
 * until then counts as guest time there, too.
 */
#include "lib/maps.bpf.h"
#include "lib/account.bpf.h"
#include "lib/compat.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/exit_cell.bpf.h"
#include "lib/exit_split.bpf.h"
#include "lib/task.bpf.h"
#include "lib/vcpu.bpf.h"

/* From now on the process pays for its threads, whichever cgroup they are in. */
static __always_inline void note_vmm(__u32 tgid)
{
	const __u8 yes = 1;
	long error = bpf_map_update_elem(&vmms, &tgid, &yes, BPF_NOEXIST);

	if (!error)
		__sync_fetch_and_add(&control.epoch, 1);
	else if (error != -EEXIST)
		count(ISOSCOPE_VMM_FULL);
}

/* Returns the index of a new one, or 0. */
static __noinline __u32 make_vcpu(struct task_struct *task, struct task_record *record, __u32 vcpu_id,
				  __u32 isa)
{
	struct isoscope_vcpu_event *event;
	struct isoscope_vcpu *vcpu;
	__u32 index;

	if (bpf_map_pop_elem(&free_vcpus, &index)) {
		count(ISOSCOPE_VCPU_FULL);
		return 0;
	}
	vcpu = vcpu_at(index);
	if (!vcpu)
		return 0;
	vcpu->vcpu_id = vcpu_id;
	vcpu->tgid = task->tgid;
	vcpu->tid = task->pid;
	vcpu->isa = isa;
	vcpu->start_ns = task->start_boottime;
	vcpu->cgroup_id = task_cgroup_id(task);
	vcpu->state = ISOSCOPE_VCPU_LIVE;
	record->vcpu = index;
	note_vmm(vcpu->tgid);
	divide_run(task, record);

	event = reserve(security, struct isoscope_vcpu_event, ISOSCOPE_CLASS_LIFECYCLE);
	if (!event)
		return index; /* userspace finds the vCPU in the map at the end of the window */
	fill_header(&event->header, sizeof(*event), ISOSCOPE_KIND_VCPU, ISOSCOPE_CLASS_LIFECYCLE, task,
		    vcpu->cgroup_id, bpf_ktime_get_ns());
	event->start_ns = vcpu->start_ns;
	event->vcpu_id = vcpu_id;
	event->isa = isa;
	submit_urgent(event);
	return index;
}

/* The vCPU of this thread; at its first exit a new one. */
static __always_inline struct isoscope_vcpu *find_or_make_vcpu(__u32 vcpu_id, __u32 isa)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct isoscope_vcpu *vcpu = find_vcpu(task);
	struct task_record *record;

	if (!vcpu) {
		record = find_or_make_task(task);
		if (record)
			vcpu = vcpu_at(make_vcpu(task, record, vcpu_id, isa));
	}
	if (!vcpu) {
		count(ISOSCOPE_EXIT_UNTRACKED);
		return NULL;
	}
	/* gVisor's threads take turns with their vCPUs. The row is the thread's, under the last one it ran.
	 */
	if (vcpu->vcpu_id != vcpu_id)
		vcpu->vcpu_id = vcpu_id;
	return vcpu;
}

static __always_inline void begin_exit(struct isoscope_vcpu *vcpu, __u32 reason, __u64 guest_rip)
{
	struct isoscope_pending_exit *pending = &vcpu->pending;

	if (pending->start_ns)
		abandon_exit(vcpu);
	if (pending->parts)
		split_clear(pending);
	pending->reason = reason;
	pending->guest_rip = guest_rip;
	pending->start_ns = bpf_ktime_get_ns();
}

static __always_inline void stream_exit(struct isoscope_vcpu *vcpu, __u64 now, __u64 duration_ns)
{
	struct isoscope_vm_exit *event = reserve(data, struct isoscope_vm_exit, ISOSCOPE_CLASS_EXIT);

	if (!event)
		return;
	fill_header(&event->header, sizeof(*event), ISOSCOPE_KIND_VM_EXIT, ISOSCOPE_CLASS_EXIT,
		    bpf_get_current_task_btf(), vcpu->cgroup_id, now);
	event->start_ns = vcpu->pending.start_ns;
	event->duration_ns = duration_ns;
	event->split = vcpu->pending.split;
	event->guest_rip = vcpu->pending.guest_rip;
	event->vcpu_id = vcpu->vcpu_id;
	event->isa = vcpu->isa;
	event->reason = vcpu->pending.reason;
	event->pad = 0;
	submit_data(event, sizeof(*event));
}

static __always_inline int on_entry(void)
{
	struct isoscope_vcpu *vcpu = find_vcpu(bpf_get_current_task_btf());
	struct isoscope_exit_cell *cell;
	__u64 now, duration_ns;

	if (!vcpu)
		return 0; /* its first entry, or counted as untracked at the exit */
	if (!vcpu->pending.start_ns) {
		vcpu->unmatched_entries++;
		return 0;
	}
	now = bpf_ktime_get_ns();
	duration_ns = now - vcpu->pending.start_ns;
	cell = find_or_make_exit_cell(vcpu, vcpu->pending.reason);
	if (vcpu->pending.parts) {
		/* First, so that a reader in between has too many parts and not too much of the kernel's. */
		split_finish(&vcpu->pending, duration_ns, now, cell ? &cell->split : &vcpu->other_split);
		if (cell && vcpu->pending.parts & ISOSCOPE_PARTS_OTHER)
			cell->nested += vcpu->pending.nested;
	}
	if (cell) {
		add_duration(cell, duration_ns);
	} else {
		vcpu->other_finished++;
		vcpu->other_sum_ns += duration_ns;
	}
	if (knobs.stream_exits && duration_ns >= knobs.slow_exit_ns)
		stream_exit(vcpu, now, duration_ns);
	vcpu->pending.start_ns = 0;
	return 0;
}

/* The exit that this thread is in, or NULL. */
static __always_inline struct isoscope_pending_exit *current_exit(void)
{
	struct isoscope_vcpu *vcpu = find_vcpu(bpf_get_current_task_btf());

	return vcpu && vcpu->pending.start_ns ? &vcpu->pending : NULL;
}

static __always_inline int on_userspace_exit(void)
{
	struct isoscope_pending_exit *pending = current_exit();

	if (pending)
		split_enter_userspace(pending, bpf_ktime_get_ns());
	return 0;
}

static __always_inline int on_wakeup(__u64 halt_ns)
{
	struct isoscope_pending_exit *pending = current_exit();

	if (pending)
		split_end_halt(pending, halt_ns, bpf_ktime_get_ns());
	return 0;
}

static __always_inline int on_nested_exit(void)
{
	struct isoscope_pending_exit *pending = current_exit();

	if (pending) {
		pending->parts |= ISOSCOPE_PARTS_OTHER;
		pending->nested = 1;
	}
	return 0;
}

/*
 * Fast path. TP_PROTO(struct kvm_vcpu *vcpu, u32 isa), since 0a62a0319abb (5.16). The program of the vendor
 * module that is loaded is the only one turned on: a vCPU is a vcpu_svm only under kvm_amd.
 */
static __always_inline int on_unread_exit(struct isoscope_vcpu *vcpu)
{
	count(ISOSCOPE_REASON_UNREAD);
	begin_exit(vcpu, ISOSCOPE_REASON_UNREADABLE, 0);
	return 0;
}

SEC("?tp_btf/kvm_exit")
int BPF_PROG(handle_kvm_exit_svm, struct kvm_vcpu *kvm_vcpu, __u32 isa)
{
	struct isoscope_vcpu *vcpu;
	__u32 reason = 0;

	if (!kvm_vcpu) /* 6.12 takes the argument for one that may be NULL */
		return 0;
	vcpu = find_or_make_vcpu(kvm_vcpu->vcpu_id, isa);
	if (!vcpu)
		return 0;
	if (isa != ISOSCOPE_ISA_SVM || !read_svm_reason(kvm_vcpu, &vcpu->svm, &reason))
		return on_unread_exit(vcpu);
	begin_exit(vcpu, reason, knobs.stream_exits ? read_svm_rip(kvm_vcpu) : 0);
	return 0;
}

SEC("?tp_btf/kvm_exit")
int BPF_PROG(handle_kvm_exit_vmx, struct kvm_vcpu *kvm_vcpu, __u32 isa)
{
	struct isoscope_vcpu *vcpu;
	__u32 reason = 0;

	if (!kvm_vcpu)
		return 0;
	vcpu = find_or_make_vcpu(kvm_vcpu->vcpu_id, isa);
	if (!vcpu)
		return 0;
	if (isa != ISOSCOPE_ISA_VMX || !read_vmx_reason(kvm_vcpu, &reason))
		return on_unread_exit(vcpu);
	begin_exit(vcpu, reason & (0xffff | ISOSCOPE_REASON_FAILED_ENTRY), 0);
	return 0;
}

/* Another vendor module (a paravirtual host): the exits are counted and timed, the reason is not guessed. */
SEC("?tp_btf/kvm_exit")
int BPF_PROG(handle_kvm_exit_other, struct kvm_vcpu *kvm_vcpu, __u32 isa)
{
	struct isoscope_vcpu *vcpu;

	if (!kvm_vcpu)
		return 0;
	vcpu = find_or_make_vcpu(kvm_vcpu->vcpu_id, isa);
	return vcpu ? on_unread_exit(vcpu) : 0;
}

/* An argument that changed often (5.10, 6.9): used as "an entry happened" only. */
SEC("?tp_btf/kvm_entry")
int BPF_PROG(handle_kvm_entry)
{
	return on_entry();
}

/* TP_PROTO(__u32 reason, int errno): KVM_RUN returns to the VMM. */
SEC("?tp_btf/kvm_userspace_exit")
int BPF_PROG(handle_kvm_userspace_exit)
{
	return on_userspace_exit();
}

/* KVM_RUN begins. Without fentry the time in the VMM is taken to last until the entry, some 100 ns longer. */
SEC("?fentry/kvm_arch_vcpu_ioctl_run")
int BPF_PROG(handle_kvm_arch_vcpu_ioctl_run)
{
	struct isoscope_vcpu *vcpu = find_vcpu(bpf_get_current_task_btf());

	if (vcpu && vcpu->pending.userspace_since_ns)
		split_leave_userspace(&vcpu->pending, bpf_ktime_get_ns());
	return 0;
}

/* TP_PROTO(__u64 ns, bool waited, bool valid): a halt is over, `ns` with its polling (kvm_vcpu_halt). */
SEC("?tp_btf/kvm_vcpu_wakeup")
int BPF_PROG(handle_kvm_vcpu_wakeup, __u64 ns)
{
	return on_wakeup(ns);
}

/* TP_PROTO(struct kvm_vcpu *vcpu, u32 isa): the exit was one of a guest of the guest. Comes after kvm_exit.
 */
SEC("?tp_btf/kvm_nested_vmexit")
int BPF_PROG(handle_kvm_nested_vmexit)
{
	return on_nested_exit();
}

/*
 * Fallback where the modules have no BTF: the classic tracepoints. The record's layout differs between
 * kernels (its common header is 12 bytes on some), so userspace takes the offsets from tracefs.
 *
 * They return 1: with 0 the kernel (perf_trace_run_bpf_submit) would hide the event from every perf on the
 * host.
 */
#define KEEP_FOR_PERF 1

static __always_inline __u32 classic_u32(void *ctx, __u32 offset)
{
	__u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), ctx + offset);
	return value;
}

static __always_inline __u64 classic_u64(void *ctx, __u32 offset)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), ctx + offset);
	return value;
}

SEC("?tp/kvm/kvm_exit")
int handle_kvm_exit_classic(void *ctx)
{
	__u32 reason = classic_u32(ctx, knobs.classic_reason_offset);
	__u32 isa = classic_u32(ctx, knobs.classic_isa_offset);
	struct isoscope_vcpu *vcpu;

	vcpu = find_or_make_vcpu(classic_u32(ctx, knobs.classic_vcpu_offset), isa);
	if (!vcpu)
		return KEEP_FOR_PERF;
	if (isa == ISOSCOPE_ISA_VMX)
		reason &= 0xffff | ISOSCOPE_REASON_FAILED_ENTRY;
	begin_exit(vcpu, reason, knobs.stream_exits ? classic_u64(ctx, knobs.classic_rip_offset) : 0);
	return KEEP_FOR_PERF;
}

SEC("?tp/kvm/kvm_entry")
int handle_kvm_entry_classic(void *ctx)
{
	on_entry();
	return KEEP_FOR_PERF;
}

SEC("?tp/kvm/kvm_userspace_exit")
int handle_kvm_userspace_exit_classic(void *ctx)
{
	on_userspace_exit();
	return KEEP_FOR_PERF;
}

SEC("?tp/kvm/kvm_vcpu_wakeup")
int handle_kvm_vcpu_wakeup_classic(void *ctx)
{
	on_wakeup(classic_u64(ctx, knobs.classic_wakeup_ns_offset));
	return KEEP_FOR_PERF;
}

SEC("?tp/kvm/kvm_nested_vmexit")
int handle_kvm_nested_vmexit_classic(void *ctx)
{
	on_nested_exit();
	return KEEP_FOR_PERF;
}
