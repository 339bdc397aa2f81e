/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/cache.h - answers kept for their time, also negative ones and failures; bounded by octets, the one unused for
 * longest goes first.  Pure: the caller says what time it is.
 *
 * A time to live is clamped: failures to DNS_FAILURE_S; else at least DNS_TTL_MIN_S and at most ttl_max_s, negative
 * ones also at most DNS_NEGATIVE_MAX_S.
 */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

#include "core/budget.h"
#include "dns/table.h"

struct dns_cache {
	struct dns_table table;
	struct list	 by_use; /* longest unused first */
	struct budget	*memory; /* what is kept is taken from it; borrowed */
	uint64_t	 octets, octets_max;
	uint32_t	 ttl_max_s;
};

int MUST_CHECK dns_cache_init(struct dns_cache *c, struct budget *memory, uint64_t octets_max, uint32_t ttl_max_s);
void	       dns_cache_fini(struct dns_cache *c);
/* Takes effect at once, but for times that are running. */
void	       dns_cache_configure(struct dns_cache *c, uint64_t octets_max, uint32_t ttl_max_s);
void	       dns_cache_clear(struct dns_cache *c);

/* A reference to the answer, NULL when there is none or its time is over. */
struct dns_answer *dns_cache_find(struct dns_cache *c, const struct dns_key *key, uint64_t now_ns);
/* Keeps a reference in place of what was there; not at all when there is no room or no memory. */
void		   dns_cache_keep(struct dns_cache *c, const struct dns_key *key, struct dns_answer *a, uint64_t now_ns);

#endif
