/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/delivery.h - one message and those of its recipients that go to one next hop, on their way from the core that
 * keeps the message to the core that owns the next hop and back.
 *
 * It belongs to one core at a time, handed over whole by a post: the keeper makes it and frees it, the owner writes outcomes
 * into it.  Envelope and text (view) and the settings are immutable meanwhile; message and lane are the keeper's and
 * never touched by the owner.
 */
#ifndef MTA_OUTBOUND_DELIVERY_H
#define MTA_OUTBOUND_DELIVERY_H

#include "core/arena.h"
#include "mta/outbound/outcome.h"
#include "mta/outbound/route.h"
#include "queue/queue.h"

struct lane;
struct outbound;

enum delivery_stage { /* of a recipient, in the session's transaction */
	STAGE_NONE,
	STAGE_CHOSEN,	/* for this transaction; RCPT not answered yet */
	STAGE_ACCEPTED, /* RCPT answered with 2xx */
};

enum delivery_tell { TELL_NOTHING, TELL_FAILURE, TELL_DELAY, TELL_RELAYED };

struct delivery_recipient {
	uint32_t	    index;   /* in the envelope */
	uint8_t		    stage;   /* enum delivery_stage; the owner's */
	bool		    asked;   /* RCPT was said in the transaction at hand; the owner's */
	bool		    uncertain; /* a text went out whole for it and was not answered; the owner's */
	uint8_t		    tell;    /* enum delivery_tell: what a report says of it; the keeper's */
	uint8_t		    verdict; /* enum queue_state; the keeper's */
	uint16_t	    attempts; /* with this one; the keeper's */
	int64_t		    due_ms;  /* the keeper's, when deferred */
	struct outcome	    outcome;
};

struct delivery {
	struct io_post	      post;	/* carries it to the owner and back */
	struct list_node      node;	/* where it waits: at a destination, or for the keeper's end of turn */
	struct outbound	     *keeper;
	struct lane	     *lane;
	struct queue_message *message;
	struct queue_view    *view;	/* one reference; given back on the keeper's core */
	struct settings	     *settings; /* a reference to the generation by which it was routed */
	struct span	      name;	/* of the next hop; borrowed from the lane, which outlives us */
	enum route_kind	      kind;
	const struct settings_route *hops; /* of ROUTE_STATIC, in settings */
	struct endpoint	      address;	/* of ROUTE_LITERAL */
	struct arena	      words;	/* host names and replies that did not fit `few` */
	struct span	      last_host, last_text; /* kept already: most recipients share them */
	uint16_t	      few_used;
	bool		      again;	/* was given another connection because its own had gone stale */
	uint32_t	      pending;	/* recipients without outcome */
	uint32_t	      count;
	char		      few[160];
	struct delivery_recipient recipients[];
};

/* All pending; NULL when memory is out.  Takes a reference to settings; view's is given. */
struct delivery *delivery_new(struct outbound *keeper, struct lane *lane, struct queue_message *m,
			      struct queue_view *view, const uint32_t *recipients, unsigned count);
/* The view must have been given back. */
void delivery_free(struct delivery *d);

/* The outcome of one pending recipient; host and text are copied (without memory: dropped). */
void delivery_settle(struct delivery *d, struct delivery_recipient *r, const struct outcome *outcome);
/* The same for all pending ones. */
void delivery_settle_all(struct delivery *d, const struct outcome *outcome);

/* No transaction is at hand: what is pending may be chosen again. */
void delivery_unchoose(struct delivery *d);

static inline const struct envelope_recipient *
delivery_recipient_of(const struct delivery *d, const struct delivery_recipient *r)
{
	return &d->view->envelope.recipients[r->index];
}

#endif
