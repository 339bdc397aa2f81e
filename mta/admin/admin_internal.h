/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/admin/admin_internal.h - the control socket as its own files see it.
 *
 *	admin.c	     the socket: opened, drained
 *	connection.c a client: lines in, lines out, deadlines
 *	request.c    a request travels from core to core
 *	ask.c	     its line read; filter.c which messages it means; reply.c lines of JSON made
 *	sweep.c	     messages of one shard, a few at a time; rows.c how they are shown
 *	verb_*.c     what can be asked
 */
#ifndef MTA_ADMIN_ADMIN_INTERNAL_H
#define MTA_ADMIN_ADMIN_INTERNAL_H

#include "core/stream.h"
#include "mta/admin/admin.h"
#include "mta/admin/counters.h"
#include "mta/admin/limits.h"
#include "mta/admin/request.h"

struct admin {
	struct mta_core	   *core;
	struct reactor	   *reactor;
	struct counter_group group;
	counter_value	    values[ADMIN_COUNTER_COUNT];
	int		    listener;
	struct io_op	    accept, unlink;
	struct wheel_timer  again;
	struct list	    connections;
	unsigned	    connection_count;
	bool		    draining, drained_told;
	struct reactor_hook ending;
	void (*drained)(struct mta_core *core);
	char		    path[108];
};

static inline void
admin_count(struct admin *admin, enum admin_counter c)
{
	counter_add(&admin->values[c], 1);
}

/* While draining: looks at the end of this turn whether all has ended.  Else nothing. */
void admin_may_be_drained(struct admin *admin);

/* --- connection.c ----------------------------------------------------------------------------------------------- */

#define CONNECTION_STATES(X)                                                                                          \
	X(READING) /* for a request */                                                                                \
	X(AWAY)	   /* its request is under way */                                                                     \
	X(TELLING) /* lines wait for the client; its request, if it has one left, waits for that */                   \
	X(LAST)	   /* nothing more will be said */                                                                    \
	X(CLOSING)

enum connection_state {
#define X(id) CONNECTION_##id,
	CONNECTION_STATES(X)
#undef X
};

struct connection {
	struct stream	      stream;
	struct list_node      node;
	struct admin	     *admin;
	enum connection_state state;
	int64_t		      user; /* uid, or -1 */
	struct wheel_timer    deadline;
	struct request	     *request; /* in hand, or NULL */
	bool		      travels; /* the request: it is another core's, perhaps, and not to be looked at */
	struct reply	      out;     /* lines the stream does not have yet, from `told` on */
	size_t		      told;
	uint32_t	      unread_ms;  /* so long it has not taken what the stream has */
	bool		      peer_ended; /* LAST: it will hang up when it has heard all */
	bool		      closed;	  /* the stream is; waits for its request */
};

/* Takes over fd. */
void connection_open(struct admin *admin, int fd);
/* Its request goes to a core. */
void connection_left_home(struct connection *c);
/* Its request is at home again, ended or with lines or for its next step. */
void connection_came_home(struct connection *c);
/* The process ends. */
void connection_drain(struct connection *c);

#endif
