/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/table.h - things found by the name of their next hop: intrusive, so adding never fails once the table is
 * open; grows when it can and works more slowly when it cannot.
 *
 * Names come from recipients' domains, which a stranger may choose, so the hash is keyed.
 */
#ifndef MTA_OUTBOUND_TABLE_H
#define MTA_OUTBOUND_TABLE_H

#include "core/span.h"

struct table_node {
	struct table_node *next;
	uint64_t	   hash;
	struct span	   name; /* borrowed from what embeds the node */
};

struct table {
	struct table_node **slots;
	size_t		    mask; /* slots less one */
	size_t		    count;
	uint64_t	    key;
};

/* The same for all keys that are equal; 0 makes it the same in all cores and runs, for choosing an owner. */
uint64_t table_hash(uint64_t key, struct span name);

int MUST_CHECK	   table_init(struct table *t, uint64_t key); /* 0 or -ENOMEM */
void		   table_fini(struct table *t);		      /* must be empty */
struct table_node *table_find(const struct table *t, struct span name);
/* node->name must be set and must not be in the table yet. */
void table_add(struct table *t, struct table_node *node);
void table_remove(struct table *t, struct table_node *node);
/* Visits each; visit may remove the node it is given and no other. */
void table_walk(struct table *t, void (*visit)(void *arg, struct table_node *node), void *arg);

#endif
