/* SPDX-License-Identifier: Apache-2.0 */
#include "core/nearest.h"

unsigned
nearest_distance(struct span a, struct span b)
{
	unsigned rows[3][NEAREST_WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	a = span_first(a, NEAREST_WORD_MAX);
	b = span_first(b, NEAREST_WORD_MAX);
	for (unsigned j = 0; j <= b.len; j++)
		last[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned *spare = before;

		now[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned other = a.data[i - 1] != b.data[j - 1];

			now[j] = MIN_OF(MIN_OF(last[j], now[j - 1]) + 1, last[j - 1] + other);
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
				now[j] = MIN_OF(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[b.len];
}

const char *
nearest_word(struct span word, const char *const *words)
{
	const char *best = NULL;
	unsigned    least = UINT32_MAX;

	for (; *words; words++) {
		struct span one = span_of(*words);
		unsigned    d = nearest_distance(word, one);

		if (d < least && nearest_is_near(d, MIN_OF(word.len, one.len))) {
			least = d;
			best = *words;
		}
	}
	return best;
}
