/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chained; doubled when there are as many nodes as slots, never made smaller.
 */
#include "dns/table.h"

#include <errno.h>

#include "core/siphash.h"

enum { SLOTS_MIN = 64 };

/* The type stands in front of the name. */
static uint64_t
hash_of(const struct dns_secret *secret, enum dns_type type, struct span name)
{
	uint8_t  text[sizeof(uint16_t) + DNS_NAME_MAX];
	uint16_t number = (uint16_t)type;

	INVARIANT(name.len <= DNS_NAME_MAX);
	memcpy(text, &number, sizeof(number));
	if (name.len)
		memcpy(text + sizeof(number), name.data, name.len);
	return siphash(secret->word, text, sizeof(number) + name.len);
}

struct dns_key
dns_key_make(const struct dns_secret *secret, struct span name, enum dns_type type)
{
	return (struct dns_key){ name, type, hash_of(secret, type, name) };
}

int
dns_table_init(struct dns_table *t)
{
	*t = (struct dns_table){ .mask = SLOTS_MIN - 1 };
	t->slots = calloc(SLOTS_MIN, sizeof(*t->slots));
	return t->slots ? 0 : -ENOMEM;
}

void
dns_table_fini(struct dns_table *t)
{
	INVARIANT(t->count == 0);
	free(t->slots);
	t->slots = NULL;
}

struct dns_node *
dns_table_find(const struct dns_table *t, const struct dns_key *key)
{
	struct dns_node *n = t->slots[key->hash & t->mask];

	while (n && (n->key.hash != key->hash || n->key.type != key->type || !span_equal(n->key.name, key->name)))
		n = n->next;
	return n;
}

static void
push(struct dns_node **slots, uint64_t mask, struct dns_node *n)
{
	struct dns_node **slot = &slots[n->key.hash & mask];

	n->next = *slot;
	*slot = n;
}

static void
grow(struct dns_table *t)
{
	uint64_t	  mask = t->mask * 2 + 1;
	struct dns_node **slots = calloc(mask + 1, sizeof(*slots));

	if (slots == NULL)
		return;
	for (uint64_t i = 0; i <= t->mask; i++)
		for (struct dns_node *n = t->slots[i], *next; n; n = next) {
			next = n->next;
			push(slots, mask, n);
		}
	free(t->slots);
	t->slots = slots;
	t->mask = mask;
}

void
dns_table_insert(struct dns_table *t, struct dns_node *n)
{
	if (t->count > t->mask)
		grow(t);
	push(t->slots, t->mask, n);
	t->count++;
}

void
dns_table_remove(struct dns_table *t, struct dns_node *n)
{
	struct dns_node **at = &t->slots[n->key.hash & t->mask];

	while (*at && *at != n)
		at = &(*at)->next;
	INVARIANT(*at == n);
	*at = n->next;
	n->next = NULL;
	t->count--;
}
