// SPDX-License-Identifier: GPL-2.0-only
/*
 * All tasks looked at once, after records of the security class or moves between cgroups were dropped. A
 * dropped change of namespaces stays in the task record as a difference, which the task's next switch, exec
 * or exit reports; a task that sleeps has none of these for as long as it sleeps. Of a dropped move the
 * record says that there was one.
 *
 * The walk may meet a task that runs on another CPU. The part of a record that is about namespaces has one
 * writer, the CPU that its task runs on, and the nsproxy and the credentials of a task are changed by itself
 * alone. So this program tells of tasks that sleep, and of no others: one that runs, or is about to, tells by
 * itself. That it slept all the while is known as by a sequence lock, from its count of switches before and
 * after: the kernel adds to it before the hook at the switch, and clears on_cpu after.
 *
 * Nor does it write what that CPU owns. It leaves in `told_state` what it has told; the task's own next check
 * finds that, takes the state over and says nothing. If the task wakes up and goes to sleep again within the
 * few instructions between the last look and that store, it is told of twice, never not at all.
 */
#include "lib/maps.bpf.h"
#include "lib/compat.bpf.h"
#include "lib/isolation.bpf.h"
#include "lib/move.bpf.h"

struct moment {
	__u64 switches;
	bool asleep;
};

/* Loads are not reordered with one another on x86; the compiler is kept from it. */
static __always_inline struct moment look_at(struct task_struct *task)
{
	struct moment moment;
	__u32 state;

	barrier();
	moment.switches = task->nvcsw + task->nivcsw;
	state = task_state(task);
	moment.asleep = state && !(state & TASK_NOT_ASLEEP) && !task->on_cpu;
	barrier();
	return moment;
}

static __always_inline bool slept_on(struct task_struct *task, const struct moment *since)
{
	struct moment now = look_at(task);

	return now.asleep && now.switches == since->switches;
}

/* What is to be told of a task, copied while it slept. */
struct finding {
	struct isoscope_ns_set from;
	struct isoscope_ns_set to;
	__u64 home_cgroup_id;
	__u32 state;
	__u32 mechanism;
	__u8 answer;
	bool differs;
	bool announced; /* it sleeps in its system call, whose commit is to come and reports */
};

static __always_inline void compare(struct task_struct *task, const struct task_record *record,
				    struct finding *finding)
{
	const struct nsproxy *nsproxy = task->nsproxy;
	__u64 key = namespaces_key(nsproxy);

	finding->from = record->namespaces;
	read_namespaces(nsproxy, task->real_cred, &finding->to);
	finding->state = state_of(key, &finding->to);
	finding->home_cgroup_id = record->home_cgroup_id;
	finding->answer = record->answer;
	if (record->lost_key)
		finding->mechanism =
		    record->lost_key == key ? record->lost_mechanism : ISOSCOPE_MECHANISM_UNKNOWN;
	else
		finding->mechanism =
		    knobs.legal_paths_watched ? ISOSCOPE_MECHANISM_NONE : ISOSCOPE_MECHANISM_UNKNOWN;
	finding->differs =
	    !same_namespaces(&finding->from, &finding->to) && record->told_state != finding->state;
	finding->announced = key == record->announced_key && record->lost_key != key;
}

/* False: no room. */
static __always_inline bool tell(struct task_struct *task, struct task_record *record,
				 const struct finding *finding)
{
	struct isoscope_namespaces *event;

	count(ISOSCOPE_NAMESPACE_CHANGES);
	event = reserve(security, struct isoscope_namespaces, ISOSCOPE_CLASS_SECURITY);
	if (!event)
		return false;
	record->told_state = finding->state;
	fill_change(event, task, &finding->from, &finding->to, finding->home_cgroup_id);
	event->mechanism = finding->mechanism;
	event->seen_at = ISOSCOPE_SEEN_AT_RECHECK;
	event->initial = came_to_initial_namespaces(task->nsproxy, &finding->from, &finding->to);
	event->answer = finding->answer;
	submit(event);
	return true;
}

/*
 * A task's cgroup may be read whatever it does: it is told where it is now. Cleared first, since whoever
 * moves it again meanwhile may lose that move as well.
 */
static __always_inline void tell_lost_move(struct task_struct *task, struct task_record *record)
{
	struct move move = {
	    .mover = task, /* who did it is not known any more */
	    .moved = task,
	    .to_cgroup_id = task_cgroup_id(task),
	    .home_cgroup_id = record->home_cgroup_id,
	    .mechanism = record->lost_move,
	};

	if (!move.mechanism)
		return;
	record->lost_move = 0;
	if (report_move(&move)) {
		recheck.found++;
		return;
	}
	record->lost_move = move.mechanism;
	recheck.pending++;
}

SEC("?iter/task")
int handle_iter_task(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct finding finding = {};
	struct task_record *record;
	struct moment before;

	if (!task || !task->pid) /* NULL: the walk is over */
		return 0;
	before = look_at(task);
	record = find_task(task->pid);
	if (!record || !task->nsproxy)
		return 0;
	recheck.tasks++;
	tell_lost_move(task, record);
	if (!before.asleep) {
		if (record->lost_key && !record->told_state)
			recheck.pending++;
		return 0;
	}
	count(ISOSCOPE_NAMESPACE_CHECKS);
	compare(task, record, &finding);
	if (!slept_on(task, &before)) {
		if (record->lost_key)
			recheck.pending++;
		return 0;
	}
	if (!finding.differs || finding.announced) {
		/* What broke an invariant found no room: only the task itself can tell. */
		if (record->limits.watched && record->limits.real_cred != (__u64)task->real_cred)
			recheck.pending++;
		return 0;
	}
	if (tell(task, record, &finding))
		recheck.found++;
	else
		recheck.pending++;
	return 0;
}
