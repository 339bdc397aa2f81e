/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/arena.h - memory that dies together.  A transaction parses into one; RSET is arena_reset().
 * An arena grows by chunks up to a limit and then says NULL, which the caller turns into a 4xx.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/span.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk; /* newest; NULL until the first allocation */
	char		   *at, *end;
	size_t		    held;  /* octets taken from the heap */
	size_t		    limit; /* held never exceeds this */
};

void  arena_init(struct arena *a, size_t limit);
/* Gives everything back; the arena is as new. */
void  arena_reset(struct arena *a);
/* Aligned for anything; not cleared.  NULL beyond the limit or when the heap is out. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy of the bytes with a NUL behind them that len does not count; data is NULL on failure. */
struct span arena_copy(struct arena *a, struct span bytes);

#endif
