// SPDX-License-Identifier: GPL-2.0-only
/* Looking at everything, by any of the hooks; and at new credentials as soon as they are committed. */
#include "lib/maps.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/enforce.bpf.h"
#include "lib/limits.bpf.h"

/* Generations above a task, up to task 0: of services and containers some ten. */
#define MAX_GENERATIONS 32

bool find_initial(void)
{
	struct task_struct *ancestor = (void *)bpf_get_current_task();

	if (initial_cred)
		return true;
	for (int i = 0; i < MAX_GENERATIONS && ancestor; i++) {
		ancestor = BPF_CORE_READ(ancestor, real_parent);
		if (!BPF_CORE_READ(ancestor, pid)) {
			initial_nsproxy = (__u64)BPF_CORE_READ(ancestor, nsproxy);
			initial_cred = (__u64)BPF_CORE_READ(ancestor, real_cred);
			return initial_cred != 0;
		}
	}
	return false;
}

/* create_user_ns refuses below level 33. */
#define MAX_USER_NAMESPACES 40

static __noinline void read_limits(struct task_struct *task, struct task_limits *limits)
{
	const struct cred *cred = BPF_CORE_READ(task, real_cred);

	limits->real_cred = (__u64)cred;
	limits->task = (__u64)task;
	limits->user_ns = (__u64)BPF_CORE_READ(cred, user_ns);
	limits->user_inum = BPF_CORE_READ(cred, user_ns, ns.inum);
	limits->bounding = 0;
	limits->permitted = 0;
	limits->inheritable = 0;
	bpf_core_read(&limits->bounding, sizeof(limits->bounding), &cred->cap_bset);
	bpf_core_read(&limits->permitted, sizeof(limits->permitted), &cred->cap_permitted);
	bpf_core_read(&limits->inheritable, sizeof(limits->inheritable), &cred->cap_inheritable);
	limits->pid_inum = own_pid_namespace(task);
	limits->exec_id = task->self_exec_id;
	limits->locks = read_locks(task);
	limits->watched = true;
	limits->initial = false;
	limits->pad = 0;
}

/*
 * begin_new_exec counts self_exec_id up, and then commits the new credentials. Whoever is found in between
 * must not look as if it had them without an exec.
 */
static __always_inline bool may_be_in_exec(struct task_struct *task)
{
	return !bpf_core_field_exists(task->in_execve) || BPF_CORE_READ_BITFIELD_PROBED(task, in_execve);
}

/*
 * None of these functions is static: the verifier goes through each once, and not once for every way that
 * leads to it.
 */

/* Of the running task. False: the ring is full. */
bool tell_breach(__u32 invariant, __u32 capability_set, __u64 before, __u64 now, __u32 seen_at)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_record *record = find_task(task->pid);
	__u32 answer = ISOSCOPE_ANSWER_NONE;
	struct isoscope_breach *event;

	if (!record) /* cannot be; tells the verifier so */
		return true;
	/* Again at the next look, if there is no room for the record. */
	if (control.enforced && seen_at != ISOSCOPE_SEEN_AT_EXIT)
		answer = answer_breach(record->home_cgroup_id, invariant);
	event = reserve(security, struct isoscope_breach, ISOSCOPE_CLASS_SECURITY);
	if (!event)
		return false;
	fill_header(&event->header, sizeof(*event), ISOSCOPE_KIND_BREACH, ISOSCOPE_CLASS_SECURITY, task,
		    task_cgroup_id(task), bpf_ktime_get_ns());
	event->home_cgroup_id = record->home_cgroup_id;
	event->start_ns = task->start_boottime;
	event->cap_effective = 0;
	bpf_core_read(&event->cap_effective, sizeof(event->cap_effective), &task->real_cred->cap_effective);
	event->before = before;
	event->now = now;
	event->parent_tgid = BPF_CORE_READ(task, real_parent, tgid);
	event->uid = BPF_CORE_READ(task, real_cred, uid.val);
	event->invariant = invariant;
	event->capability_set = capability_set;
	event->seen_at = seen_at;
	event->answer = answer;
	__builtin_memset(event->pad, 0, sizeof(event->pad));
	bpf_core_read(event->comm, sizeof(event->comm), &task->comm);
	read_exe(task, &event->exe);
	submit_urgent(event);
	return true;
}

/* I1. Also after an exec by a thread: threads of a process are in one pid namespace. */
bool judge_pid_namespace(struct task_limits *known, const struct task_limits *now, __u32 seen_at)
{
	if (!known || !now) /* cannot be; tells the verifier so */
		return true;
	if (!now->pid_inum || now->pid_inum == known->pid_inum)
		return true;
	if (known->pid_inum &&
	    !tell_breach(ISOSCOPE_INVARIANT_PID_NAMESPACE, 0, known->pid_inum, now->pid_inum, seen_at))
		return false;
	known->pid_inum = now->pid_inum;
	return true;
}

/* An inner namespace keeps those around it alive: their addresses are nobody else's. */
bool is_inside(__u64 user_ns, __u64 outer)
{
	for (int i = 0; i < MAX_USER_NAMESPACES && user_ns; i++) {
		if (user_ns == outer)
			return true;
		user_ns = (__u64)BPF_CORE_READ((struct user_namespace *)user_ns, parent);
	}
	return false;
}

/*
 * I2: setns wants capabilities in the new namespace, which nobody has but in his own and in those below it;
 * unshare and clone make one below. What a record of namespaces has told is not told again, nor the other way
 * round.
 */
