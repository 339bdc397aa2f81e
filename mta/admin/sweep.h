/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/admin/sweep.h - messages of one shard, a few at a time: those that are named, or all that fit a filter.
 *
 * A sweep is part of a request and works while that visits the shard's core.  One sweep_step() looks at a bounded
 * part of the index or reads a bounded number of envelopes; then done() runs and the request goes home.  It goes on
 * at the next visit.
 */
#ifndef MTA_ADMIN_SWEEP_H
#define MTA_ADMIN_SWEEP_H

#include "mta/admin/limits.h"
#include "mta/admin/request.h"

struct sweep;

enum { SWEEP_SLICE = 64 };

struct sweep_look {
	struct queue_load  load;
	struct sweep	  *sweep;
	struct queue_view *view;
	struct id	   id;
	int		   result;
};

struct sweep {
	/* --- set by the user --- */
	struct request	    *request;
	const struct filter *filter; /* NULL: takes all */
	bool		     wants_envelope; /* also when the filter does not */
	bool		     named;	     /* only what sweep_name() gave; else the whole shard */
	unsigned	     places;	     /* of the index for one step; a multiple of SWEEP_SLICE */
	unsigned	     messages;	     /* for one step, a multiple of ADMIN_WINDOW; not counting those that the
					      * index alone decides on */
	/* One message that fits; envelope is NULL when it was not asked for, or cannot be read and the filter does
	 * not ask for it.  Valid for the call. */
	void (*take)(struct sweep *s, struct queue_message *m, const struct envelope *e);
	/* A step has ended: sweep_over() or not. */
	void (*done)(struct sweep *s, struct mta_core *here);

	/* --- private --- */
	struct mta_core	 *here;
	uint64_t	  cursor;
	bool		  walked;
	struct id	 *ids; /* to be looked at, from next on */
	size_t		  id_count, id_cap, next;
	unsigned	  places_left, messages_left; /* of this step */
	unsigned	  look_count, looking;
	struct sweep_look looks[ADMIN_WINDOW];
};

/* From the beginning, for the next shard. */
void sweep_reset(struct sweep *s);
void sweep_fini(struct sweep *s);
/* False: no memory. */
bool MUST_CHECK sweep_name(struct sweep *s, struct id id);
/* done() may run from inside this call. */
void sweep_step(struct sweep *s, struct mta_core *here);
/* This shard has no more. */
bool sweep_over(const struct sweep *s);

#endif
