// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM exits: paired per vCPU thread in its task record, counted per reason in cells of their own.
 *
 * Both tracepoints fire in the vCPU's thread, so a thread's record, vCPU and cells have one writer. kvm_entry
 * fires before the lapic-timer busy wait and the entry itself: that wait counts as guest time.
 */
#include "lib/maps.bpf.h"
#include "lib/compat.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/histogram.bpf.h"
#include "lib/task.bpf.h"

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
	vcpu = bpf_map_lookup_elem(&vcpus, &index);
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

static __noinline __u32 make_exit_cell(__u32 reason)
{
	struct isoscope_exit_cell *cell;
	__u32 index;

	if (bpf_map_pop_elem(&free_exit_cells, &index)) {
		count(ISOSCOPE_EXIT_CELL_FULL);
		return 0;
	}
	cell = bpf_map_lookup_elem(&exit_cells, &index);
	if (!cell)
		return 0;
	cell->reason = reason;
	return index;
}

/* See ISOSCOPE_REASON_DIRECT. */
static __always_inline __u32 reason_entry(__u32 reason)
{
	if (reason < ISOSCOPE_REASON_DIRECT)
		return reason;
	return ISOSCOPE_REASON_DIRECT + ((reason ^ reason >> 6 ^ reason >> 25) &
					 (ISOSCOPE_REASON_ENTRIES - ISOSCOPE_REASON_DIRECT - 1));
}

static __always_inline __u32 count_exit(struct isoscope_vcpu *vcpu, __u32 reason)
{
	__u32 entry = reason_entry(reason);
	struct isoscope_exit_cell *cell;
	__u32 index;

	/* Shows the verifier the bound that the compiler proves and would drop. */
	barrier_var(entry);
	entry &= ISOSCOPE_REASON_ENTRIES - 1;
	index = vcpu->cells[entry];
	if (!index) {
		index = make_exit_cell(reason);
		vcpu->cells[entry] = index;
	}
	cell = bpf_map_lookup_elem(&exit_cells, &index);
	if (index && cell && cell->reason == reason) {
		cell->exits++;
		return index;
	}
	vcpu->other_exits++;
	return 0;
}

static __always_inline int on_exit(__u32 reason, __u32 vcpu_id, __u32 isa)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_record *record = find_or_make_task(task);
	struct isoscope_vcpu *vcpu;
	__u32 index;

	if (!record) {
		count(ISOSCOPE_EXIT_UNTRACKED);
		return 0;
	}
	index = record->vcpu;
	if (!index)
		index = make_vcpu(task, record, vcpu_id, isa);
	vcpu = bpf_map_lookup_elem(&vcpus, &index);
	if (!index || !vcpu) {
		count(ISOSCOPE_EXIT_UNTRACKED);
		return 0;
	}
	if (record->exit_ns)
		vcpu->unmatched_exits++;
	record->exit_cell = count_exit(vcpu, reason);
	record->exit_reason = reason;
	record->exit_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void stream_exit(struct task_struct *task, struct task_record *record,
					struct isoscope_vcpu *vcpu, __u64 now, __u64 duration_ns)
{
	struct isoscope_vm_exit *event = reserve(data, struct isoscope_vm_exit, ISOSCOPE_CLASS_EXIT);

	if (!event)
		return;
	fill_header(&event->header, sizeof(*event), ISOSCOPE_KIND_VM_EXIT, ISOSCOPE_CLASS_EXIT, task,
		    vcpu->cgroup_id, now);
	event->start_ns = record->exit_ns;
	event->duration_ns = duration_ns;
	event->vcpu_id = vcpu->vcpu_id;
	event->isa = vcpu->isa;
	event->reason = record->exit_reason;
	event->pad = 0;
	submit_data(event);
}

static __always_inline void add_duration(struct isoscope_exit_cell *cell, __u64 duration_ns)
{
	struct isoscope_control *now;
	__u32 bucket = bucket_of(duration_ns);
	__u32 zero = 0;

	now = bpf_map_lookup_elem(&control, &zero);
	if (now && cell->window != now->window) {
		cell->window = now->window;
		cell->min_ns = duration_ns;
		cell->max_ns = duration_ns;
	} else if (duration_ns < cell->min_ns) {
		cell->min_ns = duration_ns;
	} else if (duration_ns > cell->max_ns) {
		cell->max_ns = duration_ns;
	}
	cell->sum_ns += duration_ns;
	if (bucket < ISOSCOPE_HIST_BUCKETS)
		cell->buckets[bucket]++;
}

