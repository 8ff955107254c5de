// SPDX-License-Identifier: GPL-2.0-only
/* Context switches by cgroup, and the life of threads: fork, exec, exit. */
#include "lib/maps.bpf.h"
#include "lib/compat.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/exit_cell.bpf.h"
#include "lib/exit_split.bpf.h"
#include "lib/isolation.bpf.h"
#include "lib/task.bpf.h"

/* The slot of a cgroup, made at its first switch; 0 (`other`) when none is left. */
static __noinline __u32 find_or_make_cgroup_slot(__u64 cgroup_id)
{
	struct isoscope_cgroup_sched *counters_of;
	__u32 *found, slot;

	found = bpf_map_lookup_elem(&cgroup_slots, &cgroup_id);
	if (found)
		return *found;
	if (bpf_map_pop_elem(&free_cgroups, &slot)) {
		count(ISOSCOPE_CGROUP_FULL);
		return 0;
	}
	counters_of = bpf_map_lookup_elem(&cgroup_sched, &slot);
	if (!counters_of)
		return 0;
	counters_of->cgroup_id = cgroup_id;
	if (bpf_map_update_elem(&cgroup_slots, &cgroup_id, &slot, BPF_NOEXIST)) {
		/* Another CPU was first, or the map is full. */
		counters_of->cgroup_id = 0;
		bpf_map_push_elem(&free_cgroups, &slot, 0);
		found = bpf_map_lookup_elem(&cgroup_slots, &cgroup_id);
		if (!found)
			count(ISOSCOPE_CGROUP_FULL);
		return found ? *found : 0;
	}
	return slot;
}

static __always_inline struct isoscope_cgroup_sched *cgroup_counters(struct task_record *record,
								     __u64 cgroup_id)
{
	struct isoscope_cgroup_sched *counters_of;
	__u32 slot;

	if (record->cgroup_id != cgroup_id || !record->cgroup_slot) {
		record->cgroup_slot = find_or_make_cgroup_slot(cgroup_id);
		record->cgroup_id = cgroup_id;
	}
	slot = record->cgroup_slot;
	counters_of = bpf_map_lookup_elem(&cgroup_sched, &slot);
	if (counters_of && counters_of->cgroup_id == cgroup_id)
		return counters_of;
	/* None left; or the cgroup was removed and its slot given away while this task was dying. */
	slot = 0;
	return bpf_map_lookup_elem(&cgroup_sched, &slot);
}

static __always_inline void stream_switch(struct task_struct *prev, struct task_struct *next, __u64 cgroup_id,
					  __u64 now, __u64 ran_ns, __u32 prev_state, bool voluntary)
{
	struct isoscope_switch *event = reserve(data, struct isoscope_switch, ISOSCOPE_CLASS_SWITCH);

	if (!event)
		return;
	fill_header(&event->header, sizeof(*event), ISOSCOPE_KIND_SWITCH, ISOSCOPE_CLASS_SWITCH, prev,
		    cgroup_id, now);
	event->ran_ns = ran_ns;
	event->next_cgroup_id = next->pid ? task_cgroup_id(next) : 0;
	event->next_tgid = next->tgid;
	event->next_tid = next->pid;
	event->prev_state = prev_state;
	event->voluntary = voluntary;
	__builtin_memset(event->pad, 0, sizeof(event->pad));
	submit_data(event, sizeof(*event));
}

static __always_inline void end_vcpu(struct task_record *record)
{
	struct isoscope_vcpu *vcpu = vcpu_of(record);

	if (!vcpu)
		return;
	if (vcpu->pending.start_ns)
		abandon_exit(vcpu);
	record->vcpu = 0;
	uncache_vcpu(vcpu->tid);
	vcpu->state = ISOSCOPE_VCPU_DEAD;
}

