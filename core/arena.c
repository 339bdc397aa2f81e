/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"

struct arena_chunk {
	struct arena_chunk *older;
	size_t		    size; /* octets taken from the heap, this header included */
	_Alignas(max_align_t) char bytes[];
};

enum { CHUNK_FIRST = 1024, CHUNK_MAX = 64 * 1024 };

void
arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){ .limit = limit };
}

void
arena_reset(struct arena *a)
{
	for (struct arena_chunk *c = a->chunk, *older; c; c = older) {
		older = c->older;
		free(c);
	}
	arena_init(a, a->limit);
}

/* Chunks double, so that small transactions stay small and large ones take few steps. */
static bool
arena_grow(struct arena *a, size_t need)
{
	size_t		    size = a->chunk ? MIN_OF(a->chunk->size * 2, (size_t)CHUNK_MAX) : CHUNK_FIRST;
	struct arena_chunk *c;

	if (a->limit < sizeof(*c) || need > a->limit - sizeof(*c))
		return false;
	if (size < need + sizeof(*c))
		size = need + sizeof(*c);
	if (size > a->limit - a->held)
		size = need + sizeof(*c);
	if (size > a->limit - a->held)
		return false;
	c = malloc(size);
	if (c == NULL)
		return false;
	c->older = a->chunk;
	c->size = size;
	a->chunk = c;
	a->held += size;
	a->at = c->bytes;
	a->end = (char *)c + size;
	return true;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	/* Nothing is one unit too: NULL says failure and nothing else. */
	size_t rounded = (MAX_OF(size, (size_t)1) + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	void  *got;

	if (rounded < size)
		return NULL;
	if ((size_t)(a->end - a->at) < rounded && !arena_grow(a, rounded))
		return NULL;
	got = a->at;
	a->at += rounded;
	return got;
}

struct span
arena_copy(struct arena *a, struct span bytes)
{
	char *copy = arena_alloc(a, bytes.len + 1);

	if (copy == NULL)
		return (struct span){ NULL, 0 };
	if (bytes.len)
		memcpy(copy, bytes.data, bytes.len);
	copy[bytes.len] = 0;
	return span_make(copy, bytes.len);
}
