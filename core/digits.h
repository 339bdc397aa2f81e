/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/digits.h - numbers as decimal text, without printf(): for lines that are written with each message.  No NUL is
 * written; what is returned is where to go on.
 */
#ifndef CORE_DIGITS_H
#define CORE_DIGITS_H

#include "core/base.h"

enum { DIGITS_MAX = 20 }; /* octets of the longest number */

static inline char *
digits_put(char *at, uint64_t n)
{
	char  digits[DIGITS_MAX];
	char *from = digits + sizeof(digits);

	do
		*--from = (char)('0' + n % 10);
	while (n /= 10);
	memcpy(at, from, (size_t)(digits + sizeof(digits) - from));
	return at + (digits + sizeof(digits) - from);
}

/* The last two digits of n. */
static inline char *
digits_put_two(char *at, unsigned n)
{
	*at++ = (char)('0' + n / 10 % 10);
	*at++ = (char)('0' + n % 10);
	return at;
}

#endif
