/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/answer.h - what name servers say to one question (a name and a type): a verdict and the records, packed.
 * Immutable and counted, because the cache and those who asked hold it at the same time; one thread only.
 *
 *	A, AAAA    4 or 16 octets each
 *	MX         preference (2), length (1), name, in order of preference
 */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "dns/resolver.h"

enum dns_type {
	DNS_TYPE_A     = 1,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA   = 6,
	DNS_TYPE_MX    = 15,
	DNS_TYPE_AAAA  = 28,
	DNS_TYPE_OPT   = 41,
};

struct dns_answer {
	uint32_t	references;
	uint32_t	ttl_s; /* as the servers said; whoever keeps it clamps it */
	enum dns_status status;
	bool		unusable; /* DNS_NONE although there are records of the type */
	uint16_t	count; /* records; 0 unless status is DNS_OK */
	uint16_t	size;  /* octets of them */
	uint8_t		records[];
};

/* With one reference, records copied; NULL when memory is out. */
struct dns_answer *dns_answer_new(enum dns_status status, uint32_t ttl_s, unsigned count, const void *records,
				  size_t size);
struct dns_answer *dns_answer_get(struct dns_answer *a);
/* NULL is welcome. */
void dns_answer_put(struct dns_answer *a);

/* The mail host at *at, which moves on from 0; false behind the last one.  The name lives as long as the answer. */
bool dns_answer_host(const struct dns_answer *a, size_t *at, struct dns_host *out);
/* The i-th address of an answer to `type`, port 0. */
struct endpoint dns_answer_address(const struct dns_answer *a, enum dns_type type, unsigned i);

#endif
