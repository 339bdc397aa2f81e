/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key that was meant.  A key goes wrong in two ways: letters (relay_network), and place (errors_max at the top
 * level, connect_timeout below retry).  So each known path is compared twice, as a whole and by its last word, where the
 * wrong section costs one; the smallest distance (core/nearest.h) wins if it is small for its length.
 */
#include "mta/settings_internal.h"

#include "core/nearest.h"

_Static_assert((int)NEAREST_WORD_MAX >= (int)SETTINGS_PATH_MAX, "paths are compared whole");

struct best {
	unsigned    distance;
	struct span path; /* empty: none near enough */
};

static void
consider(struct best *best, unsigned d, size_t len, struct span path)
{
	if (d < best->distance && nearest_is_near(d, len))
		*best = (struct best){ d, path };
}

const char *
settings_nearest(struct span path, char buffer[static SETTINGS_PATH_MAX])
{
	struct best best = { UINT32_MAX, { NULL, 0 } };
	size_t	    dot = path.len;
	struct span section, key;

	while (dot && path.data[dot - 1] != '.')
		dot--;
	section = span_first(path, dot ? dot - 1 : 0);
	key = span_from(path, dot);
	for (size_t i = 0; i < COUNT_OF(settings_rows); i++) {
		const struct settings_row *row = &settings_rows[i];
		struct span		   row_path = span_of(row->path), row_key = settings_row_key(row);
		struct span		   row_section = settings_row_section(row);

		consider(&best, nearest_distance(path, row_path), MIN_OF(path.len, row_path.len), row_path);
		consider(&best, nearest_distance(key, row_key) + !span_equal(section, row_section),
			 MIN_OF(key.len, row_key.len), row_path);
		/* "spool.dir": a beginning is as good as a slip. */
		if (key.len >= 3 && span_equal(section, row_section) && span_starts_nocase(row_key, key))
			consider(&best, 1, key.len, row_path);
		if (section.len == 0 && row_section.len)
			consider(&best, nearest_distance(path, row_section), MIN_OF(path.len, row_section.len), row_section);
	}
	if (best.path.len == 0 || best.path.len >= SETTINGS_PATH_MAX)
		return NULL;
	memcpy(buffer, best.path.data, best.path.len);
	buffer[best.path.len] = 0;
	return buffer;
}
