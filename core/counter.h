/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/counter.h - what happened, counted per core and summed when somebody asks.
 *
 * Each module keeps its counters in a table (X-macro: name, kind, sentence); the same table makes the
 * enumerators, the metric names and the manual.  Only the owning core writes; any core may read,
 * so stores and loads are relaxed atomics and cost what a plain add costs.
 *
 *	#define DNS_COUNTERS(X)                                              \
 *		X(QUERIES, "dns_queries_total", COUNTER_TOTAL, "Queries sent.")
 *	enum dns_counter {
 *	#define X(id, ...) DNS_##id,
 *		DNS_COUNTERS(X)
 *	#undef X
 *		DNS_COUNTER_COUNT
 *	};
 *	COUNTER_TABLE(dns_counter_rows, DNS_COUNTERS)    // in one .c
 */
#ifndef CORE_COUNTER_H
#define CORE_COUNTER_H

#include <stdatomic.h>

#include "core/list.h"

enum counter_kind {
	COUNTER_TOTAL, /* only grows */
	COUNTER_GAUGE, /* goes up and down */
};

struct counter_row {
	const char	 *name; /* snake case, unit last, _total for totals; ringpost_ is put in front */
	enum counter_kind kind;
	const char	 *what; /* a sentence for the manual and for HELP */
};

typedef _Atomic uint64_t counter_value;

struct counter_group {
	struct list_node	  node; /* in the reactor's list */
	const struct counter_row *rows;
	counter_value		 *values; /* borrowed, `count` of them */
	unsigned		  count;
};

#define COUNTER_TABLE_ROW_(id, name, kind, what) { name, kind, what },
#define COUNTER_TABLE(table, LIST) const struct counter_row table[] = { LIST(COUNTER_TABLE_ROW_) }

static inline void
counter_add(counter_value *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void
counter_sub(counter_value *c, uint64_t n)
{
	counter_add(c, (uint64_t)0 - n);
}

static inline void
counter_set(counter_value *c, uint64_t n)
{
	atomic_store_explicit(c, n, memory_order_relaxed);
}

static inline uint64_t
counter_get(const counter_value *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

#endif
