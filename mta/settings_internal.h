/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/settings_internal.h - what the settings' own files share.  Others use mta/settings.h.
 */
#ifndef MTA_SETTINGS_INTERNAL_H
#define MTA_SETTINGS_INTERNAL_H

#include "mta/settings.h"

enum settings_type {
	SETTINGS_BOOL,
	SETTINGS_UINT,
	SETTINGS_SIZE,
	SETTINGS_DURATION,
	SETTINGS_STRING,
	SETTINGS_PATH,
	SETTINGS_FORMAT,
	SETTINGS_LEVEL,
	SETTINGS_ENDPOINTS,
	SETTINGS_PREFIXES,
	SETTINGS_PATTERNS,
	SETTINGS_ROUTES,
};

enum settings_when { SETTINGS_RELOAD, SETTINGS_START };

/* A row of SETTINGS_TABLE. */
struct settings_row {
	const char	  *path; /* "section.key" or "key" */
	size_t		   offset; /* of its field in struct settings */
	enum settings_type type;
	const char	  *text; /* default, as it would be written */
	uint64_t	   min, max;
	enum settings_when when;
	const char	  *what;
};

/* The same rows as numbers: SETTINGS_ROW_retry_max_ms. */
enum settings_row_number {
#define X(path, field, ...) SETTINGS_ROW_##field,
	SETTINGS_TABLE(X)
#undef X
	SETTINGS_ROW_COUNT
};

extern const struct settings_row settings_rows[SETTINGS_ROW_COUNT];

/* "inbound" of "inbound.errors_max"; empty for a key of the top level. */
struct span settings_row_section(const struct settings_row *row);
struct span settings_row_key(const struct settings_row *row);

static inline bool
settings_type_is_list(enum settings_type type)
{
	return type >= SETTINGS_ENDPOINTS;
}

/* A whole number of one of the numeric types. */
static inline uint64_t
settings_number(const struct settings *s, const struct settings_row *row)
{
	return *(const uint64_t *)((const char *)s + row->offset);
}

/* Why a value was refused, as the end of a sentence that names the key: "\"x\" is not a number". */
struct settings_why {
	char text[320];
};

/* --- settings_value.c: single values ---------------------------------------------------------------- */

/* A sentence's share of text from the file: quoted, on one line, cut. */
enum { SETTINGS_QUOTE_MAX = 84 };
const char *settings_quote(struct span text, char buffer[static SETTINGS_QUOTE_MAX]);

void settings_because(struct settings_why *why, const char *format, ...) PRINTF_LIKE(2, 3);

/* Reads text as the row's type, checks its bounds and stores it in s.  Not for lists. */
bool MUST_CHECK settings_value_parse(const struct settings_row *row, struct span text, struct settings *s,
				     struct settings_why *why);

/* A number as the file would have it: "30 s", "64 KiB", "1000", "yes", "info". */
enum { SETTINGS_NUMBER_MAX = 32 };
const char *settings_number_format(enum settings_type type, uint64_t value,
				   char buffer[static SETTINGS_NUMBER_MAX]);

/* Same value in both generations? */
bool settings_value_equal(const struct settings_row *row, const struct settings *a, const struct settings *b);

/* --- settings_entry.c: entries of lists -------------------------------------------------------------- */

/* Each appends to the list of the row and refuses more than row->max entries.  text is borrowed. */
bool MUST_CHECK settings_endpoint_add(const struct settings_row *row, struct span text, struct settings *s,
				      struct settings_why *why);
bool MUST_CHECK settings_prefix_add(const struct settings_row *row, struct span text, struct settings *s,
				    struct settings_why *why);
bool MUST_CHECK settings_pattern_add(const struct settings_row *row, struct span text, struct settings *s,
				     struct settings_why *why);
/* A route without hops yet; then its hops, one by one. */
bool MUST_CHECK settings_route_add(const struct settings_row *row, struct span pattern, struct settings *s,
				   struct settings_why *why);
bool MUST_CHECK settings_hop_add(struct settings_route *route, struct span text, struct settings *s,
				 struct settings_why *why);

/* --- settings_domain.c -------------------------------------------------------------------------------- */

enum { SETTINGS_DOMAIN_MAX = 256 }; /* octets of a domain name in text, with a NUL */

/* The lower-case A-label form of a domain name in any form; *out lies in plain.  False when it is none. */
bool MUST_CHECK settings_domain_plain(struct span text, char plain[static SETTINGS_DOMAIN_MAX], struct span *out);
/* The same, copied into the generation and ended by a NUL. */
bool MUST_CHECK settings_domain(struct span text, struct settings *s, struct span *out,
				struct settings_why *why);

/* --- settings_nearest.c ------------------------------------------------------------------------------- */

/* The row or section that `path` may have meant, or NULL.  Text of the table, or of buffer. */
enum { SETTINGS_PATH_MAX = 64 };
const char *settings_nearest(struct span path, char buffer[static SETTINGS_PATH_MAX]);

/* --- settings_index.c --------------------------------------------------------------------------------- */

/* Built once, in the arena of s.  False when memory is out. */
bool MUST_CHECK settings_index_patterns(struct settings *s);
bool MUST_CHECK settings_index_routes(struct settings *s);
bool MUST_CHECK settings_index_networks(struct settings *s);
/* The first two entries of a list that are the same pattern, or false. */
bool settings_index_doubled(const struct settings_index *index, unsigned *first, unsigned *second);

/* --- settings_check.c --------------------------------------------------------------------------------- */

/* What two or three settings say against one another. */
struct settings_conflict {
	enum settings_row_number rows[3]; /* the subject of the sentence first; the last one repeated */
	struct settings_why	 why;	  /* the rest of the sentence */
};

bool MUST_CHECK settings_agree(const struct settings *s, struct settings_conflict *conflict);

/* --- settings_read.c ---------------------------------------------------------------------------------- */

/* hostname: what stands in for an empty one, or empty: the machine's own, which must then be a domain name. */
struct settings *settings_parse_as(struct span yaml, const char *name, struct span hostname,
				   struct settings_error *error);

#endif
