/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* What userspace tells the programs, before load (knobs, constant from then on) and while they run (control).
 */
#ifndef ISOSCOPE_ABI_KNOBS_H
#define ISOSCOPE_ABI_KNOBS_H

#include "event.h"
#include "histogram.h"
#include "layout.h"

/* By whose hierarchy tasks are told apart. The others are of cgroup v1. */
enum isoscope_cgroup_controller {
	ISOSCOPE_CGROUP_UNIFIED = 0, /* the default hierarchy, v2 */
	ISOSCOPE_CGROUP_PIDS = 1,
	ISOSCOPE_CGROUP_MEMORY = 2,
};

struct isoscope_knobs {
	__u32 abi_version;
	__u32 task_slots;   /* entries of `tasks`; a power of two */
	__u64 slow_exit_ns; /* stream exits that took at least this long; 0: all */
	__u64 wakeup_bytes; /* wake the reader when the data ring holds this much */
	__u8 stream_exits;
	__u8 stream_switches;
	__u8 legal_paths_watched; /* fentry is there: a change found by state alone was not made by a system
				     call */
	__u8 has_cast;		  /* the kernel function bpf_rdonly_cast is there (6.2) */
	__u8 cgroup_controller;	  /* enum isoscope_cgroup_controller */
	__u8 pad[3];
	/* Offsets in the classic kvm:kvm_exit record, from its tracefs format file. */
	__u32 classic_reason_offset;
	__u32 classic_vcpu_offset;
	__u32 classic_isa_offset;
	__u32 classic_rip_offset;
	/* And of `ns` in the classic kvm:kvm_vcpu_wakeup record. */
	__u32 classic_wakeup_ns_offset;
	__u32 cgroup_hierarchy_id; /* of that controller: the number in front of it in /proc/PID/cgroup */
	struct isoscope_ns_set host_namespaces;
};
ISOSCOPE_ASSERT_SIZE(isoscope_knobs, 88);

/* The global `control`, in the memory that every instance of the object shares. */
struct isoscope_control {
	__u32
	    window;  /* number of the current window; a change tells the programs to begin min and max anew */
	__u32 epoch; /* grows with every window and with every process that makes its first vCPU */
	__u32 enforced;	    /* there may be entries in `enforcements`; else nobody looks there */
	__u32 waits_hooked; /* waits begin at a hook on every wake-up; else where the kernel notes it */
};
ISOSCOPE_ASSERT_SIZE(isoscope_control, 16);

/* Up to ISOSCOPE_MECHANISM_NONE. */
#define ISOSCOPE_ENFORCED_MECHANISMS 5

/*
 * What is answered with SIGKILL, of the tasks of one home cgroup. Userspace puts every case through its
 * policies beforehand: what is in here violates one that is enforced, whoever does it.
 */
struct isoscope_enforcement {
	struct isoscope_ns_set own; /* of the unit: to come back into these is no crossing */
	__u64 invariants;	    /* bit N: a breach of IN */
	/*
	 * By mechanism: bit S of the 256, that a change brought the task into the host's own namespaces of
	 * the types in the set S (bit i: type i), and into no others that it did not have.
	 */
	__u64 kill[ISOSCOPE_ENFORCED_MECHANISMS][(1 << ISOSCOPE_NS_COUNT) / 64];
};
ISOSCOPE_ASSERT_SIZE(isoscope_enforcement, 200);

/*
 * The global `recheck`: a walk over all tasks after records of the security class, or of moves between
 * cgroups, were dropped. Userspace clears the counts before each.
 */
struct isoscope_recheck {
	__u64 dropped_since_ns; /* the first drop after userspace last set this to 0; 0: none */
	__u64 tasks;		/* looked at: those with a task record */
	__u64 found;		/* changes and moves that nobody had been told of, and that are told now */
	__u64 pending;		/* that could not be told yet: no room, or the task is about to run */
};
ISOSCOPE_ASSERT_SIZE(isoscope_recheck, 32);

#endif
