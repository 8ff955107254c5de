/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * Layout of the latency histograms that the BPF programs fill and userspace reads.
 *
 * Base-2 exponential buckets with boundaries at powers of two in seconds, so that they convert without
 * loss to OpenTelemetry exponential histograms and Prometheus native ones of the same scale:
 *
 *   bucket i holds (b(i), b(i + 1)],  b(i) = 1e9 * 2^((ISOSCOPE_HIST_OFFSET + i) / 2^SCALE) ns
 *
 * Shorter durations go to the first bucket, longer ones to the last; min and max stay exact. 30 octaves
 * from 2^-24 s (59.6 ns, less than any exit costs) to 2^6 s make 240 buckets of about 9 % width.
 */
#ifndef ISOSCOPE_ABI_HISTOGRAM_H
#define ISOSCOPE_ABI_HISTOGRAM_H

#include "layout.h"

#define ISOSCOPE_HIST_SCALE 3
#define ISOSCOPE_HIST_FIRST_OCTAVE (-24)
#define ISOSCOPE_HIST_OCTAVES 30
#define ISOSCOPE_HIST_BUCKETS (ISOSCOPE_HIST_OCTAVES << ISOSCOPE_HIST_SCALE)
#define ISOSCOPE_HIST_OFFSET (ISOSCOPE_HIST_FIRST_OCTAVE * (1 << ISOSCOPE_HIST_SCALE))

/*
 * How the bucket of a duration is found without a logarithm. It is cut to at most 12 bits by a shift of 0, 8,
 * 16 or 24: 16 or more is left of it, so that such a step is at most 1/16 wide. That is narrower than any
 * bucket (2^(1/8) - 1 = 9 %), and at most one boundary falls inside: guess[] has the bucket of the step's
 * first value, and ns > floor_ns[guess + 1] moves it up by one. floor_ns[i] is the integer part of b(i); for
 * whole nanoseconds that is as good as b(i).
 */
#define ISOSCOPE_HIST_STEP_BITS 12
#define ISOSCOPE_HIST_STEPS (4 << ISOSCOPE_HIST_STEP_BITS)

struct isoscope_hist_tables {
	__u64 floor_ns[256 + 1]; /* every guess can be looked up; no duration reaches those above the last */
	__u8 guess[ISOSCOPE_HIST_STEPS];
};

/* The index into guess[]. From 2^36 ns (69 s) on it is the last. */
static inline __u64 isoscope_hist_step(__u64 ns)
{
	if (ns < 1ULL << 20) {
		if (ns < 1ULL << 12)
			return ns;
		return (1 << ISOSCOPE_HIST_STEP_BITS) + (ns >> 8);
	}
	if (ns < 1ULL << 28)
		return (2 << ISOSCOPE_HIST_STEP_BITS) + (ns >> 16);
	if (ns < 1ULL << 36)
		return (3 << ISOSCOPE_HIST_STEP_BITS) + (ns >> 24);
	return ISOSCOPE_HIST_STEPS - 1;
}

#endif
