/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/policy/clients.h - how many sessions each client address has open, over all cores.  IPv4 counts by address,
 * IPv6 by /64: who has one address there has them all.
 *
 * A fixed table of atomic counters, bucketed by a keyed hash, without locks: two clients that meet in one bucket are
 * counted together.  The table has at least four times as many buckets as there may be sessions, and the key is
 * random, so a meeting is rare and cannot be arranged.  Any core may call enter and leave at any time.
 */
#ifndef MTA_POLICY_CLIENTS_H
#define MTA_POLICY_CLIENTS_H

#include "core/endpoint.h"

struct clients;

/* NULL when memory is out.  key: 16 random octets (tls/random.h).  sessions_max sizes the table; a later generation of
 * settings may allow more, which makes meetings likelier and counts no less true. */
struct clients *clients_new(uint64_t sessions_max, const uint8_t key[static 16]);
void		clients_free(struct clients *c);
/* Counts one more session, or says false when the address has `max` already.  Never lets more than `max` in, and
 * refuses nobody on account of others that are being refused. */
bool MUST_CHECK clients_enter(struct clients *c, const struct endpoint *peer, uint64_t max);
/* For each enter that said true, once. */
void		clients_leave(struct clients *c, const struct endpoint *peer);

#endif
