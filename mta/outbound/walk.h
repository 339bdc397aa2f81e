/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/walk.h - the hosts of a next hop and their addresses, one after another in the order of RFC 5321 section 5.1,
 * until one serves or all have been tried.  It asks the resolver and remembers the trouble met on the way; connecting is its
 * user's part.
 *
 *	walk_begin, then walk_next until WALK_FOUND; try it; tell walk_trouble and walk_next again.
 */
#ifndef MTA_OUTBOUND_WALK_H
#define MTA_OUTBOUND_WALK_H

#include "mta/outbound/limits.h"
#include "mta/outbound/outcome.h"
#include "mta/outbound/route.h"

enum walk_result {
	WALK_FOUND, /* host and address are set */
	WALK_WAIT,  /* the resolver was asked: ready() follows, then walk_next() again */
	WALK_OVER,  /* nothing is left: `trouble` says why */
	WALK_NO_MEMORY, /* to hold the hosts: no trouble of theirs */
};

struct walk_host {
	struct span		  name; /* empty: an address was given */
	uint16_t		  preference;
	uint16_t		  port;
	const struct settings_hop *hop;
	char			  text[SMTP_DOMAIN_MAX + 1];
};

struct walk {
	void (*ready)(struct walk *w);
	void		      *owner; /* the user's */
	struct resolver	      *resolver;
	const struct settings *settings; /* borrowed */
	struct dns_question    question;
	bool		       asking, asked_hosts, no_memory;
	enum route_kind	       kind;
	struct span	       domain; /* borrowed: the name of the next hop */
	enum outcome_source    source; /* of addresses */
	unsigned	       host_count, host_at, tries;
	struct walk_host      *hosts;
	struct endpoint	       addresses[WALK_ADDRESSES_MAX];
	unsigned	       address_count, address_at;
	bool		       host_open; /* hosts[host_at] has been looked up */
	/* Where we are. */
	struct span	host; /* name, or the address as a literal; valid as long as the walk is */
	struct endpoint address;
	/* The worst hopeful thing met: a deferral outweighs a failure, for it may be gone tomorrow. */
	struct outcome trouble;
	char	       trouble_host[DELIVERY_HOST_MAX + 1];
	char	       trouble_text[SMTP_REPLY_TEXT_MAX];
};

/* Settings, hops and name are borrowed until walk_end(). */
void walk_begin(struct walk *w, struct resolver *resolver, const struct settings *s, enum route_kind kind,
		const struct settings_route *hops, const struct endpoint *literal, struct span name,
		void (*ready)(struct walk *w), void *owner);
enum walk_result walk_next(struct walk *w);
/* What went wrong at this address; words are copied.  next_host: do not try its other addresses. */
void walk_trouble(struct walk *w, const struct outcome *what, bool next_host);
/* The address is ours: mail would come back to us.  Hosts of no better preference are not tried (RFC 5321 section 5.1). */
void walk_is_ourselves(struct walk *w);
/* Is it one of the endpoints we listen on?  local: our end of a connection to it, or NULL before there is one. */
bool walk_is_own(const struct settings *s, const struct endpoint *address, const struct endpoint *local);
/* Forgets questions and hosts; at any time. */
void walk_end(struct walk *w);

#endif
