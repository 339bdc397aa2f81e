/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/outbound.h - the sending side of one core.
 *
 * Two roles.  As keeper of its shard it takes due messages, routes each recipient to a next hop, hands each group of recipients as a
 * struct delivery to the core that owns that next hop, and writes down what comes back: results, retries,
 * reports.  As owner of its next hops (chosen by hash of their name) it resolves them, keeps their connections
 * below their limits (P4) and speaks SMTP.
 */
#ifndef MTA_OUTBOUND_OUTBOUND_H
#define MTA_OUTBOUND_OUTBOUND_H

#include "mta/mta.h"

int MUST_CHECK outbound_open(struct mta_core *core, const char **why);
/* The queue's `due` handler. */
void outbound_due(struct queue *q, struct queue_message *m);
void outbound_reload(struct outbound *out);
/* Starts nothing new; lets transactions end until the shutdown deadline, puts the rest back, closes connections.
 * drained(core) follows once, when no delivery of this shard is away and no session of this core is open. */
void outbound_drain(struct outbound *out, void (*drained)(struct mta_core *core));
void outbound_free(struct outbound *out);

/* The operator wants a retry: next hops of this core that are down need not wait for the end of their pause, but are tried by
 * one session as soon as there is mail for them. */
void outbound_end_pauses(struct outbound *out);

/* For the operator: each next hop that this core owns. */
struct outbound_destination_status {
	struct span	name; /* "route example.org" or the domain; borrowed for the call */
	uint32_t	waiting, in_flight; /* deliveries */
	uint32_t	sessions, session_max;
	int64_t		down_until_ms; /* wall clock; 0: not down */
	struct span	why;	       /* the last trouble */
};
void outbound_destinations(struct outbound *out,
			   void (*visit)(void *arg, const struct outbound_destination_status *d), void *arg);

#endif
