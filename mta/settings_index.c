/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pattern of 65 536 fits a domain, which network of 4 096 holds an address: asked for each recipient and
 * each session, so answered in the number of labels, and in the logarithm of the networks.
 *
 * Patterns lie in one open hash table by kind and name.  A domain of n labels has one exact name, n - 1 proper suffixes
 * and one name before its last label, and the hashes of all suffixes fall out of one pass from its end.  The
 * hash has no key: only the operator puts names in, so only he could make them meet.
 *
 * Two prefixes are apart or one holds the other.  Sorted by address, with those inside another left out,
 * the last one that does not begin behind an address is the only one that can hold it.
 */
#include "mta/settings_internal.h"

enum kind { KIND_EXACT, KIND_BELOW, KIND_ABOVE, KIND_ANY };

struct settings_index {
	const char *base; /* of an array whose members begin with the struct span of their pattern */
	size_t	    stride;
	unsigned    count;
	uint32_t    mask;
	uint32_t   *slots; /* number of the entry, plus one; 0: free */
	uint32_t    any;   /* the same for "*" */
	uint32_t    doubled[2];
};

static struct span
pattern_at(const struct settings_index *index, unsigned i)
{
	return *(const struct span *)(index->base + i * index->stride);
}

/* The kind of a pattern in its kept form, and the name that it is looked up by. */
static enum kind
kind_of(struct span pattern, struct span *name)
{
	*name = pattern;
	if (span_equal(pattern, SPAN_LITERAL("*")))
		return KIND_ANY;
	if (pattern.data[0] == '.') {
		*name = span_from(pattern, 1);
		return KIND_BELOW;
	}
	if (pattern.len > 2 && pattern.data[pattern.len - 1] == '*') {
		name->len -= 2;
		return KIND_ABOVE;
	}
	return KIND_EXACT;
}

/* --- hashing ----------------------------------------------------------------------------------------------- */

#define HASH_START UINT64_C(0xcbf29ce484222325)

static uint64_t
hash_step(uint64_t h, char c)
{
	return (h ^ (unsigned char)c) * UINT64_C(0x100000001b3);
}

static uint32_t
hash_end(uint64_t h, enum kind kind)
{
	h = (h + kind) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 32);
}

/* From the last octet to the first, as the lookup comes by it. */
static uint64_t
hash_name(struct span name)
{
	uint64_t h = HASH_START;

	for (size_t i = name.len; i; i--)
		h = hash_step(h, name.data[i - 1]);
	return h;
}

/* Entry plus one, or 0. */
static uint32_t
index_find(const struct settings_index *index, enum kind kind, uint64_t hash, struct span name)
{
	for (uint32_t at = hash_end(hash, kind);; at++) {
		uint32_t    slot = index->slots[at & index->mask];
		struct span other;

		if (slot == 0)
			return 0;
		if (kind_of(pattern_at(index, slot - 1), &other) == kind && span_equal(name, other))
			return slot;
	}
}

/* --- building ------------------------------------------------------------------------------------------------ */

static void
index_add(struct settings_index *index, uint32_t entry)
{
	struct span name;
	enum kind   kind = kind_of(pattern_at(index, entry), &name);
	uint64_t    hash = hash_name(name);
	uint32_t    old = kind == KIND_ANY ? index->any : index_find(index, kind, hash, name);
	uint32_t    at;

	if (old) {
		if (index->doubled[1] == 0) {
			index->doubled[0] = old - 1;
			index->doubled[1] = entry;
		}
		return;
	}
	if (kind == KIND_ANY) {
		index->any = entry + 1;
		return;
	}
	for (at = hash_end(hash, kind); index->slots[at & index->mask]; at++)
		;
	index->slots[at & index->mask] = entry + 1;
}

static struct settings_index *
index_build(struct arena *arena, const void *base, size_t stride, unsigned count)
{
	struct settings_index *index = arena_alloc(arena, sizeof(*index));
	uint32_t	       size = 4;

	while (size < 2 * count)
		size *= 2;
	if (index == NULL)
		return NULL;
	*index = (struct settings_index){ .base = base, .stride = stride, .count = count, .mask = size - 1 };
	index->slots = arena_alloc(arena, size * sizeof(*index->slots));
	if (index->slots == NULL)
		return NULL;
	memset(index->slots, 0, size * sizeof(*index->slots));
	for (uint32_t i = 0; i < count; i++)
		index_add(index, i);
	return index;
}

