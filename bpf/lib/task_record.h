/* SPDX-License-Identifier: GPL-2.0-only */
/* The task record: what the programs remember of one thread. Private to the kernel side. */
#ifndef ISOSCOPE_TASK_RECORD_H
#define ISOSCOPE_TASK_RECORD_H

#include "abi/event.h"

struct task_record {
	__u32 tid;  /* whose record this is; 0: free. Taken by compare-and-swap */
	__u32 vcpu; /* index into `vcpus`; 0: no vCPU thread so far */

	/* isolation: keys (see namespaces_key) are compared for a change only, inums tell what changed */
	__u64 namespaces_key;
	__u64 announced_key; /* by switch_task_namespaces: a system call is about to commit it */
	struct isoscope_ns_set namespaces;
	__u64 home_cgroup_id; /* see struct isoscope_namespaces */
	__u8 deferrals;	      /* how often the state check waited for an announced change to be committed */
	__u8 lost_mechanism;  /* of a change whose record was dropped: said when it is reported after all */
	__u8 pad[6];
	__u64 lost_key; /* what that change led to */

	/* scheduling */
	__u64 switched_in_ns; /* 0: it does not run */
	__u64 cgroup_id;      /* whose slot `cgroup_slot` is */
	__u32 cgroup_slot;
	__u32 pad2;
};
ISOSCOPE_ASSERT_SIZE(task_record, 104);

#endif
