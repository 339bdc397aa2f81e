/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/histogram.h - how long things took, in constant memory and with a known error.
 *
 * Values are nanoseconds (any unit would do).  Each power of two is cut into HISTOGRAM_STEPS steps, so a value is
 * known to within 1/64 of itself (1.6 percent), from 1 ns to 584 years; below HISTOGRAM_STEPS exactly.
 * One writer; histograms of several cores are added up afterwards.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include "core/base.h"

enum {
	HISTOGRAM_STEP_BITS = 6,
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

#endif
