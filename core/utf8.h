/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/utf8.h - is this UTF-8 (RFC 3629)?  Shortest forms only, no surrogates, nothing above U+10FFFF.
 */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include "core/span.h"

/* Octets of the well-formed character at the start of s; 0 when there is none. */
static inline size_t
utf8_length(struct span s)
{
	const unsigned char *b = (const unsigned char *)s.data;
	uint32_t	     c;
	size_t		     n;

	if (s.len == 0)
		return 0;
	if (b[0] < 0x80)
		return 1;
	n = b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : b[0] < 0xf5 ? 4 : 0;
	if (n == 0 || n > s.len)
		return 0;
	c = b[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (b[i] & 0x3fu);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) || (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

static inline bool
utf8_valid(struct span s)
{
	for (size_t n; s.len; s = span_from(s, n))
		if ((n = utf8_length(s)) == 0)
			return false;
	return true;
}

#endif
