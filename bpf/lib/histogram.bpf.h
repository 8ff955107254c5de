/* SPDX-License-Identifier: GPL-2.0-only */
/* The bucket of a duration; layout and method are told in abi/histogram.h. */
#ifndef ISOSCOPE_HISTOGRAM_BPF_H
#define ISOSCOPE_HISTOGRAM_BPF_H

#include "lib/maps.bpf.h"

/* Filled by userspace before load, from the same function that gives its own bucket boundaries. */
const volatile struct isoscope_hist_tables hist_tables;

/* Everything below the second boundary (65 ns) is in the first bucket. */
#define HIST_FIRST_EXPONENT 6

static __always_inline __u32 exponent_of(__u64 value)
{
	__u32 exponent = 0;

	if (value >> 32) {
		exponent += 32;
		value >>= 32;
	}
	if (value >> 16) {
		exponent += 16;
		value >>= 16;
	}
	if (value >> 8) {
		exponent += 8;
		value >>= 8;
	}
	if (value >> 4) {
		exponent += 4;
		value >>= 4;
	}
	if (value >> 2) {
		exponent += 2;
		value >>= 2;
	}
	return exponent + (value >> 1);
}

static __always_inline __u32 bucket_of(__u64 duration_ns)
{
	__u64 below = duration_ns - 1;
	__u32 exponent, step, bucket;

	if (duration_ns <= 1ULL << HIST_FIRST_EXPONENT)
		return 0;
	exponent = exponent_of(below);
	step = exponent << ISOSCOPE_HIST_STEP_BITS;
	step += (below >> (exponent - ISOSCOPE_HIST_STEP_BITS)) & ((1 << ISOSCOPE_HIST_STEP_BITS) - 1);
	/* Shows the verifier (6.1 forgets bounds at an OR) what the compiler proves and would drop. */
	barrier_var(step);
	bucket = hist_tables.guess[step & (ISOSCOPE_HIST_STEPS - 1)];
	if (bucket >= ISOSCOPE_HIST_BUCKETS - 1)
		return ISOSCOPE_HIST_BUCKETS - 1;
	return bucket + (below >= hist_tables.floor_ns[bucket + 1]);
}

#endif
