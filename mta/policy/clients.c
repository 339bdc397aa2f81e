/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One 32-bit counter for each bucket and nothing else: no addresses are kept, so nothing needs to be freed, found or
 * agreed upon between cores.  The price is that two clients may share a bucket; with four buckets for each possible
 * session a client that is alone in reality has company with a chance of at most one in four even when the server is
 * full, and company matters only near the limit.
 *
 * SipHash-2-4 (Aumasson and Bernstein) keyed at start: a client that could choose addresses (an IPv6 /32 has 2^32
 * of our units) cannot find those that share a victim's bucket.
 */
#include "mta/policy/clients.h"

#include <stdatomic.h>

struct clients {
	uint64_t key[2];
	uint64_t mask;
	_Atomic(uint32_t) count[];
};

enum { BUCKETS_MIN = 1024 };

static uint64_t
load64(const uint8_t *bytes)
{
	uint64_t v = 0;

	for (unsigned i = 8; i; i--)
		v = v << 8 | bytes[i - 1];
	return v;
}

static uint64_t
rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static void
sip_round(uint64_t v[4])
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

/* Of 16 octets: two words and the word that holds the length. */
static uint64_t
sip_hash(const uint64_t key[2], const uint8_t bytes[16])
{
	uint64_t v[4] = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};
	const uint64_t words[3] = { load64(bytes), load64(bytes + 8), UINT64_C(16) << 56 };

	for (unsigned i = 0; i < COUNT_OF(words); i++) {
		v[3] ^= words[i];
		sip_round(v);
		sip_round(v);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static _Atomic(uint32_t) *
bucket_of(struct clients *c, const struct endpoint *peer)
{
	uint8_t ip[16];

	memcpy(ip, peer->ip, sizeof(ip));
	if (!endpoint_is_ipv4(peer))
		memset(ip + 8, 0, 8);
	return &c->count[sip_hash(c->key, ip) & c->mask];
}

struct clients *
clients_new(uint64_t sessions_max, const uint8_t key[static 16])
{
	uint64_t	buckets = BUCKETS_MIN;
	struct clients *c;

	while (buckets < SIZE_MAX / 16 && buckets / 4 < sessions_max)
		buckets *= 2;
	c = calloc(1, sizeof(*c) + buckets * sizeof(c->count[0]));
	if (c == NULL)
		return NULL;
	c->key[0] = load64(key);
	c->key[1] = load64(key + 8);
	c->mask = buckets - 1;
	return c;
}

void
clients_free(struct clients *c)
{
	free(c);
}

/*
 * Compared before it is counted: adding first and taking back what was too much would for a moment
 * count those being refused, and turn away somebody for whom a place has just become free.  relaxed:
 * the counter guards no other memory.
 */
bool
clients_enter(struct clients *c, const struct endpoint *peer, uint64_t max)
{
	_Atomic(uint32_t) *count = bucket_of(c, peer);
	uint32_t	   seen = atomic_load_explicit(count, memory_order_relaxed);

	do {
		if (seen >= max || seen == UINT32_MAX)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(count, &seen, seen + 1, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

void
clients_leave(struct clients *c, const struct endpoint *peer)
{
	uint32_t before = atomic_fetch_sub_explicit(bucket_of(c, peer), 1, memory_order_relaxed);

	INVARIANT(before > 0);
}
