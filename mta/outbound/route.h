/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/route.h - which next hop a recipient goes to.  Pure.
 *
 * A next hop has a name, which says all that is needed to reach it and by which it is found:
 *	"route example.org"	the route of that pattern in the settings; all its domains share it
 *	"example.org"		a domain, by MX; lower case, A-labels
 *	"[192.0.2.1]"		an address literal: that address (RFC 5321 section 5.1)
 */
#ifndef MTA_OUTBOUND_ROUTE_H
#define MTA_OUTBOUND_ROUTE_H

#include "mta/settings.h"
#include "mta/smtp/limits.h"

enum route_kind {
	ROUTE_STATIC,  /* by a route of the settings */
	ROUTE_MX,
	ROUTE_LITERAL,
	ROUTE_NOWHERE, /* the address has no domain that could be one: 5.1.2 */
};

enum { ROUTE_NAME_MAX = 6 + SMTP_DOMAIN_MAX + 1 };

struct route {
	enum route_kind		     kind;
	struct span		     name;   /* in text below; of NOWHERE: empty */
	const struct settings_route *hops;   /* STATIC: of the generation that was asked */
	struct endpoint		     address; /* LITERAL: with outbound.port */
	char			     text[ROUTE_NAME_MAX];
};

/* mailbox: as in struct envelope_recipient.  One without domain (postmaster) is ours: hostname's. */
void route_find(const struct settings *s, struct span mailbox, struct route *out);

/* The core that owns a next hop: the same answer on every core. */
unsigned route_owner(struct span name, unsigned core_count);

#endif
