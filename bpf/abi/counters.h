/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * What is counted in maps. Counters only grow; userspace keeps the last reading and reports the difference
 * per window, so no update can fall between a read and a reset.
 */
#ifndef ISOSCOPE_ABI_COUNTERS_H
#define ISOSCOPE_ABI_COUNTERS_H

#include "event.h"
#include "histogram.h"
#include "layout.h"

/*
 * Exits of one vCPU for one reason: one cell of the pool `exit_cells`. An exit is counted when it is over, by
 * its bucket alone. Written by the vCPU thread alone, so there are no atomics; every field is read whole, but
 * a reader may see one exit in some fields and not yet in others.
 */
struct isoscope_exit_cell {
	/* Modulo 2^32, as the buckets are: fewer happen within a window. */
	__u32 unfinished; /* exits that never had an entry: the last of a vCPU, or another one came first */
	__u32 nested;	  /* finished ones that came from a guest of the guest (kvm_nested_vmexit) */
	__u64 sum_ns;	  /* of finished exits, as are the split, the buckets, min and max */
	__u64 min_ns;	  /* min and max are of the window `window`, and stale in any other */
	__u64 max_ns;
	__u32 window;
	__u32 reason;
	struct isoscope_split split;
	__u32 buckets[ISOSCOPE_HIST_BUCKETS];
};
ISOSCOPE_ASSERT_SIZE(isoscope_exit_cell, 1024);

/*
 * Where the cell of a reason is: codes below ISOSCOPE_REASON_DIRECT have their own entry (VMX uses 0-85, SVM
 * 0-0xa6); all others (SVM 0x400 and up, failed entries, codes of the future) share the entries above by a
 * hash. A cell whose reason is another one's is not used: the exit goes to the vCPU's `other` row.
 */
#define ISOSCOPE_REASON_DIRECT 192
#define ISOSCOPE_REASON_ENTRIES 256

enum isoscope_vcpu_state {
	ISOSCOPE_VCPU_FREE = 0,
	ISOSCOPE_VCPU_LIVE = 1,
	ISOSCOPE_VCPU_DEAD = 2, /* the thread has ended; userspace takes the last reading and frees it */
};

/* Most exits are handled in the kernel at once, and most of the others go to the VMM and back. */
enum isoscope_parts {
	ISOSCOPE_PARTS_USERSPACE = 1, /* split.userspace_ns or userspace_since_ns */
	ISOSCOPE_PARTS_OTHER = 2,     /* anything else */
};

/* The exit that a vCPU is in. For the programs alone, which write it in the vCPU's thread. */
struct isoscope_pending_exit {
	__u64 start_ns; /* 0: none */
	__u32 reason;
	__u32 parts;  /* enum isoscope_parts: what below is set */
	__u32 nested; /* the exit was one of a guest of the guest */
	__u32 pad;
	__u64 userspace_since_ns; /* 0: it is in the kernel */
	__u64 phase_preempted_ns; /* split.preempted_ns when the present phase began */
	struct isoscope_split split;
	__u64 guest_rip;
};
ISOSCOPE_ASSERT_SIZE(isoscope_pending_exit, 72);

/* The programs' own: see read_svm_reason. Addresses are compared and read from, and leave the maps nowhere.
 */
struct isoscope_svm_cache {
	__u64 vcpu;
	__u64 vmcb;
	__u64 exits; /* that KVM had counted for this vCPU */
	__u32 hflags;
	__u32 pad;
};
ISOSCOPE_ASSERT_SIZE(isoscope_svm_cache, 32);

/* Entries of the global `vcpus`. */
#define ISOSCOPE_VCPUS 2048

struct isoscope_vcpu {
	__u32 state;
	__u32 vcpu_id;
	__u32 tgid;
	__u32 tid;
	__u32 isa;
	__u32 pad;
	__u64 start_ns; /* of the thread, CLOCK_BOOTTIME */
	__u64 cgroup_id;
	__u64 unmatched_entries; /* an entry without a pending exit: the first after attach, or a lost exit */
	__u64 unmatched_exits;	 /* an exit while another was pending, or pending when the thread ended */
	__u64 other_unfinished;	 /* these: no cell was free, or the hash of two reasons collided */
	__u64 other_finished;
	__u64 other_sum_ns;
	struct isoscope_split other_split;
	struct isoscope_pending_exit pending;
	struct isoscope_svm_cache svm;
	__u16 cells[ISOSCOPE_REASON_ENTRIES]; /* 0: none; else an index into `exit_cells` */
};
ISOSCOPE_ASSERT_SIZE(isoscope_vcpu, 720);

/*
 * Whom a thread's time on and off the CPU is charged to: its cgroup, by id; or, for every thread of a process
 * that runs vCPUs, that process, since several VMs may share a cgroup. Ids of cgroups are counted up from 1
 * and reach none of these bits.
 */
#define ISOSCOPE_ACCOUNT_VM (1ULL << 63) /* and the thread group's id */
/* Of who took a CPU only. */
#define ISOSCOPE_ACCOUNT_IDLE (1ULL << 62)  /* nobody did */
#define ISOSCOPE_ACCOUNT_WOKEN (1ULL << 61) /* the task slept before it waited */

/*
 * What one account's threads did. Every CPU adds to it; counters only grow. Not one for each CPU: memory is
 * entries x 1 KiB whatever the number of CPUs. Entry 0 is `other`: everything that found no entry.
 */
