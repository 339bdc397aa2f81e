/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/sizes.h - sizes of messages by chance: from a weighted list (bench/weighted.h) whose words are sizes, as 4096 or 4K,
 * and ranges of sizes, as 2K-6K, within which each doubling is as likely as another.
 */
#ifndef BENCH_SIZES_H
#define BENCH_SIZES_H

#include "bench/weighted.h"

struct sizes_range {
	uint64_t low, high; /* both may come */
};

struct sizes {
	struct weighted	    list;
	struct sizes_range *ranges; /* of each slot */
	uint64_t	    max;    /* the largest that may come */
};

/* name: a built-in one, "corporate", or a file; a file of that name is ./corporate.  0, or -errno with why. */
int MUST_CHECK sizes_open(struct sizes *s, const char *name, char why[static WEIGHTED_WHY_MAX]);
void sizes_free(struct sizes *s);

/* The size of message n. */
uint64_t sizes_of(const struct sizes *s, uint64_t seed, uint64_t n);

#endif