static __always_inline void switch_out(struct task_struct *prev, struct task_struct *next, __u64 now,
				       bool voluntary, __u32 prev_state)
{
	struct task_record *record = find_or_make_task(prev);
	struct isoscope_cgroup_sched *counters_of;
	__u64 cgroup_id = task_cgroup_id(prev);
	__u64 ran_ns = 0;

	if (!record)
		return;
	/* Without a start a run is not guessed: the time since an older one may have been sleep. */
	if (record->switched_in_ns && record->switched_in_ns <= now)
		ran_ns = now - record->switched_in_ns;
	else if (!record->switched_in_ns)
		count(ISOSCOPE_SWITCH_UNPAIRED);
	record->switched_in_ns = 0;
	split_switched_out(record, now, !voluntary);
	counters_of = cgroup_counters(record, cgroup_id);
	if (counters_of) {
		__sync_fetch_and_add(voluntary ? &counters_of->voluntary : &counters_of->involuntary, 1);
		__sync_fetch_and_add(&counters_of->on_cpu_ns, ran_ns);
	}
	check_namespaces(prev, record, ISOSCOPE_SEEN_AT_SWITCH);
	if (knobs.stream_switches)
		stream_switch(prev, next, cgroup_id, now, ran_ns, prev_state, voluntary);
	/* The last switch of a thread: it never runs again, and its id may be given to another. */
	if (prev_state & TASK_DEAD) {
		/* Still a vCPU only if its id was swapped with that of a thread that executes a program. */
		end_vcpu(record);
		free_task(prev->pid);
	}
}

/*
 * pid 0 is one idle task per CPU: never counted, never a key. A switch is voluntary as the kernel counts
 * nvcsw: the task was not preempted and had given up running (__schedule in kernel/sched/core.c).
 */
static __always_inline int on_switch(bool preempt, struct task_struct *prev, struct task_struct *next,
				     __u32 prev_state)
{
	__u64 now = bpf_ktime_get_ns();
	struct task_record *record;

	if (prev->pid)
		switch_out(prev, next, now, !preempt && prev_state, prev_state);
	if (next->pid) {
		record = find_or_make_task(next);
		if (record) {
			record->switched_in_ns = now;
			split_switched_in(record, now);
		}
	}
	return 0;
}

/* TP_PROTO(bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state), 5.18
 */
SEC("?tp_btf/sched_switch")
int BPF_PROG(handle_sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	return on_switch(preempt, prev, next, prev_state);
}

/* TP_PROTO(bool preempt, struct task_struct *prev, struct task_struct *next), before 5.18 */
SEC("?tp_btf/sched_switch")
int BPF_PROG(handle_sched_switch_no_state, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return on_switch(preempt, prev, next, task_state(prev));
}

/*
 * TP_PROTO(struct task_struct *p). Attached with the kvm programs, for vCPU threads: from here on such a
 * thread waits for a CPU. Not sched_waking, which comes before the waker has made sure that the task sleeps
 * at all: this one holds the run queue's lock, so it can fall neither into a switch nor before one.
 */
SEC("?tp_btf/sched_wakeup")
int BPF_PROG(handle_sched_wakeup, struct task_struct *task)
{
	struct task_record *record = find_task(task->pid);
	struct isoscope_vcpu *vcpu;

	if (!record || !record->vcpu)
		return 0;
	vcpu = vcpu_of(record);
	if (vcpu && vcpu->pending.off_cpu && !vcpu->pending.runnable_ns)
		vcpu->pending.runnable_ns = bpf_ktime_get_ns();
	return 0;
}

