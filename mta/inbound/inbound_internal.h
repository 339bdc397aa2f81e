/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/inbound/inbound_internal.h - one core's receiving side, as its own files see it.
 *
 *	inbound.c	 beginning, end, reload
 *	listener.c	 connections taken, admitted or refused
 *	server.c	 the session: states, deadlines, replies, its end
 *	server_command.c commands
 *	server_data.c	 message text by DATA and BDAT, and the one place that says 250 to it
 *	transaction.c	 envelope and intake of one message
 */
#ifndef MTA_INBOUND_INBOUND_INTERNAL_H
#define MTA_INBOUND_INBOUND_INTERNAL_H

#include "mta/inbound/answers.h"
#include "mta/inbound/counters.h"
#include "mta/inbound/inbound.h"
#include "mta/inbound/limits.h"

struct listener {
	struct inbound	  *inbound;
	struct io_op	   accept;
	struct wheel_timer again;
	int		   fd;
};

/* A reply with fixed words, as it is sent. */
struct inbound_words {
	uint8_t len; /* 0: our name stands in it, which may change */
	char	line[127];
};

struct inbound {
	struct mta_core	    *core;
	struct reactor	    *reactor;
	struct counter_group group, answer_group;
	counter_value	     values[INBOUND_COUNTER_COUNT];
	counter_value	     answers[SERVER_ANSWER_COUNT];
	struct inbound_words words[SERVER_ANSWER_COUNT];
	struct list	     servers;
	unsigned	     refusing; /* servers that only say why not */
	struct id_source     ids;      /* of sessions */
	unsigned	     listener_count;
	struct listener	    *listeners;
	bool		     draining, late, drained_told;
	struct wheel_timer   deadline;
	struct reactor_hook  ending;
	void (*drained)(struct mta_core *core);
};

static inline void
inbound_count(struct inbound *in, enum inbound_counter c, uint64_t n)
{
	counter_add(&in->values[c], n);
}

/* While draining: looks at the end of this turn whether all has ended.  Else nothing. */
void inbound_may_be_drained(struct inbound *in);

int  listener_open(struct listener *l, struct inbound *in, const struct endpoint *at);
void listener_start(struct listener *l);
/* Asks accepting to end, and closes; listener_closed() says when it has. */
void listener_stop(struct listener *l);
bool listener_closed(const struct listener *l);
/* One that has not accepted anything. */
void listener_close(struct listener *l);

#endif
