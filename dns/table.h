/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/table.h - things found by a name and a type: kept answers, lookups under way.  Nodes live in the things
 * themselves.
 *
 * Strangers choose the names, so the hash has a secret key: nobody can find names that share a chain.
 */
#ifndef DNS_TABLE_H
#define DNS_TABLE_H

#include "dns/answer.h"

struct dns_key {
	struct span   name; /* our text (dns/name.h), borrowed */
	enum dns_type type;
	uint64_t      hash;
};

struct dns_secret {
	uint64_t word[2];
};

struct dns_key dns_key_make(const struct dns_secret *secret, struct span name, enum dns_type type);

struct dns_node {
	struct dns_node *next;
	struct dns_key	 key; /* its name must live as long as the node is in the table */
};

struct dns_table {
	struct dns_node **slots;
	uint64_t	  mask, count;
};

int MUST_CHECK	 dns_table_init(struct dns_table *t); /* 0 or -ENOMEM */
void		 dns_table_fini(struct dns_table *t); /* empty by now */
struct dns_node *dns_table_find(const struct dns_table *t, const struct dns_key *key);
/* No node of this key is there.  Never fails: without memory to grow the chains become longer. */
void		 dns_table_insert(struct dns_table *t, struct dns_node *n);
void		 dns_table_remove(struct dns_table *t, struct dns_node *n);

#endif