bool
settings_index_patterns(struct settings *s)
{
	s->accept_index = index_build(&s->arena, s->accept_domains.at, sizeof(struct span),
				      s->accept_domains.count);
	return s->accept_index != NULL;
}

_Static_assert(offsetof(struct settings_route, pattern) == 0, "an index finds patterns at the front");

bool
settings_index_routes(struct settings *s)
{
	s->route_index = index_build(&s->arena, s->routes.at, sizeof(struct settings_route), s->routes.count);
	return s->route_index != NULL;
}

bool
settings_index_doubled(const struct settings_index *index, unsigned *first, unsigned *second)
{
	*first = index->doubled[0];
	*second = index->doubled[1];
	return index->doubled[1] != 0;
}

/* --- asking -------------------------------------------------------------------------------------------------- */

/* Best match of a domain in any form: exact name, longest suffix, name with another last label, anything.
 * Entry plus one, or 0. */
static uint32_t
index_match(const struct settings_index *index, struct span domain)
{
	char	    plain[SETTINGS_DOMAIN_MAX];
	struct span name;
	uint64_t    hashes[SETTINGS_DOMAIN_MAX / 2 + 1]; /* of each suffix, the shortest first */
	uint16_t    starts[SETTINGS_DOMAIN_MAX / 2 + 1];
	unsigned    labels = 0;
	uint64_t    h = HASH_START;
	size_t	    last = 0; /* where the last dot is */
	uint32_t    found;

	if (index->count == 0 || !settings_domain_plain(domain, plain, &name))
		return 0;
	for (size_t i = name.len; i; i--) {
		h = hash_step(h, name.data[i - 1]);
		if (i > 1 && name.data[i - 2] != '.')
			continue;
		hashes[labels] = h;
		starts[labels++] = (uint16_t)(i - 1);
	}
	for (unsigned n = labels; n; n--) {
		struct span part = span_from(name, starts[n - 1]);

		found = index_find(index, n == labels ? KIND_EXACT : KIND_BELOW, hashes[n - 1], part);
		if (found)
			return found;
	}
	if (labels > 1) {
		last = starts[0] - 1u;
		name.len = last;
		found = index_find(index, KIND_ABOVE, hash_name(name), name);
		if (found)
			return found;
	}
	return index->any;
}

bool
settings_accepts(const struct settings *s, struct span domain)
{
	return index_match(s->accept_index, domain) != 0;
}

const struct settings_route *
settings_route_for(const struct settings *s, struct span domain)
{
	uint32_t found = index_match(s->route_index, domain);

	return found ? &s->routes.at[found - 1] : NULL;
}

/* --- networks -------------------------------------------------------------------------------------------------- */

static int
prefix_compare(const void *a, const void *b)
{
	const struct endpoint_prefix *x = a, *y = b;
	int			      order = memcmp(x->ip, y->ip, sizeof(x->ip));

	/* The wider one first: it holds those behind it. */
	return order ? order : (x->bits > y->bits) - (x->bits < y->bits);
}

bool
settings_index_networks(struct settings *s)
{
	struct settings_prefixes *ranges = &s->relay_ranges;
	unsigned		  count = s->relay_networks.count;

	*ranges = (struct settings_prefixes){ 0, NULL };
	if (count == 0)
		return true;
	ranges->at = arena_alloc(&s->arena, count * sizeof(*ranges->at));
	if (ranges->at == NULL)
		return false;
	memcpy(ranges->at, s->relay_networks.at, count * sizeof(*ranges->at));
	qsort(ranges->at, count, sizeof(*ranges->at), prefix_compare);
	for (unsigned i = 0; i < count; i++) {
		struct endpoint begin = endpoint_from_ipv6(ranges->at[i].ip, 0);

		if (ranges->count && endpoint_prefix_match(&ranges->at[ranges->count - 1], &begin))
			continue;
		ranges->at[ranges->count++] = ranges->at[i];
	}
	return true;
}

bool
settings_may_relay(const struct settings *s, const struct endpoint *client)
{
	const struct settings_prefixes *ranges = &s->relay_ranges;
	unsigned			low = 0, high = ranges->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (memcmp(ranges->at[middle].ip, client->ip, sizeof(client->ip)) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low && endpoint_prefix_match(&ranges->at[low - 1], client);
}
