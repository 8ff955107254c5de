/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's first credentials and namespaces. Exploits install them, since they are at hand; no system
 * call does: setns and unshare make an nsproxy of their own, and each program is started with credentials of
 * its own.
 */
#ifndef ISOSCOPE_INITIAL_BPF_H
#define ISOSCOPE_INITIAL_BPF_H

#include "lib/task.bpf.h"

/*
 * Task 0 has them, and is the parent of the first process. Not by name: kallsyms lists data only with
 * CONFIG_KALLSYMS_ALL, and shows addresses to few. False: too far from the running task; another will tell.
 * Not static: the verifier goes through the loop once, and not once for every way that leads here.
 */
bool find_initial(void);

/*
 * Whether a change of namespaces led to init_nsproxy. That of the user namespace leaves the nsproxy as it is,
 * and who never had another one has the first.
 */
static __always_inline bool came_to_initial_namespaces(const struct nsproxy *nsproxy,
						       const struct isoscope_ns_set *from,
						       const struct isoscope_ns_set *to)
{
	__u32 differs = 0;

	if (!find_initial() || (__u64)nsproxy != initial_nsproxy)
		return false;
#pragma unroll
	for (int i = 0; i < ISOSCOPE_NS_COUNT; i++)
		differs |= i == ISOSCOPE_NS_USER ? 0 : from->inum[i] ^ to->inum[i];
	return differs;
}

#endif
