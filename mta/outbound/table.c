/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chained, doubled when there are as many members as slots.  The hash takes eight octets at a time through a 64-by-64 to 128
 * bit multiplication whose halves are folded together, both factors mixed with the key; without the key nobody can
 * choose names that meet.
 */
#include "mta/outbound/table.h"

#include <errno.h>

enum { SLOTS_FIRST = 64 };

static uint64_t
fold(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t
table_hash(uint64_t key, struct span name)
{
	uint64_t h = key ^ UINT64_C(0xa0761d6478bd642f);

	for (size_t at = 0; at < name.len; at += 8) {
		uint64_t word = 0;

		memcpy(&word, name.data + at, MIN_OF(name.len - at, 8));
		h = fold(h ^ word, UINT64_C(0xe7037ed1a0b428db) ^ key);
	}
	return fold(h ^ name.len, UINT64_C(0x8ebc6af09c88c6e3));
}

int
table_init(struct table *t, uint64_t key)
{
	*t = (struct table){ .mask = SLOTS_FIRST - 1, .key = key };
	t->slots = calloc(SLOTS_FIRST, sizeof(struct table_node *));
	return t->slots ? 0 : -ENOMEM;
}

void
table_fini(struct table *t)
{
	INVARIANT(t->count == 0);
	free(t->slots);
	t->slots = NULL;
}

struct table_node *
table_find(const struct table *t, struct span name)
{
	uint64_t	   hash = table_hash(t->key, name);
	struct table_node *n = t->slots[hash & t->mask];

	while (n && (n->hash != hash || !span_equal(n->name, name)))
		n = n->next;
	return n;
}

static void
hang(struct table_node **slots, size_t mask, struct table_node *node)
{
	node->next = slots[node->hash & mask];
	slots[node->hash & mask] = node;
}

static void
grow(struct table *t)
{
	size_t		    count = (t->mask + 1) * 2;
	struct table_node **slots = calloc(count, sizeof(struct table_node *));

	if (slots == NULL)
		return; /* longer chains, and another try with the next member */
	for (size_t i = 0; i <= t->mask; i++)
		for (struct table_node *n = t->slots[i], *next; n; n = next) {
			next = n->next;
			hang(slots, count - 1, n);
		}
	free(t->slots);
	t->slots = slots;
	t->mask = count - 1;
}

void
table_add(struct table *t, struct table_node *node)
{
	if (t->count > t->mask)
		grow(t);
	node->hash = table_hash(t->key, node->name);
	hang(t->slots, t->mask, node);
	t->count++;
}

void
table_remove(struct table *t, struct table_node *node)
{
	struct table_node **at = &t->slots[node->hash & t->mask];

	while (*at != node) {
		INVARIANT(*at != NULL);
		at = &(*at)->next;
	}
	*at = node->next;
	node->next = NULL;
	t->count--;
}

void
table_walk(struct table *t, void (*visit)(void *arg, struct table_node *node), void *arg)
{
	for (size_t i = 0; i <= t->mask; i++)
		for (struct table_node *n = t->slots[i], *next; n; n = next) {
			next = n->next;
			visit(arg, n);
		}
}
