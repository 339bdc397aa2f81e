/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/policy/clients.h - how many sessions each client address has open, over all cores.  IPv4 counts by address, IPv6 by /64: who
 * has one address there has them all.
 *
 * A fixed table of atomic counters, bucketed by a keyed hash, without locks: two clients that meet
 * in one bucket are counted together.  The table has at least four times as many
 * buckets as there may be sessions, and the key is random, so a meeting is rare and cannot be arranged.
 */
#ifndef MTA_POLICY_CLIENTS_H
#define MTA_POLICY_CLIENTS_H

#include "core/endpoint.h"

struct clients;

/* NULL when memory is out.  key: 16 random octets. */
struct clients *clients_new(uint64_t sessions_max, const uint8_t key[static 16]);
void		clients_free(struct clients *c);
/* Counts one more session, or says false when the address has `max` already. */
bool MUST_CHECK clients_enter(struct clients *c, const struct endpoint *peer, uint64_t max);
void		clients_leave(struct clients *c, const struct endpoint *peer);

#endif
