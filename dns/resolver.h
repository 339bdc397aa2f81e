/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/resolver.h - names to mail hosts and addresses.  One resolver for each core: own sockets, own cache, used by
 * that core's thread only.  It asks recursive servers (given, or those of resolv.conf) over UDP with a fresh port and
 * id for each query, again over TCP when an answer is truncated, and keeps answers for their TTL (bounded above and
 * below), also negative ones (RFC 2308) and, for some seconds, failures (RFC 9520).  Equal questions in flight are
 * asked once.
 *
 * Nothing here waits.  Memory is bounded: the cache by cache_octets, questions and sockets by dns/limits.h; a
 * question too many is answered DNS_FAILED.  Each question has one answer, after tries * timeout_ms and the pauses
 * between tries (DNS_PAUSE_MS) as a rule; later when a try goes over to TCP, which begins its time anew, when a
 * server wants to be asked without EDNS0, which is one try more, or when DNS_QUERIES_MAX lookups are under way
 * already.
 */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "core/reactor.h"

struct resolver;

enum dns_status {
	DNS_OK,
	DNS_NONE,     /* the name is there, records of this kind that can be used are not */
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

/*
 * One question; embedded in what asks.  done is called once, unless the question is cancelled or the resolver closed,
 * and never from inside the call that asks.  Inside done the question may be asked anew or freed, and any other call
 * of this header be made.
 */
struct dns_question {
	void (*done)(struct dns_question *q, enum dns_status status);
	union { /* with DNS_OK; valid until done returns */
		const struct dns_hosts	   *hosts;
		const struct dns_addresses *addresses;
	};
	struct list_node node;	/* private */
	void		*entry; /* private */
};

struct resolver_params {
	unsigned	       server_count; /* 0: those of /etc/resolv.conf, else 127.0.0.1 and [::1]; from 9 on: ignored */
	const struct endpoint *servers;	     /* copied */
	uint32_t	       timeout_ms;   /* of one try */
	uint32_t	       tries;	     /* over all servers, in turn */
	uint32_t	       ttl_max_s;
	uint64_t	       cache_octets; /* taken from the reactor's memory budget as it fills */
	bool		       ipv6;	     /* ask for AAAA too */
};

/* At start-up: reads /etc/resolv.conf, which is not read again.  0 or -ENOMEM. */
int MUST_CHECK resolver_open(struct resolver **out, struct reactor *r, const struct resolver_params *p);
/* Questions under way see the new settings at their next try.  With other servers the cache starts empty. */
void	       resolver_configure(struct resolver *d, const struct resolver_params *p);
/* Ends what is in flight without calling `done`; closed(arg) follows, later, then the memory is gone.  Nothing may
 * be asked any more; cancelling is still harmless until closed(arg). */
void resolver_close(struct resolver *d, void (*closed)(void *arg), void *arg);

/*
 * Hosts that take mail for a domain (A-label form, any case).
 *
 * An MX answer whose hosts all have the empty name is DNS_NULL_MX.  No MX and a present name gives the implicit one,
 * whose addresses, if any, resolver_addresses() finds.  Exchangers that are no host names (addresses, for instance)
 * are left out; if no other is there the status is DNS_NONE, for a domain with MX has no implicit one.  CNAMEs are
 * followed.
 */
void resolver_mail_hosts(struct resolver *d, struct dns_question *q, struct span domain);
/*
 * A and AAAA of a host.  Addresses of one family are enough for DNS_OK, whatever became of the other.  Without any:
 * DNS_FAILED when one of the two failed, DNS_NXDOMAIN when both say so, else DNS_NONE.
 */
void resolver_addresses(struct resolver *d, struct dns_question *q, struct span host);
/* Forgets the question; done will not be called.  Harmless once that has happened. */
void resolver_cancel(struct resolver *d, struct dns_question *q);

#endif
