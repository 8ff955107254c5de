/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * Records that leave the kernel through the ring buffers. Exact size per kind, natural alignment with
 * named padding, no pointers. Enum values are append-only: a number is never used for anything else.
 */
#ifndef ISOSCOPE_ABI_EVENT_H
#define ISOSCOPE_ABI_EVENT_H

#include "layout.h"

/* Each class has a ring, or a share of one, and its own line in the ledger. */
enum isoscope_class {
	ISOSCOPE_CLASS_SECURITY = 0,  /* crossings, accesses, breaches; ring `security` */
	ISOSCOPE_CLASS_LIFECYCLE = 1, /* units, processes and vCPUs come and go; ring `security` */
	ISOSCOPE_CLASS_EXIT = 2,      /* single VM exits; ring `data` */
	ISOSCOPE_CLASS_SWITCH = 3,    /* single context switches; ring `data` */
	ISOSCOPE_CLASS_COUNT
};

enum isoscope_kind {
	ISOSCOPE_KIND_VM_EXIT = 1,
	ISOSCOPE_KIND_SWITCH = 2,
	ISOSCOPE_KIND_CGROUP_MKDIR = 3,
	ISOSCOPE_KIND_CGROUP_RMDIR = 4,
	ISOSCOPE_KIND_CGROUP_ATTACH = 5,
	ISOSCOPE_KIND_EXEC = 6,
	ISOSCOPE_KIND_NAMESPACES = 7,
	ISOSCOPE_KIND_VCPU = 8,
	ISOSCOPE_KIND_ACCESS = 9,
	ISOSCOPE_KIND_BREACH = 10
};

#define ISOSCOPE_COMM_BYTES 16
#define ISOSCOPE_NAME_BYTES 256 /* NAME_MAX and the terminating zero */

struct isoscope_event_header {
	__u16 size; /* of the whole record, header included */
	__u16 kind;
	__u16 event_class;
	__u16 cpu;
	__u32 tgid; /* of the subject task, in the initial pid namespace */
	__u32 tid;
	__u64 ts_ns;	 /* CLOCK_MONOTONIC */
	__u64 cgroup_id; /* of the subject task, in the hierarchy that is followed */
};
ISOSCOPE_ASSERT_SIZE(isoscope_event_header, 32);

/*
 * Where the time of exits went. What is left of their duration is `kernel`: handling, and blocking that was
 * neither a halt nor in the VMM.
 */
struct isoscope_split {
	__u64 halted_ns;    /* the vCPU waited for an event: polled or slept (kvm_vcpu_wakeup) */
	__u64 userspace_ns; /* the thread was in its VMM, running or asleep */
	__u64 preempted_ns; /* it could have run, and another task had its CPU */
};
ISOSCOPE_ASSERT_SIZE(isoscope_split, 24);

/* One finished VM exit: from kvm_exit to the next kvm_entry of the same thread. */
struct isoscope_vm_exit {
	struct isoscope_event_header header;
	__u64 start_ns;
	__u64 duration_ns;
	struct isoscope_split split;
	__u64 guest_rip; /* where the guest was; 0: not known */
	__u32 vcpu_id;
	__u32 isa; /* enum isoscope_isa */
	__u32 reason;
	__u32 pad;
};
ISOSCOPE_ASSERT_SIZE(isoscope_vm_exit, 96);

/* KVM's own numbers (arch/x86/include/asm/kvm_host.h: KVM_ISA_VMX, KVM_ISA_SVM). */
enum isoscope_isa { ISOSCOPE_ISA_UNKNOWN = 0, ISOSCOPE_ISA_VMX = 1, ISOSCOPE_ISA_SVM = 2 };

/* Bit 31 of a VMX reason: the entry failed and the guest did not run. */
#define ISOSCOPE_REASON_FAILED_ENTRY 0x80000000u
/* The reason could not be read: the ISA is neither VMX nor SVM. No vendor uses this number. */
#define ISOSCOPE_REASON_UNREADABLE 0x7fffffffu