/*
 * TP_PROTO(struct task_struct *parent, struct task_struct *child). The child has not run. It belongs to its
 * parent's unit, also when it was cloned into another cgroup; namespaces that clone made stand in its nsproxy
 * and credentials, and no other hook sees them.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(handle_sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	struct task_record *of_parent = find_or_make_task(parent);
	struct task_record *of_child;
	__u64 home_cgroup_id;
	bool made;

	if (!of_parent)
		return 0;
	home_cgroup_id = of_parent->home_cgroup_id;
	of_child = find_task(child->pid);
	if (of_child) { /* its last owner's end was missed */
		end_vcpu(of_child);
		free_task(child->pid);
	}
	of_child = make_task(child, home_cgroup_id);
	if (!of_child)
		return 0;
	made = child->nsproxy != parent->nsproxy ||
	       of_child->namespaces.inum[ISOSCOPE_NS_USER] != of_parent->namespaces.inum[ISOSCOPE_NS_USER];
	of_child->namespaces = of_parent->namespaces;
	if (made)
		return report_namespaces(child, of_child, ISOSCOPE_MECHANISM_CLONE, ISOSCOPE_SEEN_AT_FORK);
	/* What the parent could not report yet (its record was dropped) is the child's to report as well. */
	of_child->namespaces_key = of_parent->namespaces_key;
	of_child->lost_key = of_parent->lost_key;
	of_child->lost_mechanism = of_parent->lost_mechanism;
	return 0;
}

static __always_inline void report_exec(struct task_struct *task, struct task_record *record)
{
	struct isoscope_exec *event = reserve(security, struct isoscope_exec, ISOSCOPE_CLASS_LIFECYCLE);

	if (!event)
		return;
	fill_header(&event->header, sizeof(*event), ISOSCOPE_KIND_EXEC, ISOSCOPE_CLASS_LIFECYCLE, task,
		    record->home_cgroup_id, bpf_ktime_get_ns());
	event->namespaces = record->namespaces;
	event->start_ns = task->start_boottime;
	event->parent_tgid = BPF_CORE_READ(task, real_parent, tgid);
	event->pad = 0;
	bpf_core_read(event->comm, sizeof(event->comm), &task->comm);
	submit(event);
}

/* The record under the leader's id becomes that of the thread which had another id until now. */
static __always_inline void take_over(struct task_record *record, __u32 old_tid)
{
	struct task_record *old = find_task(old_tid);

	if (!old)
		return;
	end_vcpu(record);
	end_vcpu(old);
	record->namespaces_key = old->namespaces_key;
	record->announced_key = old->announced_key;
	record->namespaces = old->namespaces;
	record->home_cgroup_id = old->home_cgroup_id;
	record->lost_mechanism = old->lost_mechanism;
	record->lost_key = old->lost_key;
	record->switched_in_ns = old->switched_in_ns;
	free_task(old_tid);
}

/*
 * TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm). A thread that executes a program
 * takes over its leader's id: the leader is dead.
 *
 * A task comes into another unit when it executes a program in a mount namespace that its parent does not
 * have. Not at any exec in another cgroup: runc executes itself anew, still in the host's namespaces, after
 * it was moved into the container's cgroup.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(handle_sched_process_exec, struct task_struct *task, int old_pid)
{
	struct task_record *record;

	record = find_or_make_task(task);
	if (!record)
		return 0;
	if ((__u32)old_pid != (__u32)task->pid)
		take_over(record, old_pid);
	check_namespaces(task, record, ISOSCOPE_SEEN_AT_EXEC);
	if (record->namespaces.inum[ISOSCOPE_NS_MNT] !=
	    BPF_CORE_READ(task, real_parent, nsproxy, mnt_ns, ns.inum)) {
		record->home_cgroup_id = task_cgroup_id(task);
		report_exec(task, record);
	}
	return 0;
}

/*
 * TP_PROTO(struct task_struct *p), from 6.16 also bool group_dead. The task still has its namespaces here,
 * and leaves the CPU once more: its record ends there.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(handle_sched_process_exit, struct task_struct *task)
{
	struct task_record *record = find_task(task->pid);

	if (!record)
		return 0;
	check_namespaces(task, record, ISOSCOPE_SEEN_AT_EXIT);
	end_vcpu(record);
	return 0;
}
