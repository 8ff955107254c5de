/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Since when a task waits for a CPU, as the kernel notes it: sched_info.last_queued, set as it is put on a
 * run queue. That spares a hook on every wake-up, which comes after the waker has interrupted the other CPU.
 *
 * It is in the run queue's clock: sched_clock of that CPU, which runs at another rate than CLOCK_MONOTONIC.
 * Its reading in the run queue, rq->clock, is of no use at a switch: it is left as it was when the task was
 * woken up if that preempted another (rq_clock_skip_update), for which reason the kernel's own run_delay
 * shows no wait there; and up to some microseconds old in every other case. So the clock itself is read, by
 * an event cpu-clock that counts it, and its offset kept for a millisecond, in which the two clocks part by
 * 500 ns where NTP corrects by 500 ppm.
 */
#ifndef ISOSCOPE_QUEUE_CLOCK_BPF_H
#define ISOSCOPE_QUEUE_CLOCK_BPF_H

#include "lib/maps.bpf.h"
#include "lib/task.bpf.h"

#define QUEUE_CLOCK_AGE_NS 1000000

/* Of this CPU, or NULL. The map holds it while a program runs. */
static __always_inline const struct perf_event *cpu_clock_event(__u32 cpu)
{
	/* By way of the stack: the verifier knows no use for this pointer but handing it to helpers. */
	void *volatile map = &cpu_clock_events;
	const struct bpf_event_entry *entry;
	const struct bpf_array *array;

	if (bpf_probe_read_kernel(&array, sizeof(array), (void *)&map) ||
	    bpf_probe_read_kernel(&entry, sizeof(entry),
				  (void *)array + bpf_core_field_offset(struct bpf_array, ptrs) +
				      (__u64)cpu * sizeof(entry)))
		return NULL;
	return BPF_CORE_READ(entry, event);
}

/*
 * Of this CPU. False: it has no event, or one that stopped as the CPU went off. The event's value begins when
 * it was opened; what the clock itself was, a reading leaves in hw.prev_count (cpu_clock_event_update in
 * kernel/events/core.c).
 */
static __noinline bool read_queue_clock(struct isoscope_queue_clock *clock)
{
	__u32 cpu = bpf_get_smp_processor_id();
	const struct perf_event *event = cpu_clock_event(cpu);
	__u64 before, after, now;

	if (!clock)
		return false;
	if (!event || (__u32)BPF_CORE_READ(event, oncpu) != cpu) {
		clock->read_ns = 0;
		return false;
	}
	before = bpf_ktime_get_ns();
	bpf_perf_event_read(&cpu_clock_events, BPF_F_CURRENT_CPU);
	after = bpf_ktime_get_ns();
	now = BPF_CORE_READ(event, hw.prev_count.a.a.counter);
	/*
	 * It was read between the two. As long as the last offset may still be right it stays: the one in the
	 * middle would be wrong by half of what a hypervisor took away in between.
	 */
	if (!clock->read_ns)
		clock->offset_ns = before + (after - before) / 2 - now;
	else if ((__s64)(clock->offset_ns - (before - now)) < 0)
		clock->offset_ns = before - now;
	else if ((__s64)(clock->offset_ns - (after - now)) > 0)
		clock->offset_ns = after - now;
	clock->read_ns = after;
	return true;
}

/*
 * A task that sleeps may stay on its run queue for a while (se.sched_delayed, 6.12), and be moved: it is put
 * on the other queue as if it waited there, and when it is woken up the note is left as it is. No other way
 * to one is known. Until it has run again there is no telling since when it waited.
 */
static __always_inline void note_move(struct task_struct *task)
{
	struct task_record *record;

	if (!bpf_core_field_exists(task->se.sched_delayed) || !task->se.sched_delayed)
		return;
	record = find_task(task->pid);
	if (record)
		record->run_delay = ISOSCOPE_NOTE_VOID;
}

/*
 * Since when a task that comes to this CPU now has waited (CLOCK_MONOTONIC); 0: not known. One that was moved
 * while it waited was put on a queue twice: the time on the first one has been added to its run_delay.
 */
static __always_inline __u64 queued_since(struct task_struct *task, const struct task_record *record,
					  struct isoscope_queue_clock *clock, __u64 now)
{
	__u64 queued;

	if (!bpf_core_field_exists(task->sched_info.last_queued))
		return 0;
	queued = task->sched_info.last_queued;
	if (!queued || record->run_delay == ISOSCOPE_NOTE_VOID)
		return 0;
	if (now - clock->read_ns > QUEUE_CLOCK_AGE_NS && !read_queue_clock(clock))
		return 0;
	return queued + clock->offset_ns - (run_delay_of(task) - record->run_delay);
}

#endif
