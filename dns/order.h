/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/order.h - in which order mail hosts and addresses are to be tried.  Pure: chance is given.
 */
#ifndef DNS_ORDER_H
#define DNS_ORDER_H

#include "dns/answer.h"

struct dns_chance {
	uint16_t of[DNS_HOSTS_MAX + DNS_ADDRESSES_MAX]; /* random */
};

/* Of an answer to MX that is DNS_OK: by preference, equal ones in the order of chance (RFC 5321 section 5.1).  Names
 * live as long as the answer. */
void dns_order_hosts(const struct dns_answer *mx, const struct dns_chance *chance, struct dns_hosts *out);

/* Either may be NULL or have no records.  IPv6 first, then in turn, so that one family that does not work costs one try;
 * each in the order of chance.  Of more than fit together both families keep a share. */
void dns_order_addresses(const struct dns_answer *a, const struct dns_answer *aaaa, const struct dns_chance *chance,
			 struct dns_addresses *out);

#endif