/* One context switch. The header's task is the one that leaves the CPU. */
struct isoscope_switch {
	struct isoscope_event_header header;
	__u64 ran_ns; /* since it was last switched in; 0 if that was not seen */
	__u64 next_cgroup_id;
	__u64 next_waited_ns; /* since it could run; 0 if that was not seen */
	__u32 next_tgid;
	__u32 next_tid;
	__u32 prev_state; /* 0: it was runnable */
	__u8 voluntary;	  /* as the kernel counts nvcsw: not preempted and about to sleep */
	__u8 pad[3];
};
ISOSCOPE_ASSERT_SIZE(isoscope_switch, 72);

/* cgroup made or removed. The record ends after the name's zero byte. */
struct isoscope_cgroup_change {
	struct isoscope_event_header header;
	__u64 id;
	__u64 parent_id;
	__u32 level;
	__u32 name_bytes; /* with the zero */
	char name[ISOSCOPE_NAME_BYTES];
};
ISOSCOPE_ASSERT_OFFSET(isoscope_cgroup_change, name, 56);

/*
 * The file of the program that a process runs, so that one that is gone can still be told from others. The
 * numbers are the kernel's own: stat(2) shows others where a file system makes them up, as overlayfs does. 0:
 * not known, as of kernel threads, and of a process that has given its memory back.
 */
struct isoscope_exe {
	__u64 inode;
	__u32 device; /* major << 20 | minor */
	__u32 pad;
};
ISOSCOPE_ASSERT_SIZE(isoscope_exe, 16);

/* A task was moved, or born elsewhere than its parent. The header's task did the moving, or is the parent. */
struct isoscope_cgroup_attach {
	struct isoscope_event_header header;
	__u64 to_cgroup_id;
	__u64 home_cgroup_id; /* of the moved task; see isoscope_namespaces */
	__u32 moved_tgid;
	__u32 moved_tid;
	char comm[ISOSCOPE_COMM_BYTES]; /* of the moved task */
	__u8 mechanism;			/* enum isoscope_mechanism: CGROUP_ATTACH or CLONE_INTO_CGROUP */
	__u8 pad[7];
	struct isoscope_exe exe; /* of the moved task */
};
ISOSCOPE_ASSERT_SIZE(isoscope_cgroup_attach, 96);

/*
 * Namespaces of a task by type. `pid` and `time` are those for its children, which is what setns and
 * unshare change; a task's own pid namespace never changes. 0: not there (type not built into this kernel).
 */
enum isoscope_ns_type {
	ISOSCOPE_NS_MNT = 0,
	ISOSCOPE_NS_UTS = 1,
	ISOSCOPE_NS_IPC = 2,
	ISOSCOPE_NS_NET = 3,
	ISOSCOPE_NS_PID = 4,
	ISOSCOPE_NS_CGROUP = 5,
	ISOSCOPE_NS_TIME = 6,
	ISOSCOPE_NS_USER = 7,
	ISOSCOPE_NS_COUNT
};

struct isoscope_ns_set {
	__u32 inum[ISOSCOPE_NS_COUNT];
};
ISOSCOPE_ASSERT_SIZE(isoscope_ns_set, 32);

/* A task that runs another program in a mount namespace which its parent does not have. */
struct isoscope_exec {
	struct isoscope_event_header header;
	struct isoscope_ns_set namespaces;
	__u64 start_ns; /* of the task, CLOCK_BOOTTIME: with the tid it names a task for ever */
	__u32 parent_tgid;
	__u32 pad;
	char comm[ISOSCOPE_COMM_BYTES];
};
ISOSCOPE_ASSERT_SIZE(isoscope_exec, 96);

