/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The alias method (Walker, 1977; put together as Vose did, 1991): each slot stands for an equal share of the draws, and
 * what its own word does not need of that share belongs to one other word that needs more.
 */
#include "bench/weighted.h"

#include <errno.h>
#include <math.h>

#include "core/io.h"

/* The slots have words and weights; settles who lends to whom. */
static int
aliases_settle(struct weighted *w)
{
	double sum = 0;
	double *need = malloc(w->count * sizeof(*need)); /* in shares */
	uint32_t *small = malloc(w->count * sizeof(*small)), *large = malloc(w->count * sizeof(*large));
	size_t small_count = 0, large_count = 0;
	int result = need && small && large ? 0 : -ENOMEM;

	if (result < 0)
		goto out;
	for (size_t i = 0; i < w->count; i++)
		sum += w->slots[i].weight;
	for (uint32_t i = 0; i < w->count; i++) {
		need[i] = w->slots[i].weight * (double)w->count / sum;
		w->slots[i].keep = UINT32_MAX;
		w->slots[i].other = i;
		if (need[i] < 1)
			small[small_count++] = i;
		else
			large[large_count++] = i;
	}
	while (small_count && large_count) {
		uint32_t poor = small[--small_count], rich = large[large_count - 1];

		w->slots[poor].keep = (uint32_t)(need[poor] * 0x1p32);
		w->slots[poor].other = rich;
		need[rich] -= 1 - need[poor];
		if (need[rich] < 1) {
			large_count--;
			small[small_count++] = rich;
		}
	}
out:
	free(need);
	free(small);
	free(large);
	return result;
}

/* False: what stands behind the word is no weight. */
static bool
weight_parse(struct span text, double *out)
{
	char copy[64], *end;

	*out = 1;
	if (!text.len)
		return true;
	if (text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	*out = strtod(copy, &end);
	return !*end && isfinite(*out) && *out > 0;
}

static struct span
trimmed(struct span s)
{
	while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = span_from(s, 1);
	while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t' || s.data[s.len - 1] == '\r'))
		s.len--;
	return s;
}

int
weighted_parse(struct weighted *w, struct span text, const char *name, char why[static WEIGHTED_WHY_MAX])
{
	size_t lines = 1;

	*w = (struct weighted){ 0 };
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	w->slots = calloc(lines, sizeof(*w->slots));
	(void)snprintf(why, WEIGHTED_WHY_MAX, "%.150s: no memory", name);
	if (!w->slots || lines > UINT32_MAX)
		return -ENOMEM;
	for (size_t number = 1; text.len; number++) {
		struct span line = trimmed(span_first(text, span_find(text, '\n')));
		struct weighted_slot *slot = &w->slots[w->count];

		text = span_from(text, span_find(text, '\n') + 1);
		if (!line.len || line.data[0] == '#')
			continue;
		for (slot->word = line, slot->word.len = 0; slot->word.len < line.len; slot->word.len++) {
			if (line.data[slot->word.len] == ' ' || line.data[slot->word.len] == '\t')
				break;
		}
		line = trimmed(span_from(line, slot->word.len));
		if (!weight_parse(line, &slot->weight)) {
			(void)snprintf(why, WEIGHTED_WHY_MAX,
				       "%.150s:%zu: \"%.*s\" is no weight: a number above 0 is wanted", name, number,
				       (int)MIN_OF(line.len, 40), line.data);
			return -EINVAL;
		}
		w->count++;
	}
	if (!w->count) {
		(void)snprintf(why, WEIGHTED_WHY_MAX, "%.150s: nothing in it", name);
		return -EINVAL;
	}
	return aliases_settle(w);
}

int
weighted_read(struct weighted *w, const char *path, char why[static WEIGHTED_WHY_MAX])
{
	size_t len;
	char *text;
	int result = io_file_slurp(path, WEIGHTED_FILE_MAX, &text, &len);

	*w = (struct weighted){ 0 };
	if (result < 0) {
		(void)snprintf(why, WEIGHTED_WHY_MAX, "%.150s: %s", path, strerror(-result));
		return result;
	}
	result = weighted_parse(w, span_make(text, len), path, why);
	w->text = text;
	return result;
}

void
weighted_free(struct weighted *w)
{
	free(w->slots);
	free(w->text);
	*w = (struct weighted){ 0 };
}
