/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows as data, and the life of a generation: one block of memory and one arena, freed with the last reference.
 */
#include "mta/settings_internal.h"

/* clang-format off */
const struct settings_row settings_rows[SETTINGS_ROW_COUNT] = {
#define X(path, field, type, text, min, max, when, what) \
	{ path, offsetof(struct settings, field), SETTINGS_##type, text, min, max, SETTINGS_##when, what },
	SETTINGS_TABLE(X)
#undef X
};
/* clang-format on */

struct span
settings_row_section(const struct settings_row *row)
{
	const char *dot = strchr(row->path, '.');

	return span_make(row->path, dot ? (size_t)(dot - row->path) : 0);
}

struct span
settings_row_key(const struct settings_row *row)
{
	const char *dot = strchr(row->path, '.');

	return span_of(dot ? dot + 1 : row->path);
}

struct settings *
settings_ref(struct settings *s)
{
	/* relaxed: who refers to it already may hand it on; nothing is published by the count. */
	(void)atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
	return s;
}

void
settings_unref(struct settings *s)
{
	unsigned before;

	if (s == NULL)
		return;
	/* acquire and release: all reading by the others comes before the freeing by the last. */
	before = atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel);
	INVARIANT(before > 0);
	if (before > 1)
		return;
	arena_reset(&s->arena);
	free(s);
}

const char *
settings_needing_restart(const struct settings *running, const struct settings *next, char *buffer,
			 size_t size)
{
	size_t n = 0;

	if (size == 0)
		return "";
	buffer[0] = 0;
	for (size_t i = 0; i < COUNT_OF(settings_rows); i++) {
		const struct settings_row *row = &settings_rows[i];
		int			   len;

		if (row->when != SETTINGS_START || settings_value_equal(row, running, next))
			continue;
		len = snprintf(buffer + n, size - n, "%s%s", n ? ", " : "", row->path);
		if (len < 0 || (size_t)len >= size - n) {
			buffer[n] = 0; /* whole names or none */
			break;
		}
		n += (size_t)len;
	}
	return buffer;
}