static __always_inline bool judge_user_namespace(struct task_record *record, const struct task_limits *now,
						 __u32 seen_at)
{
	if (record->namespaces.inum[ISOSCOPE_NS_USER] == now->user_inum ||
	    is_inside(now->user_ns, record->limits.user_ns))
		return true;
	if (!tell_breach(ISOSCOPE_INVARIANT_USER_NAMESPACE, 0, record->limits.user_inum, now->user_inum,
			 seen_at))
		return false;
	record->namespaces.inum[ISOSCOPE_NS_USER] = now->user_inum;
	return true;
}

/*
 * I3, within one user namespace: nothing adds to the bounding set, and to the permitted one only exec does,
 * from the bounding, the inheritable and the permitted set. PR_CAPBSET_DROP leaves the others as they are:
 * permitted may lie outside of bounding.
 */
static __always_inline bool judge_capabilities(const struct task_limits *known, const struct task_limits *now,
					       __u32 seen_at)
{
	__u64 allowed = known->permitted;

	if (now->bounding & ~known->bounding)
		return tell_breach(ISOSCOPE_INVARIANT_CAPABILITIES, ISOSCOPE_CAPABILITY_BOUNDING,
				   known->bounding, now->bounding, seen_at);
	if (now->exec_id != known->exec_id)
		allowed |= known->bounding | known->inheritable;
	if (!(now->permitted & ~allowed))
		return true;
	return tell_breach(ISOSCOPE_INVARIANT_CAPABILITIES, ISOSCOPE_CAPABILITY_PERMITTED, known->permitted,
			   now->permitted, seen_at);
}

bool judge_credentials(struct task_record *record, const struct task_limits *now, __u32 seen_at)
{
	struct task_limits *known;
	bool same;

	if (!record || !now) /* cannot be; tells the verifier so */
		return true;
	known = &record->limits;
	same = known->user_ns == now->user_ns && known->user_inum == now->user_inum;
	if (same ? !judge_capabilities(known, now, seen_at) : !judge_user_namespace(record, now, seen_at))
		return false;
	known->user_ns = now->user_ns;
	known->user_inum = now->user_inum;
	known->bounding = now->bounding;
	known->permitted = now->permitted;
	known->inheritable = now->inheritable;
	return true;
}

/* I4 and I5: inherited by fork and kept by exec; another thread's SECCOMP_FILTER_FLAG_TSYNC raises both. */
bool judge_locks(struct task_limits *known, const struct task_limits *now, __u32 seen_at)
{
	__u8 bit, mode, known_mode;

	if (!known || !now) /* cannot be; tells the verifier so */
		return true;
	bit = now->locks & 1;
	mode = now->locks >> 1;
	known_mode = known->locks >> 1;
	if ((known->locks & 1) && !bit && !tell_breach(ISOSCOPE_INVARIANT_NO_NEW_PRIVS, 0, 1, 0, seen_at))
		bit = 1;
	if (mode < known_mode && !tell_breach(ISOSCOPE_INVARIANT_SECCOMP, 0, known_mode, mode, seen_at))
		mode = known_mode;
	known->locks = bit | mode << 1;
	return true;
}

/* I9. */
bool judge_initial(struct task_limits *known, const struct task_limits *now, __u32 seen_at)
{
	bool has_it;

	if (!known || !now) /* cannot be; tells the verifier so */
		return true;
	if (!find_initial())
		return true;
	count(ISOSCOPE_INITIAL_CHECKS);
	has_it = now->real_cred == initial_cred;
	if (has_it && !known->initial && !tell_breach(ISOSCOPE_INVARIANT_INITIAL_CRED, 0, 0, 0, seen_at))
		return false;
	known->initial = has_it;
	return true;
}

/*
 * A thread that executes a program has its leader's id, and so its record, from some point of the exec on;
 * what that thread had is known at the exec's end (take_over).
 */
int judge_limits(__u32 seen_at)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_record *record = find_task(task->pid);
	struct task_limits *known;
	struct task_limits now;
	bool is_told;

	if (!record)
		return 0;
	known = &record->limits;
	read_limits(task, &now);
	if (!known->watched || (seen_at == ISOSCOPE_SEEN_AT_EXEC && known->task != now.task)) {
		*known = now;
		if (seen_at != ISOSCOPE_SEEN_AT_EXEC && may_be_in_exec(task))
			known->exec_id--;
	}
	if (known->task != now.task)
		return 0;
	count(ISOSCOPE_CREDS_CHECKS);
	if ((known->real_cred && known->real_cred != now.real_cred) || known->locks != now.locks)
		count(ISOSCOPE_CREDS_CHANGES);
	is_told = judge_pid_namespace(known, &now, seen_at);
	is_told &= judge_credentials(record, &now, seen_at);
	is_told &= judge_initial(known, &now, seen_at);
	judge_locks(known, &now, seen_at);
	/* Only here: an exec whose credentials are not committed yet has counted already. */
	if (seen_at == ISOSCOPE_SEEN_AT_EXEC && is_told)
		known->exec_id = now.exec_id;
	/* What was not told is found at the next switch. */
	known->real_cred = is_told ? now.real_cred : 0;
	return 0;
}

/* int commit_creds(struct cred *new) */
SEC("?fexit/commit_creds")
int BPF_PROG(handle_commit_creds)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_record *record = find_task(task->pid);

	if (record)
		look_at_limits(task, task->real_cred, record, ISOSCOPE_SEEN_AT_COMMIT);
	return 0;
}
