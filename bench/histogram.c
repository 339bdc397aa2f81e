/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slot of a value is its highest set bit (the octave) and the HISTOGRAM_STEP_BITS bits below it.
 * Values below HISTOGRAM_STEPS have their own slot each; octave k >= 7 fills the STEPS
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

uint64_t
histogram_slot_top(unsigned slot)
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
			return MIN_OF(histogram_slot_top(i), h->max);
	}
	return h->max;
}

double
histogram_mean(const struct histogram *h)
{
	return h->count ? h->sum / (double)h->count : 0;
}

struct histogram_slot *
histogram_pack(const struct histogram *h, unsigned *count)
{
	struct histogram_slot *out;
	unsigned used = 0;

	for (unsigned i = 0; i < HISTOGRAM_SLOTS && h->count; i++)
		used += h->slots[i] != 0;
	out = used ? malloc(used * sizeof(*out)) : NULL;
	*count = 0;
	for (unsigned i = 0; i < HISTOGRAM_SLOTS && out; i++) {
		if (h->slots[i])
			out[(*count)++] = (struct histogram_slot){ i, (uint32_t)MIN_OF(h->slots[i], UINT32_MAX) };
	}
	return out;
}

struct histogram_slot *
histogram_packed_add(const struct histogram_slot *a, unsigned a_count, const struct histogram_slot *b,
		     unsigned b_count, unsigned *count)
{
	struct histogram_slot *out = a_count + b_count ? malloc((a_count + b_count) * sizeof(*out)) : NULL;
	unsigned ai = 0, bi = 0;

	*count = 0;
	while (out && (ai < a_count || bi < b_count)) {
		struct histogram_slot *sum = &out[(*count)++];

		if (bi == b_count || (ai < a_count && a[ai].slot < b[bi].slot)) {
			*sum = a[ai++];
		} else if (ai == a_count || b[bi].slot < a[ai].slot) {
			*sum = b[bi++];
		} else {
			*sum = a[ai++];
			sum->count += MIN_OF(b[bi].count, UINT32_MAX - sum->count);
			bi++;
		}
	}
	return out;
}

void
histogram_unpack(struct histogram *h, const struct histogram_slot *slots, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t top = histogram_slot_top(slots[i].slot);

		h->slots[slots[i].slot] += slots[i].count;
		h->count += slots[i].count;
		h->sum += (double)top * slots[i].count;
		h->max = MAX_OF(h->max, top);
	}
}
