/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/nearest.h - the word that was meant, for error messages: the nearest of those there are, if it is near.
 */
#ifndef CORE_NEAREST_H
#define CORE_NEAREST_H

#include "core/span.h"

enum { NEAREST_WORD_MAX = 96 }; /* longer words are cut */

/* Letters inserted, missing, wrong and swapped (Damerau and Levenshtein, optimal string alignment). */
unsigned nearest_distance(struct span a, struct span b);

/* Is it small for words of so many letters?  One of three may differ. */
static inline bool
nearest_is_near(unsigned distance, size_t len)
{
	return distance <= (len + 2) / 3;
}

/* The one of words, NULL at their end, that was meant; NULL: none is near. */
const char *nearest_word(struct span word, const char *const *words);

#endif
