/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slot of a value is its highest set bit (the octave) and the HISTOGRAM_STEP_BITS bits below it.
 * Values below HISTOGRAM_STEPS have their own slot each; octave k >= 6 fills the STEPS
 * slots that follow those of octave k - 1.
 */
#include "bench/histogram.h"

static unsigned
slot_of(uint64_t value)
{
	unsigned octave;

	if (value < HISTOGRAM_STEPS)
		return (unsigned)value;
	octave = 63u - (unsigned)__builtin_clzll(value);
	return (octave - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS +
	       (unsigned)((value >> (octave - HISTOGRAM_STEP_BITS)) - HISTOGRAM_STEPS);
}

/* The largest value that falls into the slot. */
static uint64_t
slot_top(unsigned slot)
{
	unsigned shift;
	uint64_t first;

	if (slot < HISTOGRAM_STEPS)
		return slot;
	shift = slot / HISTOGRAM_STEPS - 1;
	first = (uint64_t)(HISTOGRAM_STEPS + slot % HISTOGRAM_STEPS) << shift;
	return first + (((uint64_t)1 << shift) - 1);
}

void
histogram_add(struct histogram *h, uint64_t value)
{
	h->slots[slot_of(value)]++;
	h->count++;
	h->sum += (double)value;
	if (value > h->max)
		h->max = value;
}

void
histogram_merge(struct histogram *to, const struct histogram *from)
{
	for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++)
		to->slots[i] += from->slots[i];
	to->count += from->count;
	to->sum += from->sum;
	if (from->max > to->max)
		to->max = from->max;
}

uint64_t
histogram_percentile(const struct histogram *h, double percent)
{
	uint64_t wanted, seen = 0;
	double exact;

	if (h->count == 0)
		return 0;
	exact = percent / 100.0 * (double)h->count;
	wanted = (uint64_t)exact;
	if ((double)wanted < exact || wanted == 0)
		wanted++;
	for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++) {
		seen += h->slots[i];
		if (seen >= wanted)
			return MIN_OF(slot_top(i), h->max);
	}
	return h->max;
}

double
histogram_mean(const struct histogram *h)
{
	return h->count ? h->sum / (double)h->count : 0;
}