enum isoscope_mechanism {
	ISOSCOPE_MECHANISM_UNKNOWN = 0, /* found by state on a kernel without fentry: the path is not known */
	ISOSCOPE_MECHANISM_SETNS = 1,
	ISOSCOPE_MECHANISM_UNSHARE = 2,
	ISOSCOPE_MECHANISM_CLONE = 3,
	ISOSCOPE_MECHANISM_NONE = 4, /* found by state though the legal paths are watched: tampering */
	ISOSCOPE_MECHANISM_CGROUP_ATTACH = 5,
	ISOSCOPE_MECHANISM_CLONE_INTO_CGROUP = 6, /* born in another cgroup than its parent's */
};

/* What the program that saw it has done about a crossing or a breach; see struct isoscope_enforcement. */
enum isoscope_answer {
	ISOSCOPE_ANSWER_NONE = 0,
	ISOSCOPE_ANSWER_KILLED = 1,  /* SIGKILL is on its way to the process */
	ISOSCOPE_ANSWER_REFUSED = 2, /* the kernel did not take it */
};

/* Which hook saw a change of namespaces first. */
enum isoscope_seen_at {
	ISOSCOPE_SEEN_AT_COMMIT = 1, /* perf_event_namespaces or commit_creds: the system call succeeded */
	ISOSCOPE_SEEN_AT_FORK = 2,
	ISOSCOPE_SEEN_AT_SWITCH = 3,
	ISOSCOPE_SEEN_AT_EXEC = 4,
	ISOSCOPE_SEEN_AT_EXIT = 5,
	ISOSCOPE_SEEN_AT_RECHECK = 6, /* the task slept, and all tasks were looked at after a loss */
};

/* The namespace set of a task changed. */
struct isoscope_namespaces {
	struct isoscope_event_header header;
	struct isoscope_ns_set from;
	struct isoscope_ns_set to;
	/*
	 * The cgroup of the unit the task belongs to: its parent's, until it executes a program in a mount
	 * namespace that its parent does not have, and then the cgroup it is in. A runtime that is moved into
	 * a container's cgroup is still the runtime until it executes the container's program.
	 */
	__u64 home_cgroup_id;
	__u64 start_ns; /* see isoscope_exec */
	__u64 cap_effective;
	__u32 parent_tgid;
	__u32 uid; /* real uid in the initial user namespace */
	__u8 mechanism;
	__u8 seen_at;
	__u8 initial; /* the nsproxy is the kernel's first, which no system call ever gives to a task */
	__u8 answer;  /* enum isoscope_answer */
	__u8 pad[4];
	char comm[ISOSCOPE_COMM_BYTES];
	struct isoscope_exe exe;
};
ISOSCOPE_ASSERT_SIZE(isoscope_namespaces, 168);

/* How a task reached across units without a change of namespaces. */
enum isoscope_access_kind {
	ISOSCOPE_ACCESS_PTRACE = 1, /* detail: PTRACE_MODE_*; also process_vm_*, /proc/PID, pidfd_getfd */
	ISOSCOPE_ACCESS_SIGNAL = 2, /* detail: the signal */
	ISOSCOPE_ACCESS_UNIX_CONNECT = 3,    /* path: the socket's; of an abstract one it begins with @ */
	ISOSCOPE_ACCESS_FILE_RECEIVED = 4,   /* detail: mount namespace of the file; path: its name */
	ISOSCOPE_ACCESS_RELEASE_AGENT = 5,   /* path: the program */
	ISOSCOPE_ACCESS_CORE_PATTERN = 6,    /* path: the pattern */
	ISOSCOPE_ACCESS_USERMODE_HELPER = 7, /* path: the program that the kernel runs */
	ISOSCOPE_ACCESS_MODULE_LOAD = 8,     /* path: the module's name */
	ISOSCOPE_ACCESS_BPF = 9,	     /* detail: the command of bpf(2) */
	ISOSCOPE_ACCESS_FOREIGN_CWD = 10,    /* at exec; detail: mount namespace of the folder */
	ISOSCOPE_ACCESS_FOREIGN_ROOT = 11,   /* at exec; the same of the root */
	/* Refused by the kernel itself; detail: CLONE_NEW* of the namespaces. */
	ISOSCOPE_ACCESS_SETNS = 12,
	ISOSCOPE_ACCESS_UNSHARE = 13,
	ISOSCOPE_ACCESS_CLONE = 14,
};

