// SPDX-License-Identifier: GPL-2.0-only
/* Context switches and waits for a CPU, and the life of threads: fork, exec, exit. */
#include "lib/maps.bpf.h"
#include "lib/access.bpf.h"
#include "lib/account.bpf.h"
#include "lib/compat.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/exit_cell.bpf.h"
#include "lib/exit_split.bpf.h"
#include "lib/isolation.bpf.h"
#include "lib/move.bpf.h"
#include "lib/limits.bpf.h"
#include "lib/queue_clock.bpf.h"
#include "lib/task.bpf.h"

/* A task comes to a CPU, or leaves one. */
struct change {
	struct task_struct *prev;
	struct task_struct *next;
	struct isoscope_cpu_runs *runs; /* of this CPU */
	__u64 now;
	__u64 next_account; /* ISOSCOPE_ACCOUNT_IDLE: nobody comes */
	__u64 next_waited_ns;
	__u32 prev_state;
	__u32 cpu;
	bool voluntary;
};

static __always_inline void stream_switch(const struct change *change, __u64 cgroup_id, __u64 ran_ns)
{
	struct isoscope_switch *event = reserve(data, struct isoscope_switch, ISOSCOPE_CLASS_SWITCH);

	if (!event)
		return;
	fill_header(&event->header, sizeof(*event), ISOSCOPE_KIND_SWITCH, ISOSCOPE_CLASS_SWITCH, change->prev,
		    cgroup_id, change->now);
	event->ran_ns = ran_ns;
	event->next_cgroup_id = change->next->pid ? task_cgroup_id(change->next) : 0;
	event->next_waited_ns = change->next_waited_ns;
	event->next_tgid = change->next->tgid;
	event->next_tid = change->next->pid;
	event->prev_state = change->prev_state;
	event->voluntary = change->voluntary;
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

static __always_inline void switch_out(const struct change *change)
{
	struct task_struct *prev = change->prev;
	struct task_record *record = find_task(prev->pid);
	struct isoscope_sched_cell *cell;
	__u64 ran_ns = 0;

	if (!record) {
		record = make_task(prev, task_cgroup_id(prev));
		if (!record)
			return;
		/* A new record's run began when that was made, which is after this switch. */
		record->switched_in_ns = change->now;
	}
	/* Without a start a run is not guessed: the time since an older one may have been sleep. */
	if (record->switched_in_ns)
		ran_ns = change->now - record->switched_in_ns;
	else
		count(ISOSCOPE_SWITCH_UNPAIRED);
	record->switched_in_ns = 0;
	record->run_delay = run_delay_of(prev);
	if (!record->account) /* it was found running */
		assign_account(prev, record);
	cell = sched_cell_of(record);
	if (!cell) /* cannot be; tells the verifier so */
		return;
	__sync_fetch_and_add(&cell->on_cpu_ns, ran_ns);
	if (change->voluntary) {
		__sync_fetch_and_add(&cell->voluntary, 1);
		/* One that was about to sleep with a signal pending is made to go on (__schedule). */
		record->runnable_ns = task_state(prev) ? 0 : change->now;
		record->preempted_by = 0;
	} else {
		__sync_fetch_and_add(&cell->involuntary, 1);
		record->runnable_ns = change->now;
		record->preempted_by =
		    is_throttled(prev, change->next) ? ISOSCOPE_ACCOUNT_IDLE : change->next_account;
		record->cpu = change->cpu;
	}
	check_namespaces(prev, record, ISOSCOPE_SEEN_AT_SWITCH);
	check_limits(prev, record, ISOSCOPE_SEEN_AT_SWITCH);
	if (knobs.stream_switches)
		stream_switch(change, task_cgroup_id(prev), ran_ns);
	/* The last switch of a thread: it never runs again, and its id may be given to another. */
	if (change->prev_state & TASK_DEAD) {
		if (record->lost_key)
			count(ISOSCOPE_CROSSING_GONE);
		if (record->lost_move)
			count(ISOSCOPE_MOVE_GONE);
		/* Still a vCPU only if its id was swapped with that of a thread that executes a program. */
		end_vcpu(record);
		free_task(prev->pid);
	}
}

/* Migrations as the kernel counts them: those that happened while it waited or slept, too. */
static __always_inline void charge_migrations(struct task_struct *task, struct task_record *record,
					      struct isoscope_sched_cell *cell)
{
	__u32 migrations = task->se.nr_migrations;

	if (record->migrations == migrations)
		return;
	__sync_fetch_and_add(&cell->migrations, (__u32)(migrations - record->migrations));
	record->migrations = migrations;
}

static __always_inline void switch_in(struct change *change)
{
	struct task_struct *next = change->next;
	struct task_record *record = find_or_make_task(next);
	struct isoscope_sched_cell *cell;
	__u64 runnable_ns;

	if (!record)
		return;
	update_account(next, record);
	change->next_account = record->account;
	cell = sched_cell_of(record);
	if (!cell) /* cannot be; tells the verifier so */
		return;
	charge_migrations(next, record, cell);
	runnable_ns = record->runnable_ns;
	if (!runnable_ns && !record->switched_in_ns && !control.waits_hooked) {
		runnable_ns = queued_since(next, record, &change->runs->clock, change->now);
		record->preempted_by = ISOSCOPE_ACCOUNT_WOKEN;
	}
	if (runnable_ns) {
		/* The clocks of two CPUs may differ by less than what a wake-up takes. */
		if (change->now > runnable_ns)
			change->next_waited_ns = change->now - runnable_ns;
		charge_wait(record, cell, change->runs, change->cpu, change->next_waited_ns, change->now);
		split_waited(record, change->next_waited_ns);
		record->runnable_ns = 0;
	} else if (!record->switched_in_ns) { /* else it was found running */
		count(record->run_delay == ISOSCOPE_NOTE_VOID ? ISOSCOPE_WAIT_UNKNOWN
							      : ISOSCOPE_WAIT_UNPAIRED);
	}
	record->switched_in_ns = change->now;
}

/*
 * pid 0 is one idle task per CPU: never counted, never a key. A switch is voluntary as the kernel counts
 * nvcsw: the task was not preempted and had given up running (__schedule in kernel/sched/core.c).
 */
static __always_inline int on_switch(bool preempt, struct task_struct *prev, struct task_struct *next,
				     __u32 prev_state)
{
	struct change change = {
	    .prev = prev,
	    .next = next,
	    .now = bpf_ktime_get_ns(),
	    .next_account = ISOSCOPE_ACCOUNT_IDLE,
	    .prev_state = prev_state,
	    .cpu = bpf_get_smp_processor_id(),
	    .voluntary = !preempt && prev_state,
	};

	change.runs = bpf_map_lookup_elem(&cpu_runs, &change.cpu);
	if (!change.runs) /* cannot be; tells the verifier so */
		return 0;
	if (next->pid)
		switch_in(&change);
	if (prev->pid)
		switch_out(&change);
	begin_run(change.runs, next->pid ? change.next_account : 0, change.now);
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
 * Where the kernel's own notes do not do (control.waits_hooked). From here on the task that is woken up waits
 * for a CPU; the one that runs here has nothing to do with it. Not sched_waking, which comes before the waker
 * has made sure that the task sleeps at all: these hold the lock of the task's run queue, as its switches do.
 */
static __always_inline int on_wakeup(struct task_struct *task)
{
	struct task_record *record = find_task(task->pid);

	if (!record) {
		if (task->on_cpu)
			return 0;
		record = make_task(task, task_cgroup_id(task));
		if (!record)
			return 0;
		record->switched_in_ns = 0;
	}
	/* It may be woken up before it sleeps, or while it waits. */
	if (record->switched_in_ns || record->runnable_ns)
		return 0;
	record->preempted_by = ISOSCOPE_ACCOUNT_WOKEN;
	record->runnable_ns = bpf_ktime_get_ns();
	return 0;
}

/* TP_PROTO(struct task_struct *p) */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(handle_sched_wakeup, struct task_struct *task)
{
	return on_wakeup(task);
}

/* TP_PROTO(struct task_struct *p) */
SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(handle_sched_wakeup_new, struct task_struct *task)
{
	return on_wakeup(task);
}

/*
 * TP_PROTO(struct task_struct *p, unsigned int dest_cpu). Under the lock of the run queue that it leaves.
 * Only where sleeping tasks may be moved.
 */
SEC("?tp_btf/sched_migrate_task")
int BPF_PROG(handle_sched_migrate_task, struct task_struct *task)
{
	note_move(task);
	return 0;
}

/* Run by userspace on each CPU in turn, and attached to nothing. Its result is whether the clock was read. */
SEC("raw_tp")
int measure_queue_clock(void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct isoscope_cpu_runs *runs = bpf_map_lookup_elem(&cpu_runs, &cpu);

	if (!runs || !bpf_core_field_exists(struct task_struct, sched_info.last_queued))
		return 0;
	return read_queue_clock(&runs->clock);
}

/*
 * The cgroups of a child are final since cgroup_post_fork, before the hook; CLONE_INTO_CGROUP chose them.
 * False: it was born elsewhere, and that could not be told.
 */
static __always_inline bool check_birthplace(struct task_struct *parent, struct task_struct *child,
					     __u64 home_cgroup_id)
{
	struct move move = {
	    .mover = parent,
	    .moved = child,
	    .to_cgroup_id = task_cgroup_id(child),
	    .home_cgroup_id = home_cgroup_id,
	    .mechanism = ISOSCOPE_MECHANISM_CLONE_INTO_CGROUP,
	};

	return move.to_cgroup_id == task_cgroup_id(parent) || report_move(&move);
}

/*
 * TP_PROTO(struct task_struct *parent, struct task_struct *child). The child has not run. It belongs to its
 * parent's unit, also when it was cloned into another cgroup; namespaces that clone made stand in its nsproxy
 * and credentials, and no other hook sees them.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(handle_sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	bool made = child->nsproxy != parent->nsproxy, told;
	struct task_record *of_parent = find_or_make_task(parent);
	struct task_record *of_child;
	__u64 home_cgroup_id;

	if (!of_parent)
		return 0;
	home_cgroup_id = of_parent->home_cgroup_id;
	of_child = find_task(child->pid);
	if (of_child) { /* its last owner's end was missed */
		end_vcpu(of_child);
		free_task(child->pid);
	}
	told = check_birthplace(parent, child, home_cgroup_id);
	of_child = make_task(child, home_cgroup_id);
	if (!told)
		lose_move(of_child, ISOSCOPE_MECHANISM_CLONE_INTO_CGROUP);
	if (!of_child)
		return 0;
	of_child->switched_in_ns = 0;
	inherit_limits(parent, of_parent, child, of_child);
	made |= of_child->namespaces.inum[ISOSCOPE_NS_USER] != of_parent->namespaces.inum[ISOSCOPE_NS_USER];
	of_child->namespaces = of_parent->namespaces;
	if (made)
		return report_namespaces(child, of_child, ISOSCOPE_MECHANISM_CLONE, ISOSCOPE_SEEN_AT_FORK);
	/* What the parent could not report yet (its record was dropped) is the child's to report as well. */
	of_child->namespaces_key = of_parent->namespaces_key;
	of_child->lost_key = of_parent->lost_key;
	of_child->lost_mechanism = of_parent->lost_mechanism;
	of_child->told_state = of_parent->told_state;
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

/*
 * A working folder or root on a mount of another mount namespace was left open by somebody: setns and unshare
 * move both. 0: what was unmounted is in no namespace. With a frame of its own: with what else exec looks at
 * it would take more than the 512 bytes of stack that there are.
 */
static __noinline void check_folders(struct task_struct *task)
{
	struct access cwd = {.kind = ISOSCOPE_ACCESS_FOREIGN_CWD};
	struct access root = {.kind = ISOSCOPE_ACCESS_FOREIGN_ROOT};

	cwd.detail = mount_namespace_of(BPF_CORE_READ(task, fs, pwd.mnt));
	if (cwd.detail && is_foreign_mount(cwd.detail))
		report_access(&cwd);
	root.detail = mount_namespace_of(BPF_CORE_READ(task, fs, root.mnt));
	if (root.detail && is_foreign_mount(root.detail))
		report_access(&root);
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
	record->answer = old->answer;
	record->lost_key = old->lost_key;
	record->told_state = old->told_state;
	record->switched_in_ns = old->switched_in_ns;
	record->runnable_ns = old->runnable_ns;
	record->run_delay = old->run_delay;
	record->migrations = old->migrations;
	record->css_set = old->css_set;
	record->account = old->account;
	record->sched_cell = old->sched_cell;
	record->epoch = old->epoch;
	record->window = old->window;
	record->limits = old->limits;
	record->nsproxy = 0;
	free_task(old_tid);
}

/*
 * What a runtime of the host's did to get here and could not tell of is lost: were it still to be told, what
 * the program leaves for the host's would be no difference to where its runtime came from. A contained task
 * keeps what it has to tell.
 */
static __always_inline void leave_runtime(struct task_struct *task, struct task_record *record)
{
	const struct nsproxy *nsproxy = task->nsproxy;
	struct isoscope_ns_set now;

	read_namespaces(nsproxy, task->real_cred, &now);
	settle(record, namespaces_key(nsproxy), &now);
	count(ISOSCOPE_CROSSING_GONE);
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
	look_at_limits(task, task->real_cred, record, ISOSCOPE_SEEN_AT_EXEC);
	/* The task's own and not the record's, which are older while a change could not be told. */
	if (task->nsproxy->mnt_ns->ns.inum != BPF_CORE_READ(task, real_parent, nsproxy, mnt_ns, ns.inum)) {
		if (record->lost_key && !is_contained(record))
			leave_runtime(task, record);
		record->home_cgroup_id = task_cgroup_id(task);
		report_exec(task, record);
	}
	check_folders(task);
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
	__u32 tgid = task->tgid;

	if (!task->signal->live.counter)
		bpf_map_delete_elem(&vmms, &tgid);
	if (!record)
		return 0;
	check_namespaces(task, record, ISOSCOPE_SEEN_AT_EXIT);
	look_at_limits(task, task->real_cred, record, ISOSCOPE_SEEN_AT_EXIT);
	end_vcpu(record);
	return 0;
}
