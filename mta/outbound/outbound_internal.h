/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/outbound_internal.h - one core's sending side, as its own files see it: the keeper of the core's shard
 * (keeper.c, settle.c, reporter.c) and the owner of next hops (destination.c, client.c and their helpers).  The two
 * meet in deliveries only.
 */
#ifndef MTA_OUTBOUND_OUTBOUND_INTERNAL_H
#define MTA_OUTBOUND_OUTBOUND_INTERNAL_H

#include "mta/mta.h"
#include "mta/outbound/backlog.h"
#include "mta/outbound/counters.h"
#include "mta/outbound/delivery.h"
#include "mta/outbound/limits.h"
#include "mta/outbound/outbound.h"
#include "mta/outbound/table.h"

/* An array on the stack that is written before it is read: clearing kilobytes for one recipient would cost more than all
 * else that is done about it. */
#define OUTBOUND_UNCLEARED __attribute__((uninitialized))

struct outbound {
	struct mta_core	    *core;
	struct reactor	    *reactor;
	struct counter_group group;
	counter_value	     values[OUTBOUND_COUNTER_COUNT];

	/* --- keeper --- */
	struct table	    lanes;	/* struct lane by name of the next hop */
	struct list	    lanes_ready; /* with a backlog and room */
	struct backlog	    unrouted;	/* due, not in memory: read first, routed then */
	unsigned	    away;	/* deliveries handed to owners */
	unsigned	    loads;	/* messages being read */
	unsigned	    loads_unrouted; /* of them, to be sorted into lanes */
	struct reactor_hook step;	/* start what waits */
	struct wheel_timer  again;	/* more of that in the next turn */
	bool		    stepping;
	struct list	    returned;	/* deliveries that came back in this turn */
	struct reactor_hook settle;
	struct table	    gatherings; /* struct gathering by id of the message */
	struct list	    to_report;	/* gatherings that are ready */
	unsigned	    reports;	/* being written */
	unsigned	    reports_waiting; /* in to_report */
	bool		    reporting;	/* in the loop that starts them */

	/* --- owner --- */
	struct table	    destinations;
	unsigned	    sessions;
	uint64_t	    starved_word_ns; /* no further word in the log about descriptors and memory before */

	/* --- end --- */
	bool		    draining, drained_told;
	struct wheel_timer  deadline;
	struct reactor_hook ending;
	void (*drained)(struct mta_core *core);
};

static inline void
outbound_count(struct outbound *out, enum outbound_counter c, uint64_t n)
{
	counter_add(&out->values[c], n);
}

static inline void
outbound_uncount(struct outbound *out, enum outbound_counter c, uint64_t n)
{
	counter_sub(&out->values[c], n);
}

static inline int64_t
outbound_now_ms(const struct outbound *out)
{
	return io_wall(out->reactor->io) / 1000000;
}

/* While draining: looks at the end of this turn whether all has ended.  Else nothing. */
void outbound_may_be_drained(struct outbound *out);

#endif