static __always_inline int on_entry(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_record *record = find_task(task->pid);
	struct isoscope_exit_cell *cell;
	struct isoscope_vcpu *vcpu;
	__u64 now, duration_ns;
	__u32 index;

	if (!record || !record->vcpu)
		return 0; /* its first entry, or counted as untracked at the exit */
	index = record->vcpu;
	vcpu = bpf_map_lookup_elem(&vcpus, &index);
	if (!vcpu)
		return 0;
	if (!record->exit_ns) {
		vcpu->unmatched_entries++;
		return 0;
	}
	now = bpf_ktime_get_ns();
	duration_ns = now - record->exit_ns;
	index = record->exit_cell;
	cell = bpf_map_lookup_elem(&exit_cells, &index);
	if (index && cell) {
		add_duration(cell, duration_ns);
	} else {
		vcpu->other_finished++;
		vcpu->other_sum_ns += duration_ns;
	}
	if (knobs.stream_exits || (knobs.slow_exit_ns && duration_ns >= knobs.slow_exit_ns))
		stream_exit(task, record, vcpu, now, duration_ns);
	record->exit_ns = 0;
	return 0;
}

/*
 * Fast path. TP_PROTO(struct kvm_vcpu *vcpu, u32 isa), since 0a62a0319abb (5.16). The program of the vendor
 * module that is loaded is the only one turned on: a vCPU is a vcpu_svm only under kvm_amd.
 */
static __always_inline int on_exit_of(struct kvm_vcpu *vcpu, __u32 isa, bool read, __u32 reason)
{
	if (!read) {
		count(ISOSCOPE_REASON_UNREAD);
		reason = ISOSCOPE_REASON_UNREADABLE;
	}
	return on_exit(reason, BPF_CORE_READ(vcpu, vcpu_id), isa);
}

SEC("?tp_btf/kvm_exit")
int BPF_PROG(handle_kvm_exit_svm, struct kvm_vcpu *vcpu, __u32 isa)
{
	__u32 reason = 0;
	bool read;

	if (!vcpu) /* 6.12 takes the argument for one that may be NULL */
		return 0;
	read = isa == ISOSCOPE_ISA_SVM && read_svm_reason(vcpu, &reason);
	return on_exit_of(vcpu, isa, read, reason);
}

SEC("?tp_btf/kvm_exit")
int BPF_PROG(handle_kvm_exit_vmx, struct kvm_vcpu *vcpu, __u32 isa)
{
	__u32 reason = 0;
	bool read;

	if (!vcpu)
		return 0;
	read = isa == ISOSCOPE_ISA_VMX && read_vmx_reason(vcpu, &reason);
	return on_exit_of(vcpu, isa, read, reason & (0xffff | ISOSCOPE_REASON_FAILED_ENTRY));
}

/* Another vendor module (a paravirtual host): the exits are counted and timed, the reason is not guessed. */
SEC("?tp_btf/kvm_exit")
int BPF_PROG(handle_kvm_exit_other, struct kvm_vcpu *vcpu, __u32 isa)
{
	if (!vcpu)
		return 0;
	return on_exit_of(vcpu, isa, false, 0);
}

/* An argument that changed often (5.10, 6.9): used as "an entry happened" only. */
SEC("?tp_btf/kvm_entry")
int BPF_PROG(handle_kvm_entry)
{
	return on_entry();
}

/*
 * Fallback where the modules have no BTF: the classic tracepoints. The record's layout differs between
 * kernels (its common header is 12 bytes on some), so userspace takes the offsets from tracefs.
 *
 * They return 1: with 0 the kernel (perf_trace_run_bpf_submit) would hide the event from every perf on the
 * host.
 */
#define KEEP_FOR_PERF 1

SEC("?tp/kvm/kvm_exit")
int handle_kvm_exit_classic(void *ctx)
{
	__u32 reason = 0, vcpu_id = 0, isa = 0;

	bpf_probe_read_kernel(&reason, sizeof(reason), ctx + knobs.classic_reason_offset);
	bpf_probe_read_kernel(&vcpu_id, sizeof(vcpu_id), ctx + knobs.classic_vcpu_offset);
	bpf_probe_read_kernel(&isa, sizeof(isa), ctx + knobs.classic_isa_offset);
	if (isa == ISOSCOPE_ISA_VMX)
		reason &= 0xffff | ISOSCOPE_REASON_FAILED_ENTRY;
	on_exit(reason, vcpu_id, isa);
	return KEEP_FOR_PERF;
}

SEC("?tp/kvm/kvm_entry")
int handle_kvm_entry_classic(void *ctx)
{
	on_entry();
	return KEEP_FOR_PERF;
}
