/* SPDX-License-Identifier: GPL-2.0-only */
/* The only place that reserves or submits. Every attempt is counted by class, and so is every failure. */
#ifndef ISOSCOPE_EMIT_BPF_H
#define ISOSCOPE_EMIT_BPF_H

#include "lib/maps.bpf.h"

static __always_inline void fill_header(struct isoscope_event_header *header, __u16 size, __u16 kind,
					__u16 event_class, struct task_struct *task, __u64 cgroup_id,
					__u64 now)
{
	header->size = size;
	header->kind = kind;
	header->event_class = event_class;
	header->cpu = bpf_get_smp_processor_id();
	header->tgid = task->tgid;
	header->tid = task->pid;
	header->ts_ns = now;
	header->cgroup_id = cgroup_id;
}

static __always_inline void count_made(__u16 event_class)
{
	count(ISOSCOPE_MADE_SECURITY + event_class);
}

/* Something was dropped that a walk over all tasks finds again. */
static __always_inline void ask_for_recheck(void)
{
	if (!recheck.dropped_since_ns)
		__sync_val_compare_and_swap(&recheck.dropped_since_ns, 0, bpf_ktime_get_ns());
}

static __always_inline void count_dropped(__u16 event_class)
{
	count(ISOSCOPE_DROPPED_SECURITY + event_class);
	if (event_class == ISOSCOPE_CLASS_SECURITY)
		ask_for_recheck();
}

/*
 * A record of exactly sizeof(type), or NULL when the ring is full. Its memory is not cleared: the caller
 * writes every field, padding too.
 */
#define reserve(ring, type, event_class)                                      \
	({                                                                    \
		type *__record = bpf_ringbuf_reserve(&ring, sizeof(type), 0); \
		count_made(event_class);                                      \
		if (!__record)                                                \
			count_dropped(event_class);                           \
		__record;                                                     \
	})

/*
 * Wake-ups cost about 1.4 us each when the reader sleeps: data is read in bulk, on a timer or when enough has
 * come together. Crossings and first exits wake it at once, the rest of the security ring by the timer.
 */
static __always_inline void submit_data(void *record, __u64 size)
{
	__u64 waiting = bpf_ringbuf_query(&data, BPF_RB_AVAIL_DATA);
	/* Only by the record that crosses the mark. A wake-up is an interrupt to this CPU: one with every
	 * kvm_entry would throw the guest out at once, for another record and another wake-up, and so on. */
	bool crosses =
	    waiting >= knobs.wakeup_bytes && waiting - size - BPF_RINGBUF_HDR_SZ < knobs.wakeup_bytes;

	bpf_ringbuf_submit(record, crosses ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

static __always_inline void submit_urgent(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

static __always_inline void submit(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* For records whose size is known only at run time: one copy from the stack. */
static __always_inline void output_lifecycle(void *record, __u64 size)
{
	count_made(ISOSCOPE_CLASS_LIFECYCLE);
	if (bpf_ringbuf_output(&security, record, size, BPF_RB_NO_WAKEUP))
		count_dropped(ISOSCOPE_CLASS_LIFECYCLE);
}

/* False: the ring is full, and the record is counted as dropped. */
static __always_inline bool output_security(void *record, __u64 size)
{
	count_made(ISOSCOPE_CLASS_SECURITY);
	if (!bpf_ringbuf_output(&security, record, size, BPF_RB_FORCE_WAKEUP))
		return true;
	count_dropped(ISOSCOPE_CLASS_SECURITY);
	return false;
}

#endif
