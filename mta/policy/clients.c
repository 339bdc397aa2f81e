/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One 32-bit counter for each bucket and nothing else: no addresses are kept, so nothing needs to be freed, found or
 * agreed upon between cores.  The price is that two clients may share a bucket; with four buckets for each possible
 * session a client that is alone in reality has company with a chance of at most one in four even when the server is
 * full, and company matters only near the limit.
 *
 * The hash is keyed at start (core/siphash.h): a client that could choose addresses (an IPv6 /32 has 2^32
 * of our units) cannot find those that share a victim's bucket.
 */
#include "mta/policy/clients.h"

#include <stdatomic.h>

#include "core/siphash.h"

struct clients {
	uint64_t key[2];
	uint64_t mask;
	_Atomic(uint32_t) count[];
};

enum { BUCKETS_MIN = 1024 };

static _Atomic(uint32_t) *
bucket_of(struct clients *c, const struct endpoint *peer)
{
	uint8_t ip[16];

	memcpy(ip, peer->ip, sizeof(ip));
	if (!endpoint_is_ipv4(peer))
		memset(ip + 8, 0, 8);
	return &c->count[siphash(c->key, ip, sizeof(ip)) & c->mask];
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
	memcpy(c->key, key, sizeof(c->key));
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