struct isoscope_sched_cell {
	__u64 account;
	__u64 voluntary; /* switches, as the kernel counts nvcsw and nivcsw */
	__u64 involuntary;
	__u64 on_cpu_ns; /* of the runs that are over; see struct isoscope_cpu_runs */
	__u64 resumed;	 /* waits that began with being preempted; the others began with a wake-up */
	__u64 migrations;
	__u64 threads;	    /* each counted once in every window that it came to run in */
	__u64 waits_ns;	    /* runnable and without a CPU, until it ran */
	__u64 preempted_ns; /* of that, after another task had taken its CPU: it is in `preemptions`, or in */
	__u64 own_preemptions; /* by another thread of this account, which is common and saves the look-up */
	__u64 own_preempted_ns;
	__u32 wait_buckets[ISOSCOPE_HIST_BUCKETS];
};
ISOSCOPE_ASSERT_SIZE(isoscope_sched_cell, 1048);

/* The last runs on a CPU: whose they were and when they began; each ended when the next one began. */
#define ISOSCOPE_CPU_RUNS 8

struct isoscope_cpu_run {
	__u64 account;	/* 0: idle */
	__u64 since_ns; /* 0: nothing is known */
};
ISOSCOPE_ASSERT_SIZE(isoscope_cpu_run, 16);

/*
 * The clock that a CPU's run queue is kept by (rq->clock), against ours; see lib/queue_clock.bpf.h. One that
 * the programs cannot read has read_ns 0.
 */
struct isoscope_queue_clock {
	__u64 offset_ns; /* CLOCK_MONOTONIC less this clock, modulo 2^64 */
	__u64 read_ns;	 /* CLOCK_MONOTONIC when it was read last */
};
ISOSCOPE_ASSERT_SIZE(isoscope_queue_clock, 16);

struct isoscope_cpu_runs {
	__u64 last; /* index of the run that is not over: it is added to its account's on_cpu_ns when it is */
	struct isoscope_cpu_run runs[ISOSCOPE_CPU_RUNS];
	struct isoscope_queue_clock clock;
	__u64 pad[5]; /* cache lines of its own */
};
ISOSCOPE_ASSERT_SIZE(isoscope_cpu_runs, 192);

/* Who was pushed off a CPU, and whose task took it. */
struct isoscope_preemption_key {
	__u64 account;
	__u64 by;
};
ISOSCOPE_ASSERT_SIZE(isoscope_preemption_key, 16);

struct isoscope_preemption {
	__u64 count;	 /* how often `by` took the CPU */
	__u64 waited_ns; /* how long `by` had it while they waited; see charge_preemption */
};
ISOSCOPE_ASSERT_SIZE(isoscope_preemption, 16);

/*
 * Made and dropped records by class (made counts every attempt: handled + dropped), then failures by cause.
 * Per CPU, summed by userspace. Append only.
 */
enum isoscope_counter {
	ISOSCOPE_MADE_SECURITY = 0,
	ISOSCOPE_MADE_LIFECYCLE = 1,
	ISOSCOPE_MADE_EXIT = 2,
	ISOSCOPE_MADE_SWITCH = 3,
	ISOSCOPE_DROPPED_SECURITY = 4,
	ISOSCOPE_DROPPED_LIFECYCLE = 5,
	ISOSCOPE_DROPPED_EXIT = 6,
	ISOSCOPE_DROPPED_SWITCH = 7,
	ISOSCOPE_TASK_COLLISION = 8,	 /* a slot of the task table was taken: served by the overflow map */
	ISOSCOPE_TASK_FULL = 9,		 /* and that was full: the task is not followed */
	ISOSCOPE_VCPU_FULL = 10,	 /* no vCPU record left: its exits are not counted by reason */
	ISOSCOPE_EXIT_CELL_FULL = 11,	 /* a new reason found no cell: counted in `other` */
	ISOSCOPE_ACCOUNT_FULL = 12,	 /* an account found no entry: counted in `other` */
	ISOSCOPE_REASON_UNREAD = 13,	 /* the exit reason could not be read from the vCPU */
	ISOSCOPE_NAMESPACE_CHECKS = 14,	 /* comparisons of a task's namespaces with its record */
	ISOSCOPE_NAMESPACE_CHANGES = 15, /* of which found a difference */
	ISOSCOPE_EXIT_UNTRACKED = 16,	 /* VM exits of threads without task or vCPU record */
	ISOSCOPE_SWITCH_UNPAIRED =
	    17, /* a task left a CPU, and when it came was not seen: its time is not counted */
	ISOSCOPE_WAIT_UNPAIRED = 18,   /* a task came to a CPU, and since when it waited was not seen */
	ISOSCOPE_PREEMPTION_FULL = 19, /* no place to count who preempted whom: in preempted_ns alone */
	ISOSCOPE_VMM_FULL = 20,	       /* a process with vCPUs found no place: its time is its cgroup's */
	ISOSCOPE_ACCESS_FOLDED = 21,   /* an access that was told of within the second before */
	/* Lost for good: a dropped change of namespaces is told later, these are not. */
	ISOSCOPE_CROSSING_GONE = 22,  /* the task ended, or changed again, before its change could be told */
	ISOSCOPE_ACCESS_GONE = 23,    /* an access whose record was dropped */
	ISOSCOPE_MOVE_GONE = 24,      /* a move between cgroups whose record was dropped */
	ISOSCOPE_CREDS_CHECKS = 25,   /* comparisons of a contained task's credentials with its record */
	ISOSCOPE_CREDS_CHANGES = 26,  /* of which found a difference */
	ISOSCOPE_INITIAL_CHECKS = 27, /* of all of them, those that knew the kernel's first credentials */
	ISOSCOPE_KILLS = 28,	      /* processes that the programs sent SIGKILL */
	ISOSCOPE_KILLS_REFUSED = 29,  /* and to which the kernel did not send it: userspace has to */
	ISOSCOPE_WAIT_UNKNOWN = 30,   /* a task came to a CPU that was moved in its sleep; see note_move */
	ISOSCOPE_COUNTER_COUNT
};

#endif
