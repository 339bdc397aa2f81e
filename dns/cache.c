/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is out of date is found when it is asked for, or goes with what nobody uses; nothing looks for it.  An octet
 * counts as long as the cache holds it: an answer that left while somebody still reads it is bounded by
 * the questions there may be.
 */
#include "dns/cache.h"

#include "dns/limits.h"

#define SECOND_NS UINT64_C(1000000000)

struct kept {
	struct dns_node	   node;
	struct list_node   by_use;
	struct dns_answer *answer;
	uint64_t	   until_ns;
	char		   name[];
};

enum { HEAP_OCTETS = 32 }; /* what the allocator adds to two blocks, and a slot of the table */

static uint64_t
octets_of(const struct kept *k)
{
	return sizeof(*k) + k->node.key.name.len + sizeof(*k->answer) + k->answer->size + HEAP_OCTETS;
}

int
dns_cache_init(struct dns_cache *c, struct budget *memory, uint64_t octets_max, uint32_t ttl_max_s)
{
	*c = (struct dns_cache){ .memory = memory, .octets_max = octets_max, .ttl_max_s = ttl_max_s };
	list_init(&c->by_use);
	return dns_table_init(&c->table);
}

static void
forget(struct dns_cache *c, struct kept *k)
{
	uint64_t octets = octets_of(k);

	dns_table_remove(&c->table, &k->node);
	list_remove(&k->by_use);
	c->octets -= octets;
	budget_give(c->memory, octets);
	dns_answer_put(k->answer);
	free(k);
}

/* Room for `more` octets inside the maximum. */
static void
make_room(struct dns_cache *c, uint64_t more)
{
	while (c->octets + more > c->octets_max && !list_empty(&c->by_use))
		forget(c, LIST_ENTRY(c->by_use.head.next, struct kept, by_use));
}

void
dns_cache_clear(struct dns_cache *c)
{
	LIST_FOR_EACH(&c->by_use, n)
		forget(c, LIST_ENTRY(n, struct kept, by_use));
}

void
dns_cache_fini(struct dns_cache *c)
{
	dns_cache_clear(c);
	dns_table_fini(&c->table);
}

void
dns_cache_configure(struct dns_cache *c, uint64_t octets_max, uint32_t ttl_max_s)
{
	c->octets_max = octets_max;
	c->ttl_max_s = ttl_max_s;
	make_room(c, 0);
}

static struct kept *
find(const struct dns_cache *c, const struct dns_key *key)
{
	struct dns_node *n = dns_table_find(&c->table, key);

	return n ? CONTAINER_OF(n, struct kept, node) : NULL;
}

struct dns_answer *
dns_cache_find(struct dns_cache *c, const struct dns_key *key, uint64_t now_ns)
{
	struct kept *k = find(c, key);

	if (k == NULL)
		return NULL;
	if (k->until_ns <= now_ns) {
		forget(c, k);
		return NULL;
	}
	list_remove(&k->by_use);
	list_append(&c->by_use, &k->by_use);
	return dns_answer_get(k->answer);
}

static uint64_t
clamp_ttl(const struct dns_cache *c, const struct dns_answer *a)
{
	uint32_t max = c->ttl_max_s, ttl = a->ttl_s;

	if (a->status == DNS_FAILED)
		return DNS_FAILURE_S;
	if (a->status == DNS_NONE || a->status == DNS_NXDOMAIN)
		max = MIN_OF(max, (uint32_t)DNS_NEGATIVE_MAX_S);
	return MIN_OF(MAX_OF(ttl, (uint32_t)DNS_TTL_MIN_S), max);
}

void
dns_cache_keep(struct dns_cache *c, const struct dns_key *key, struct dns_answer *a, uint64_t now_ns)
{
	struct kept *k = find(c, key);
	uint64_t     octets;

	if (k)
		forget(c, k);
	k = malloc(sizeof(*k) + key->name.len);
	if (k == NULL)
		return;
	memcpy(k->name, key->name.data, key->name.len);
	k->node.key = (struct dns_key){ span_make(k->name, key->name.len), key->type, key->hash };
	k->answer = a;
	k->until_ns = now_ns + clamp_ttl(c, a) * SECOND_NS;
	list_node_init(&k->by_use);
	octets = octets_of(k);
	if (octets <= c->octets_max)
		make_room(c, octets);
	if (octets > c->octets_max || !budget_take(c->memory, octets)) {
		free(k);
		return;
	}
	c->octets += octets;
	dns_answer_get(a);
	dns_table_insert(&c->table, &k->node);
	list_append(&c->by_use, &k->by_use);
}
