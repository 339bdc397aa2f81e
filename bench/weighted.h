/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/weighted.h - a list of words of which some are drawn more often than others; a draw costs the same whether there
 * are ten or a million.
 *
 * A file has a word on each line and behind it, if it is not 1, its weight, any number above 0.  Empty lines and lines that
 * begin with # say nothing.
 */
#ifndef BENCH_WEIGHTED_H
#define BENCH_WEIGHTED_H

#include "core/span.h"

enum {
	WEIGHTED_FILE_MAX = 256 << 20, /* octets */
	WEIGHTED_WHY_MAX = 256,
};

struct weighted_slot {
	struct span word;
	double	    weight;
	uint32_t    keep;  /* of 2^32 draws of this slot those that are its own */
	uint32_t    other; /* whose the rest are */
};

struct weighted {
	struct weighted_slot *slots;
	size_t		      count;
	char		     *text; /* that the words point into; NULL: the caller's */
};

/* Words of a file.  0, or -errno with why a sentence that names the file and, if it is one, the line. */
int MUST_CHECK weighted_read(struct weighted *w, const char *path, char why[static WEIGHTED_WHY_MAX]);
/* The same from text that outlives w, called name in sentences. */
int MUST_CHECK weighted_parse(struct weighted *w, struct span text, const char *name,
			      char why[static WEIGHTED_WHY_MAX]);
void weighted_free(struct weighted *w);

/* Index of a slot; chance: 64 bits of it. */
static inline size_t
weighted_draw(const struct weighted *w, uint64_t chance)
{
	size_t slot = (size_t)((chance >> 32) * w->count >> 32);

	return (uint32_t)chance <= w->slots[slot].keep ? slot : w->slots[slot].other;
}

#endif
