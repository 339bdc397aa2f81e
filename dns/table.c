/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chained; doubled when there are as many nodes as slots, never made smaller.  The hash is SipHash-2-4 (Aumasson and
 * Bernstein) of the type, as one word of eight octets, and the name behind it.
 */
#include "dns/table.h"

#include <errno.h>

enum { SLOTS_MIN = 64 };

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

static void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static uint64_t
hash_of(const struct dns_secret *secret, uint64_t type, struct span name)
{
	uint64_t v[4] = {
		secret->word[0] ^ UINT64_C(0x736f6d6570736575),
		secret->word[1] ^ UINT64_C(0x646f72616e646f6d),
		secret->word[0] ^ UINT64_C(0x6c7967656e657261),
		secret->word[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word, length = name.len + sizeof(type);

	sip_word(v, type);
	for (; name.len >= sizeof(word); name = span_from(name, sizeof(word))) {
		memcpy(&word, name.data, sizeof(word));
		sip_word(v, word);
	}
	word = 0;
	if (name.len)
		memcpy(&word, name.data, name.len);
	sip_word(v, word | length << 56);
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct dns_key
dns_key_make(const struct dns_secret *secret, struct span name, enum dns_type type)
{
	return (struct dns_key){ name, type, hash_of(secret, (uint64_t)type, name) };
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
