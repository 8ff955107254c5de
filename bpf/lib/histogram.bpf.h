/* SPDX-License-Identifier: GPL-2.0-only */
/* The bucket of a duration; layout and method are told in abi/histogram.h. */
#ifndef ISOSCOPE_HISTOGRAM_BPF_H
#define ISOSCOPE_HISTOGRAM_BPF_H

#include "lib/maps.bpf.h"

/* Filled by userspace before load, from the same function that gives its own bucket boundaries. */
extern const volatile struct isoscope_hist_tables hist_tables;

/* May be ISOSCOPE_HIST_BUCKETS or more for the verifier alone. */
static __always_inline __u32 bucket_of(__u64 duration_ns)
{
	__u64 step = isoscope_hist_step(duration_ns);
	__u32 bucket;

	/* Shows the verifier (6.1 forgets bounds at an OR) what the compiler proves and would drop. */
	barrier_var(step);
	bucket = hist_tables.guess[step & (ISOSCOPE_HIST_STEPS - 1)];
	return bucket + (duration_ns > hist_tables.floor_ns[bucket + 1]);
}

#endif
