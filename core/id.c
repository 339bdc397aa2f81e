/* SPDX-License-Identifier: Apache-2.0 */
#include "core/id.h"

/* Crockford's alphabet: no i, l, o, u. */
static const char alphabet[32] = "0123456789abcdefghjkmnpqrstvwxyz";

int
id_compare(struct id a, struct id b)
{
	if (a.high != b.high)
		return a.high < b.high ? -1 : 1;
	if (a.low != b.low)
		return a.low < b.low ? -1 : 1;
	return 0;
}

struct id
id_next(struct id_source *source, int64_t wall_ns, uint64_t chance)
{
	uint64_t ms = wall_ns > 0 ? (uint64_t)wall_ns / 1000000u : 0;
	uint64_t high = ms << 16;

	/* A clock that stands still or goes back: count on; a full sequence borrows the next millisecond. */
	if (high <= source->last)
		high = source->last + 1;
	source->last = high;
	return (struct id){ high, chance };
}

/* 128 bits are 25 groups of five and three bits more, which come first. */
const char *
id_format(struct id id, char buffer[static ID_TEXT_LEN + 1])
{
	unsigned __int128 n = (unsigned __int128)id.high << 64 | id.low;

	for (int i = ID_TEXT_LEN; i-- > 0; n >>= 5)
		buffer[i] = alphabet[(unsigned)n & 31];
	buffer[ID_TEXT_LEN] = 0;
	return buffer;
}

static int
digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		c = (char)(c | 0x20);
	if (c == 'o')
		c = '0';
	if (c == 'i' || c == 'l')
		c = '1';
	for (int i = 0; i < 32; i++)
		if (alphabet[i] == c)
			return i;
	return -1;
}

bool
id_parse(struct span text, struct id *out)
{
	unsigned __int128 n = 0;

	if (text.len != ID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < ID_TEXT_LEN; i++) {
		int digit = digit_of(text.data[i]);

		if (digit < 0 || (i == 0 && digit > 7))
			return false;
		n = n << 5 | (unsigned)digit;
	}
	*out = (struct id){ (uint64_t)(n >> 64), (uint64_t)n };
	return true;
}
