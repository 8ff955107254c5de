/* SPDX-License-Identifier: GPL-2.0-only */
/* The task record: what the programs remember of one thread. Private to the kernel side. */
#ifndef ISOSCOPE_TASK_RECORD_H
#define ISOSCOPE_TASK_RECORD_H

#include "abi/event.h"

/*
 * What never grows or never changes in a task's life, as it was found last. Of tasks in the host's own
 * namespaces only what a switch compares. Addresses are compared, and leave the maps nowhere.
 */
struct task_limits {
	__u64 real_cred; /* where it was; 0: look at the next switch */
	__u64 task;	 /* whose: a thread that executes a program comes to its leader's record */
	__u64 user_ns;
	__u64 bounding;
	__u64 permitted;
	__u64 inheritable;
	__u32 user_inum;
	__u32 pid_inum; /* its own, not that for its children */
	__u32 exec_id;	/* low half of self_exec_id when its last program had started */
	__u8 locks;	/* see read_locks */
	__u8 watched;
	__u8 initial; /* that it has the kernel's first credentials was told */
	__u8 pad;
};
ISOSCOPE_ASSERT_SIZE(task_limits, 64);

/* The kernel's note since when it waits is not of a wait; see lib/queue_clock.bpf.h. */
#define ISOSCOPE_NOTE_VOID (~0ULL)

struct task_record {
	__u32 tid;  /* whose record this is; 0: free. Taken by compare-and-swap */
	__u16 vcpu; /* index into `vcpus`; 0: no vCPU thread so far */
	__u16 cpu;  /* that it was switched out of last */

	/* isolation: keys (see namespaces_key) are compared for a change only, inums tell what changed */
	__u64 namespaces_key;
	__u64 nsproxy;	     /* where they were when they were compared last */
	__u64 announced_key; /* by switch_task_namespaces: a system call is about to commit it */
	struct isoscope_ns_set namespaces;
	__u64 home_cgroup_id; /* see struct isoscope_namespaces */
	__u8 deferrals;	      /* how often the state check waited for an announced change to be committed */
	__u8
	    lost_mechanism : 4; /* of a change whose record was dropped: said when it is reported after all */
	__u8 answer : 4;	/* to a change that was not told yet; enum isoscope_answer */
	__u8 switches_since_key;
	__u8 lost_move; /* mechanism of a move between cgroups whose record was dropped; 0: none was. Written
			   by whoever moves the task */
	__u32 migrations; /* se.nr_migrations when it last came to a CPU */
	__u64 lost_key;	  /* what that change led to */

	/* scheduling */
	__u64 switched_in_ns; /* 0: it does not run */
	__u64 runnable_ns;    /* since when it waits for a CPU; 0: it runs or sleeps, or that was not seen, or
				 the kernel notes it (lib/queue_clock.bpf.h) */
	__u64 run_delay;      /* sched_info.run_delay when it last left a CPU; or ISOSCOPE_NOTE_VOID */
	__u64
	    preempted_by; /* of runnable_ns: account of the task that took its CPU, ISOSCOPE_ACCOUNT_WOKEN */
	__u64 css_set;	  /* task->cgroups when its account was found; 0: to be found again */
	__u64 account;	  /* whom its time is charged to; see counters.h */
	__u32 sched_cell; /* of the account; 0: none */
	__u32 epoch;	  /* control.epoch when its account was found */
	__u32 window;	  /* the last it came to run in */
	__u32 told_state; /* what a walk over all tasks has told of, by state_of(); 0: nothing. See
			     recheck.bpf.c */

	struct task_limits limits;
};
ISOSCOPE_ASSERT_SIZE(task_record, 216);

#endif
