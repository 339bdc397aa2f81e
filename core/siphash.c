/* SPDX-License-Identifier: Apache-2.0 */
#include "core/siphash.h"

static uint64_t
rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

/* Up to eight octets, the first the least. */
static uint64_t
load(const uint8_t *bytes, size_t len)
{
	uint64_t v = 0;

	while (len)
		v = v << 8 | bytes[--len];
	return v;
}

static void
mix(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void
take(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mix(v);
	mix(v);
	v[0] ^= word;
}

uint64_t
siphash(const uint64_t key[static 2], const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t	       left = len;
	uint64_t       v[4] = {
		      key[0] ^ UINT64_C(0x736f6d6570736575),
		      key[1] ^ UINT64_C(0x646f72616e646f6d),
		      key[0] ^ UINT64_C(0x6c7967656e657261),
		      key[1] ^ UINT64_C(0x7465646279746573),
	};

	for (; left >= 8; at += 8, left -= 8)
		take(v, load(at, 8));
	take(v, load(at, left) | (uint64_t)len << 56);
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
