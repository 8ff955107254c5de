/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dividing the time of a pending exit: halted, in userspace, preempted; what is left is the kernel's.
 *
 * The parts never overlap: time without the CPU while runnable is taken out of the phase that it fell into. A
 * phase ends where a hook says so: at kvm_userspace_exit, at the start of KVM_RUN, when a halt is over, and
 * at the entry.
 */
#ifndef ISOSCOPE_EXIT_SPLIT_BPF_H
#define ISOSCOPE_EXIT_SPLIT_BPF_H

#include "lib/maps.bpf.h"
#include "lib/vcpu.bpf.h"

/*
 * The thread comes to a CPU, for which it waited. A guest is never preempted without an exit; but see
 * kvm.bpf.c on 6.5.
 */
static __always_inline void split_waited(const struct task_record *record, __u64 waited_ns)
{
	struct isoscope_vcpu *vcpu = vcpu_of(record);

	if (!vcpu || !vcpu->pending.start_ns)
		return;
	vcpu->pending.parts |= ISOSCOPE_PARTS_OTHER;
	vcpu->pending.split.preempted_ns += waited_ns;
}

static __always_inline void split_enter_userspace(struct isoscope_pending_exit *pending, __u64 now)
{
	/* KVM_RUN can come back without an entry (a signal): the phase goes on where its start is not hooked.
	 */
	if (pending->userspace_since_ns)
		return;
	pending->userspace_since_ns = now;
	if (pending->parts & ISOSCOPE_PARTS_OTHER)
		pending->phase_preempted_ns = pending->split.preempted_ns;
	pending->parts |= ISOSCOPE_PARTS_USERSPACE;
}

static __always_inline __u64 less(__u64 a, __u64 b)
{
	return a > b ? a - b : 0;
}

/* Of an exit that is in userspace: userspace_since_ns is set. */
static __always_inline void split_leave_userspace(struct isoscope_pending_exit *pending, __u64 now)
{
	__u64 userspace_ns = now - pending->userspace_since_ns;

	if (pending->parts & ISOSCOPE_PARTS_OTHER) {
		userspace_ns = less(userspace_ns, pending->split.preempted_ns - pending->phase_preempted_ns);
		pending->phase_preempted_ns = pending->split.preempted_ns;
	}
	pending->split.userspace_ns += userspace_ns;
	pending->userspace_since_ns = 0;
}

/*
 * A halt of `halt_ns` is over. Its start is not hooked: what was preempted in the microsecond of handling
 * before it counts as if it had been in the halt.
 */
static __always_inline void split_end_halt(struct isoscope_pending_exit *pending, __u64 halt_ns, __u64 now)
{
	__u64 preempted_ns = pending->split.preempted_ns - pending->phase_preempted_ns;

	if (pending->userspace_since_ns) {
		pending->split.userspace_ns += less(now - halt_ns, pending->userspace_since_ns);
		pending->userspace_since_ns = 0;
	}
	pending->split.halted_ns += less(halt_ns, preempted_ns);
	pending->phase_preempted_ns = pending->split.preempted_ns;
	pending->parts |= ISOSCOPE_PARTS_OTHER;
}

static __always_inline __u64 take(__u64 part, __u64 *left)
{
	part = part < *left ? part : *left;
	*left -= part;
	return part;
}

/* At the entry. The clocks of a halt and ours are read apart: no part may exceed what there is. */
static __always_inline void split_finish(struct isoscope_pending_exit *pending, __u64 duration_ns, __u64 now,
					 struct isoscope_split *sum)
{
	struct isoscope_split *split = &pending->split;

	if (pending->userspace_since_ns)
		split_leave_userspace(pending, now);
	if (pending->parts & ISOSCOPE_PARTS_OTHER) {
		split->preempted_ns = take(split->preempted_ns, &duration_ns);
		split->userspace_ns = take(split->userspace_ns, &duration_ns);
		split->halted_ns = take(split->halted_ns, &duration_ns);
		sum->halted_ns += split->halted_ns;
		sum->preempted_ns += split->preempted_ns;
	} else {
		split->userspace_ns = take(split->userspace_ns, &duration_ns);
	}
	sum->userspace_ns += split->userspace_ns;
}

static __always_inline void split_clear(struct isoscope_pending_exit *pending)
{
	if (pending->parts & ISOSCOPE_PARTS_OTHER) {
		pending->nested = 0;
		pending->phase_preempted_ns = 0;
		pending->split.halted_ns = 0;
		pending->split.preempted_ns = 0;
	}
	pending->userspace_since_ns = 0;
	pending->split.userspace_ns = 0;
	pending->parts = 0;
}

#endif
