/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/id.h - 128-bit names that sort by time: 48 bits of wall-clock milliseconds, 16 bits of
 * sequence within the millisecond and core, 64 bits of chance.  Written as 26 characters of
 * Crockford's base 32 in lower case, which sort as the numbers do and survive being read over the phone.
 */
#ifndef CORE_ID_H
#define CORE_ID_H

#include "core/span.h"

struct id {
	uint64_t high; /* milliseconds since 1970 << 16 | sequence */
	uint64_t low;  /* chance */
};

enum { ID_TEXT_LEN = 26 };

static inline bool
id_equal(struct id a, struct id b)
{
	return a.high == b.high && a.low == b.low;
}

static inline bool
id_is_zero(struct id a)
{
	return a.high == 0 && a.low == 0;
}

/* -1, 0 or 1 by time, then sequence, then chance. */
int id_compare(struct id a, struct id b);

struct id_source {
	uint64_t last; /* high half handed out last; never goes back, whatever the clock does */
};

/* The next name: later than all that this source gave before.  chance is 64 random bits. */
struct id id_next(struct id_source *source, int64_t wall_ns, uint64_t chance);

/* Milliseconds since 1970 at which the name was made. */
static inline uint64_t
id_time_ms(struct id id)
{
	return id.high >> 16;
}

/* Writes ID_TEXT_LEN characters and a NUL; returns buffer. */
const char *id_format(struct id id, char buffer[static ID_TEXT_LEN + 1]);
/* Accepts upper and lower case and Crockford's look-alikes (o for 0; i, l for 1). */
bool MUST_CHECK id_parse(struct span text, struct id *out);

#endif
