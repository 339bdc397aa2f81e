/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/span.h - a borrowed run of bytes: where it starts and how long it is.
 *
 * Text from outside is never NUL-terminated here, so it travels as a span.  A span owns nothing
 * and says nothing about lifetime; the function that hands one out does.  The empty span has
 * len 0 and may have any data pointer.
 */
#ifndef CORE_SPAN_H
#define CORE_SPAN_H

#include "core/base.h"

struct span {
	const char *data;
	size_t	    len;
};

#define SPAN_LITERAL(text) ((struct span){ "" text, sizeof(text) - 1 })

static inline struct span
span_make(const void *data, size_t len)
{
	return (struct span){ (const char *)data, len };
}

static inline struct span
span_of(const char *cstring)
{
	return (struct span){ cstring, cstring ? strlen(cstring) : 0 };
}

/* The bytes from offset on; an offset past the end gives the empty span. */
static inline struct span
span_from(struct span s, size_t offset)
{
	if (offset > s.len)
		offset = s.len;
	return (struct span){ s.data + offset, s.len - offset };
}

/* The first len bytes, or all when there are fewer. */
static inline struct span
span_first(struct span s, size_t len)
{
	return (struct span){ s.data, len < s.len ? len : s.len };
}

static inline bool
span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ASCII only: bytes above 0x7f must match exactly, whatever the locale. */
static inline bool
span_equal_nocase(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		unsigned char x = (unsigned char)a.data[i], y = (unsigned char)b.data[i];

		if (x >= 'A' && x <= 'Z')
			x |= 0x20;
		if (y >= 'A' && y <= 'Z')
			y |= 0x20;
		if (x != y)
			return false;
	}
	return true;
}

static inline bool
span_starts_nocase(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_equal_nocase(span_first(s, prefix.len), prefix);
}

/* Index of the first byte c, or s.len when there is none. */
static inline size_t
span_find(struct span s, char c)
{
	const char *at = s.len ? memchr(s.data, c, s.len) : NULL;

	return at ? (size_t)(at - s.data) : s.len;
}

#endif
