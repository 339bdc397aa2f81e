/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/resolvconf.h - the name servers that /etc/resolv.conf names (resolv.conf(5)).  Pure.
 *
 * Of its lines only `nameserver` is read: search lists and options are for people who type half a name, and mail
 * domains are whole.
 */
#ifndef DNS_RESOLVCONF_H
#define DNS_RESOLVCONF_H

#include "core/endpoint.h"

/* Servers in their order, at most max, port 53; lines that make no sense are passed over.  Returns how many. */
unsigned dns_resolvconf_read(struct span text, struct endpoint *out, unsigned max);

/* The machine itself, by IPv4 and by IPv6: whom to ask when nobody is named. */
unsigned dns_resolvconf_default(struct endpoint out[static 2]);

#endif
