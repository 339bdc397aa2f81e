/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/resolver.h - names to mail hosts and addresses.  One resolver for each core: own sockets, own cache,
 * used by that core's thread only.  It asks recursive servers (given, or those of resolv.conf) over UDP with a fresh port
 * and id for each query, again over TCP when an answer is truncated, and keeps answers for
 * their TTL (bounded above and below), also negative ones (RFC 2308).  Equal questions in flight are asked once.
 */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "core/reactor.h"

struct resolver;

enum dns_status {
	DNS_OK,
	DNS_NONE,     /* the name is there, records of this kind are not */
	DNS_NXDOMAIN, /* there is no such name */
	DNS_NULL_MX,  /* the domain takes no mail (RFC 7505): a permanent failure, 5.1.10 */
	DNS_FAILED,   /* SERVFAIL, timeouts, garbage: try later; never a reason to bounce at once */
	DNS_BAD_NAME, /* not a domain name: permanent, 5.1.2 */
};

const char *dns_status_text(enum dns_status status); /* one short sentence for logs and bounces */

enum { DNS_HOSTS_MAX = 32, DNS_ADDRESSES_MAX = 32, DNS_NAME_MAX = 255 };

struct dns_host {
	struct span name; /* lower case, no final dot */
	uint16_t    preference;
};

struct dns_hosts {
	bool		implicit; /* no MX: the domain's own name (RFC 5321 section 5.1) */
	unsigned	count;	  /* by preference, equal ones shuffled */
	struct dns_host host[DNS_HOSTS_MAX];
};

struct dns_addresses {
	unsigned	count;	  /* port 0; families alternate, IPv6 first, each family shuffled */
	struct endpoint at[DNS_ADDRESSES_MAX];
};

/* One question; embedded in what asks.  done is never called from inside the call that asks. */
struct dns_question {
	void (*done)(struct dns_question *q, enum dns_status status);
	union { /* valid until done returns */
		const struct dns_hosts	   *hosts;
		const struct dns_addresses *addresses;
	};
	struct list_node node;	/* private */
	void		*entry; /* private */
};

struct resolver_params {
	unsigned	       server_count; /* 0: those of /etc/resolv.conf, else 127.0.0.1 and [::1] */
	const struct endpoint *servers;	     /* copied */
	uint32_t	       timeout_ms;   /* of one try */
	uint32_t	       tries;	     /* over all servers, in turn */
	uint32_t	       ttl_max_s;
	uint64_t	       cache_octets;
	bool		       ipv6;	     /* ask for AAAA too */
};

int MUST_CHECK resolver_open(struct resolver **out, struct reactor *r, const struct resolver_params *p);
void	       resolver_configure(struct resolver *d, const struct resolver_params *p);
/* Ends what is in flight without calling `done`; closed(arg) follows, then the memory is gone. */
void resolver_close(struct resolver *d, void (*closed)(void *arg), void *arg);

/* Hosts that take mail for a domain (A-label form, any case).  An MX answer whose hosts all have the empty
 * name is DNS_NULL_MX; no MX and a present name gives the implicit one. */
void resolver_mail_hosts(struct resolver *d, struct dns_question *q, struct span domain);
/* A and AAAA of a host. */
void resolver_addresses(struct resolver *d, struct dns_question *q, struct span host);
/* Forgets the question; done will not be called. */
void resolver_cancel(struct resolver *d, struct dns_question *q);

#endif
