/* SPDX-License-Identifier: GPL-2.0-only */
/* The cells that a vCPU's exits are counted in, one for each reason. */
#ifndef ISOSCOPE_EXIT_CELL_BPF_H
#define ISOSCOPE_EXIT_CELL_BPF_H

#include "lib/histogram.bpf.h"
#include "lib/maps.bpf.h"

/* See ISOSCOPE_REASON_DIRECT. */
static __always_inline __u32 reason_entry(__u32 reason)
{
	if (reason < ISOSCOPE_REASON_DIRECT)
		return reason;
	return ISOSCOPE_REASON_DIRECT + ((reason ^ reason >> 6 ^ reason >> 25) &
					 (ISOSCOPE_REASON_ENTRIES - ISOSCOPE_REASON_DIRECT - 1));
}

/* Returns the index of a new one, or 0. */
static __noinline __u32 make_exit_cell(__u32 reason)
{
	struct isoscope_exit_cell *cell;
	__u32 index;

	if (bpf_map_pop_elem(&free_exit_cells, &index)) {
		count(ISOSCOPE_EXIT_CELL_FULL);
		return 0;
	}
	cell = bpf_map_lookup_elem(&exit_cells, &index);
	if (!cell)
		return 0;
	cell->reason = reason;
	return index;
}

/* The cell of a reason, made at its first exit; NULL: none is left, or it is another reason's. */
static __always_inline struct isoscope_exit_cell *find_or_make_exit_cell(struct isoscope_vcpu *vcpu,
									 __u32 reason)
{
	__u32 entry = reason_entry(reason);
	struct isoscope_exit_cell *cell;
	__u32 index;

	/* Shows the verifier the bound that the compiler proves and would drop. */
	barrier_var(entry);
	entry &= ISOSCOPE_REASON_ENTRIES - 1;
	index = vcpu->cells[entry];
	if (!index) {
		index = make_exit_cell(reason);
		vcpu->cells[entry] = index;
		if (!index)
			return NULL;
	}
	cell = bpf_map_lookup_elem(&exit_cells, &index);
	return cell && cell->reason == reason ? cell : NULL;
}

static __always_inline void add_duration(struct isoscope_exit_cell *cell, __u64 duration_ns)
{
	__u32 bucket = bucket_of(duration_ns);
	__u32 window = control.window;

	if (cell->window != window) {
		cell->window = window;
		cell->min_ns = duration_ns;
		cell->max_ns = duration_ns;
	} else if (duration_ns < cell->min_ns) {
		cell->min_ns = duration_ns;
	} else if (duration_ns > cell->max_ns) {
		cell->max_ns = duration_ns;
	}
	cell->sum_ns += duration_ns;
	if (bucket < ISOSCOPE_HIST_BUCKETS)
		cell->buckets[bucket]++;
}

/* The pending exit will never have an entry. */
static __noinline void abandon_exit(struct isoscope_vcpu *vcpu)
{
	struct isoscope_exit_cell *cell = find_or_make_exit_cell(vcpu, vcpu->pending.reason);

	vcpu->unmatched_exits++;
	if (cell)
		cell->unfinished++;
	else
		vcpu->other_unfinished++;
	vcpu->pending.start_ns = 0;
}

#endif
