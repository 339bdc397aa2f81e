/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/histogram.h - how long things took, in constant memory and with a known error.
 *
 * Values are nanoseconds (any unit would do).  Each power of two is cut into HISTOGRAM_STEPS steps, so a value is
 * known to within 1/128 of itself (0.8 percent), from 1 ns to 584 years; below HISTOGRAM_STEPS exactly.
 * One writer; histograms of several cores are added up afterwards.
 *
 * A histogram that will not change any more can be packed: its slots in use, as many as there are.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include "core/base.h"

enum {
	HISTOGRAM_STEP_BITS = 7,
	HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
	HISTOGRAM_SLOTS = (64 - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS,
};

struct histogram {
	uint64_t count;
	uint64_t max; /* the largest value, exact */
	double	 sum;
	uint64_t slots[HISTOGRAM_SLOTS];
};

/* All zero bytes are an empty histogram. */
void	 histogram_add(struct histogram *h, uint64_t value);
void	 histogram_merge(struct histogram *to, const struct histogram *from);
/* The smallest value that at least `percent` of the values do not exceed, rounded up to its step
 * but never above max.  0 when empty.  percent: 0..100. */
uint64_t histogram_percentile(const struct histogram *h, double percent);
double	 histogram_mean(const struct histogram *h);
/* The largest value that falls into a slot. */
uint64_t histogram_slot_top(unsigned slot);

struct histogram_slot {
	uint32_t slot, count; /* count: UINT32_MAX at most */
};

/* Slots in use, in ascending order, into a fresh block that the caller frees; *count of them.  NULL and 0 when there are none,
 * or no memory. */
struct histogram_slot *histogram_pack(const struct histogram *h, unsigned *count);
/* Two packed histograms added: as histogram_pack(), the empty one is none. */
struct histogram_slot *histogram_packed_add(const struct histogram_slot *a, unsigned a_count,
					    const struct histogram_slot *b, unsigned b_count, unsigned *count);
/* Adds packed slots; max and mean then follow from the slots' upper ends. */
void histogram_unpack(struct histogram *h, const struct histogram_slot *slots, unsigned count);

#endif
