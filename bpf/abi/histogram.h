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
 * How a program finds the bucket of a duration without a logarithm. Let u = ns - 1 (the upper bound is
 * inclusive) and split it like a float: exponent e, and the 4 bits below the leading one, m. Such a step
 * is at most 1/16 wide, narrower than any bucket (2^(1/8) - 1 = 9 %), so that at most one boundary falls
 * inside it: guess[e * 16 + m] is the bucket of the step's first value, and u >= floor[guess + 1] moves it
 * up by one. floor[i] is the integer part of b(i); as durations are whole nanoseconds,
 * ns > b(i) is the same as u >= floor(b(i)).
 */
#define ISOSCOPE_HIST_STEP_BITS 4
#define ISOSCOPE_HIST_EXPONENTS 64 /* every exponent of a __u64, so that no bound needs checking */
#define ISOSCOPE_HIST_STEPS (ISOSCOPE_HIST_EXPONENTS << ISOSCOPE_HIST_STEP_BITS)

struct isoscope_hist_tables {
	__u64 floor_ns[ISOSCOPE_HIST_BUCKETS + 1];
	__u8 guess[ISOSCOPE_HIST_STEPS];
};

#endif
