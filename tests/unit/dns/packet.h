/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet.h - DNS messages by hand, so that tests can also make the impossible ones.  Names are written without
 * compression; "." is the root.
 */
#ifndef TESTS_UNIT_DNS_PACKET_H
#define TESTS_UNIT_DNS_PACKET_H

#include "dns/wire.h"

enum {
	PACKET_ANSWER	  = 6, /* where the header counts them */
	PACKET_AUTHORITY  = 8,
	PACKET_ADDITIONAL = 10,
	PACKET_RESPONSE	  = 0x8180, /* QR, RD, RA */
	PACKET_TRUNCATED  = 0x0200,
	PACKET_NXDOMAIN	  = 3,
	PACKET_SERVFAIL	  = 2,
	TYPE_NS		  = 2,
	TYPE_TXT	  = 16,
};

struct packet {
	size_t	len;
	uint8_t at[80000];
};

void packet_16(struct packet *p, unsigned v);
void packet_32(struct packet *p, uint32_t v);
void packet_octets(struct packet *p, const void *octets, size_t len);
void packet_name(struct packet *p, const char *name);
/* Header and question. */
void packet_begin(struct packet *p, unsigned id, unsigned flags, const char *name, unsigned type);
/* Name, type, class IN, TTL and a length that packet_end() fills in. */
size_t packet_record(struct packet *p, unsigned section, const char *owner, unsigned type, uint32_t ttl);
void   packet_end(struct packet *p, size_t record);

void packet_address(struct packet *p, const char *owner, uint32_t ttl, const char *ip);
void packet_mx(struct packet *p, const char *owner, uint32_t ttl, unsigned preference, const char *host);
void packet_cname(struct packet *p, const char *owner, uint32_t ttl, const char *target);
void packet_soa(struct packet *p, const char *zone, uint32_t ttl, uint32_t minimum);

/* Whom would these octets answer?  name has room for DNS_NAME_TEXT_MAX; what cannot be asked becomes example.com, MX. */
struct dns_wire_question packet_question(struct span packet, char *name);
/* What must hold for every answer, whatever it came from. */
void packet_check(const struct dns_answer *a, enum dns_type type);

static inline struct span
packet_span(const struct packet *p)
{
	return span_make(p->at, p->len);
}

#endif
