/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SIGKILL for who violates a policy that is enforced, from the hook that sees it. What was done is done; but
 * the program does not go on with it, as it is seen within its system call, or before it comes back to a CPU.
 */
#ifndef ISOSCOPE_ENFORCE_BPF_H
#define ISOSCOPE_ENFORCE_BPF_H

#include "lib/maps.bpf.h"

/*
 * Both are about the running task, and answer with an enum isoscope_answer. Not static: the verifier goes
 * through each once, and not once for every way that leads here.
 */
__u32 answer_change(__u64 home_cgroup_id, const struct isoscope_ns_set *from,
		    const struct isoscope_ns_set *to, __u32 mechanism, bool initial);
__u32 answer_breach(__u64 home_cgroup_id, __u32 invariant);

#endif
