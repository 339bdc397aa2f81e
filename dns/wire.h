/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/wire.h - DNS messages: a query out of a question, an answer out of octets (RFC 1035 section 4).  Pure but for
 * the memory of what it hands out.  The octets may be anything at all.
 */
#ifndef DNS_WIRE_H
#define DNS_WIRE_H

#include "dns/answer.h"
#include "dns/name.h"

enum {
	DNS_WIRE_QUERY_MAX = 12 + DNS_NAME_WIRE_MAX + 4 + 11, /* header, question, EDNS0 record */
	DNS_WIRE_PACKET_MAX = 65535,
};

struct dns_wire_question {
	struct span   name; /* our text (dns/name.h) */
	enum dns_type type;
	uint16_t      id;
};

/* Recursion desired, and with edns an answer of DNS_UDP_OCTETS.  Returns the octets written. */
size_t dns_wire_query(const struct dns_wire_question *q, bool edns, uint8_t out[static DNS_WIRE_QUERY_MAX]);

enum dns_wire_verdict {
	DNS_WIRE_ANSWER,    /* *out is set, one reference */
	DNS_WIRE_STRANGE,   /* no answer to this question: somebody else's, late or forged; go on waiting */
	DNS_WIRE_TRUNCATED, /* there is more by TCP */
	DNS_WIRE_NO_EDNS,   /* a server from before EDNS (RFC 6891 section 7): ask again without */
	DNS_WIRE_REFUSED,   /* SERVFAIL, REFUSED and the like: this server does not know */
	DNS_WIRE_BROKEN,    /* it is the answer, and cannot be read, or memory is out */
};

/*
 * Is packet the answer to q, and what does it say?  Id and question must match, the name in any case.
 *
 * CNAMEs are followed inside the answer.  The answer's status is
 *   DNS_OK        records of the type, at most DNS_HOSTS_MAX or DNS_ADDRESSES_MAX: of MX those of best preference;
 *   DNS_NONE      none of the type, or none that can be used: an exchanger whose name is no host name (an address, say),
 *		   an address that stands for none (0.0.0.0, ::) or hides an IPv4 address in IPv6;
 *   DNS_NULL_MX   the exchangers' only name is the root;
 *   DNS_NXDOMAIN  no such name;
 *   DNS_FAILED    CNAMEs in a circle or more than DNS_CNAMES_MAX, a server that answers with a referral.
 * The TTL is the least of the records on the way; of a negative answer that of RFC 2308 section 5, 0 without SOA.
 */
enum dns_wire_verdict dns_wire_read(struct span packet, const struct dns_wire_question *q, struct dns_answer **out);

#endif
