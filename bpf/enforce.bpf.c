// SPDX-License-Identifier: GPL-2.0-only
#include "lib/enforce.bpf.h"

#define SIGKILL 9

/* More than any set of types. */
#define NOT_KNOWN (1 << ISOSCOPE_NS_COUNT)

/*
 * To the whole process of the running task; of a container's first process as well (SEND_SIG_PRIV). With
 * interrupts off, as at a switch, the kernel sends it a moment later by an interrupt of its own, one for each
 * CPU at a time. It refuses for pid 1, kernel threads and who is at its end.
 */
static __always_inline __u32 kill_current(void)
{
	if (bpf_send_signal(SIGKILL)) {
		count(ISOSCOPE_KILLS_REFUSED);
		return ISOSCOPE_ANSWER_REFUSED;
	}
	count(ISOSCOPE_KILLS);
	return ISOSCOPE_ANSWER_KILLED;
}

/*
 * unshare and clone make namespaces and never join one. Any other namespace than the host's or the unit's own
 * has to be looked up, and makes it a case for userspace.
 */
static __always_inline __u32 types_to_host(const struct isoscope_ns_set *from,
					   const struct isoscope_ns_set *to,
					   const struct isoscope_ns_set *own, bool makes)
{
	const volatile struct isoscope_ns_set *host = &knobs.host_namespaces;
	__u32 types = 0;

	for (int i = 0; i < ISOSCOPE_NS_COUNT; i++) {
		__u32 inum = to->inum[i];

		if (!inum || inum == from->inum[i] || inum == own->inum[i])
			continue;
		if (inum == host->inum[i])
			types |= 1 << i;
		else if (!makes)
			types |= NOT_KNOWN;
	}
	return types;
}

static __always_inline bool is_answered(const struct isoscope_enforcement *enforcement, __u32 types,
					__u32 mechanism)
{
	__u64 word = types / 64;

	if (!types || types >= NOT_KNOWN || mechanism >= ISOSCOPE_ENFORCED_MECHANISMS)
		return false;
	/* Shows the verifier the bound. */
	barrier_var(word);
	return enforcement->kill[mechanism][word & 3] >> (types % 64) & 1;
}

__u32 answer_change(__u64 home_cgroup_id, const struct isoscope_ns_set *from,
		    const struct isoscope_ns_set *to, __u32 mechanism, bool initial)
{
	const struct isoscope_enforcement *enforcement;
	bool makes = mechanism == ISOSCOPE_MECHANISM_UNSHARE || mechanism == ISOSCOPE_MECHANISM_CLONE;
	__u64 broken = 0;

	if (!from || !to) /* cannot be; tells the verifier so */
		return ISOSCOPE_ANSWER_NONE;
	enforcement = bpf_map_lookup_elem(&enforcements, &home_cgroup_id);
	if (!enforcement)
		return ISOSCOPE_ANSWER_NONE;
	/* I6 and I8; see enum isoscope_invariant. */
	if (mechanism == ISOSCOPE_MECHANISM_NONE)
		broken |= 1 << 6;
	if (initial)
		broken |= 1 << 8;
	if (enforcement->invariants & broken)
		return kill_current();
	if (is_answered(enforcement, types_to_host(from, to, &enforcement->own, makes), mechanism))
		return kill_current();
	return ISOSCOPE_ANSWER_NONE;
}

__u32 answer_breach(__u64 home_cgroup_id, __u32 invariant)
{
	const struct isoscope_enforcement *enforcement = bpf_map_lookup_elem(&enforcements, &home_cgroup_id);

	if (!enforcement || !(enforcement->invariants >> (invariant & 63) & 1))
		return ISOSCOPE_ANSWER_NONE;
	return kill_current();
}