#define ISOSCOPE_PATH_BYTES 128

/* The header's task reached for another's. The record ends after the path's zero byte. */
struct isoscope_access {
	struct isoscope_event_header header;
	__u64 home_cgroup_id; /* see struct isoscope_namespaces */
	__u64 start_ns;	      /* see struct isoscope_exec */
	__u64 cap_effective;
	__u64 target_cgroup_id;	   /* home of the target task; 0: no task, or not known */
	__u64 target_in_cgroup_id; /* where it is now, as one that a runtime puts into a container; 0 as above
				    */
	struct isoscope_exe exe;
	__u32 target_tgid; /* 0: no task */
	__u32 parent_tgid;
	__u32 uid;
	__u32 kind; /* enum isoscope_access_kind */
	__u32 detail;
	__s32 result;	   /* 0, or the negative errno with which it was refused */
	__u32 target_inum; /* inum of the one that setns was to enter; 0: not known, as behind a pidfd */
	__u32 path_bytes;  /* with the zero */
	char comm[ISOSCOPE_COMM_BYTES];
	char path[ISOSCOPE_PATH_BYTES]; /* cut; empty: none */
};
ISOSCOPE_ASSERT_OFFSET(isoscope_access, path, 136);

/*
 * What no system call can do to a task. I6 (namespaces change within a system call only), I7 (the cgroup
 * stays in the unit's subtree) and I8 (nobody comes to the first nsproxy) are told by other records.
 */
enum isoscope_invariant {
	ISOSCOPE_INVARIANT_PID_NAMESPACE = 1,  /* its own pid namespace changed */
	ISOSCOPE_INVARIANT_USER_NAMESPACE = 2, /* the new user namespace is not below the old one */
	ISOSCOPE_INVARIANT_CAPABILITIES = 3,   /* sets grew; see enum isoscope_capability_set */
	ISOSCOPE_INVARIANT_NO_NEW_PRIVS = 4,   /* was taken back */
	ISOSCOPE_INVARIANT_SECCOMP = 5,	       /* a weaker mode than before */
	ISOSCOPE_INVARIANT_INITIAL_CRED = 9,   /* it has the kernel's first credentials; no values */
};

/* Which of them grew. Where both did, the bounding set is told. */
enum isoscope_capability_set {
	ISOSCOPE_CAPABILITY_NONE = 0,
	ISOSCOPE_CAPABILITY_BOUNDING = 1,
	ISOSCOPE_CAPABILITY_PERMITTED = 2,
};

/* The header's task, which is not in the host's own namespaces, is what it cannot be. */
struct isoscope_breach {
	struct isoscope_event_header header;
	__u64 home_cgroup_id; /* see struct isoscope_namespaces */
	__u64 start_ns;	      /* see struct isoscope_exec */
	__u64 cap_effective;
	__u64 before; /* inum, set of capabilities, bit or mode, as the invariant has it */
	__u64 now;
	__u32 parent_tgid;
	__u32 uid;
	__u8 invariant;	     /* enum isoscope_invariant */
	__u8 capability_set; /* enum isoscope_capability_set */
	__u8 seen_at;
	__u8 answer; /* enum isoscope_answer */
	__u8 pad[4];
	char comm[ISOSCOPE_COMM_BYTES];
	struct isoscope_exe exe;
};
ISOSCOPE_ASSERT_SIZE(isoscope_breach, 120);

/* A thread made its first VM exit. The header's task is that thread. */
struct isoscope_vcpu_event {
	struct isoscope_event_header header;
	__u64 start_ns; /* see isoscope_exec */
	__u32 vcpu_id;
	__u32 isa;
};
ISOSCOPE_ASSERT_SIZE(isoscope_vcpu_event, 48);

#endif
