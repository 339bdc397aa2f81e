/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/keeper.h - the part of a core that answers for its shard's messages: takes recipients that are due, finds
 * their next hops, hands deliveries to the owners and takes them back.
 *
 * What is due waits where it costs least.  A next hop has a lane: a bounded number of deliveries away, and behind them a backlog of
 * 16 octets a recipient, without text or envelope.  So a slow next hop holds up its own lane only.
 */
#ifndef MTA_OUTBOUND_KEEPER_H
#define MTA_OUTBOUND_KEEPER_H

#include "mta/outbound/outbound_internal.h"

struct lane {
	struct table_node    node;    /* by name */
	struct list_node     ready;   /* in outbound.lanes_ready */
	struct list_node     touched; /* while recipients are being sorted into lanes */
	struct backlog	     backlog;
	unsigned	     away;    /* deliveries with the owner, or whose message is being read */
	unsigned	     first, last, tally; /* recipients being sorted: a chain through the group */
	enum route_kind	     kind;    /* as routed just now, with the two below */
	const struct settings_route *hops;
	struct endpoint	     address;
	char		     name[];
};

int MUST_CHECK keeper_init(struct outbound *out);
void	       keeper_fini(struct outbound *out);
/* Waiting recipients of the message are due. */
void keeper_due(struct outbound *out, struct queue_message *m);
/* From the owner's core: the delivery goes back to its keeper, with or without outcomes. */
void keeper_return(struct outbound *here, struct delivery *d);
/* On the keeper's core, when results are recorded: the delivery no longer counts, and ends. */
void keeper_forget(struct outbound *out, struct delivery *d);
/* One delivery less is away; the delivery itself may live on in a report. */
void keeper_release(struct outbound *out, struct delivery *d);
/* Looks soon for what can be started; any number of times. */
void keeper_wake(struct outbound *out);
/* Nothing of what waits is started any more. */
void keeper_drain(struct outbound *out);
bool keeper_idle(const struct outbound *out);

#endif
