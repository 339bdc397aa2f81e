/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/send_session.h - a session of the sender and its transactions, for the two files that make them
 * (send_session.c and send_transaction.c); others use bench/send.h.
 *
 * The session connects, greets, takes messages while there are some, and sees to it that each reply finds what it
 * answers.  The transaction says what to write next for a message, and books its one outcome.
 */
#ifndef BENCH_SEND_SESSION_H
#define BENCH_SEND_SESSION_H

#include "bench/send.h"

#define SEND_STATES(X)                                                                             \
	/* state      exits; CLOSED always is */                                                   \
	X(CONNECTING, TO(GREETING))                                                                \
	X(GREETING,   TO(WORKING))                                                                 \
	X(WORKING,    TO(QUITTING) | TO(VANISHING))                                                \
	X(VANISHING,  0) /* --vanish: what is written leaves, then the connection is cut */        \
	X(QUITTING,   0)                                                                           \
	X(CLOSED,     TO(CONNECTING))

enum send_state {
#define X(id, exits) SEND_##id,
	SEND_STATES(X)
#undef X
};

enum { SEND_EXPECTED_MAX = 12, SEND_TRANSACTIONS = 2 };

struct transaction {
	struct message message;
	struct send_ticket ticket;
	struct report *report; /* that it is booked in */
	enum bench_stage vanish_at; /* STAGE_COUNT: nowhere */
	bool	 vanished; /* it is the sender that breaks it off */
	bool	 open;	   /* not ended */
	bool	 mailed;   /* MAIL was answered 250 */
	bool	 sent;	   /* the end of data is on its way: without an answer the outcome is unknown */
	uint64_t begun_ns, sent_ns;
	uint32_t rcpt_replied, rcpt_accepted;
	unsigned code;	   /* first refusal that decides; 0: none */
	enum bench_stage stage; /* of that refusal */
	uint64_t refused[(SEND_RECIPIENTS_MAX + 63) / 64]; /* bit for each recipient */
};

/* A text that is on its way. */
struct send_text {
	struct transaction *transaction;
	struct span parts[4];
	unsigned    part;	/* the one that is being sent; COUNT_OF(parts): all are */
	uint64_t    begun_ns, octets; /* --slow: since when, how many were sent */
	struct wheel_timer more;
};

struct expected {
	enum bench_stage stage;
	struct transaction *transaction;
	uint32_t	 count; /* replies of this sort still to come */
};

struct send_session {
	struct send_core    *core;
	struct list_node     node;    /* in core->sessions */
	struct list_node     waiting; /* in core->waiting */
	struct stream	     stream;
	struct io_connect_op connect;
	uint64_t	     dialled_ns;
	struct wheel_timer   timer; /* an answer is due, or the pause before the next connection is over */
	enum send_state	     state;
	unsigned	     index;
	int		     fd; /* while CONNECTING */
	bool		     streaming; /* the stream is open */
	bool		     greeted;	/* 220 came: counted among the open ones */
	bool		     again;	/* connect anew after closing, at once */
	bool		     pipelining, bdat, overlap;
	struct wire_offers   offers;
	uint64_t	     messages;
	struct expected	     expected[SEND_EXPECTED_MAX]; /* ring */
	unsigned	     expected_at, expected_count;
	struct transaction   transactions[SEND_TRANSACTIONS];
	struct send_text     text;
};

static inline const struct send_options *
send_options_of(const struct send_session *s)
{
	return s->core->shared->options;
}

static inline struct reactor *
send_reactor_of(struct send_session *s)
{
	return &s->core->member->reactor;
}

/* --- the session, for its transactions ------------------------------------------------------------------- */

/* Writes; when that fails the session is lost. */
void send_session_put(struct send_session *s, struct span text);
void send_session_put_borrowed(struct send_session *s, struct span text);
/* `count` replies to what was written are to come. */
void send_session_expect(struct send_session *s, enum bench_stage stage, struct transaction *t, uint32_t count);
/* A line and its one reply. */
void send_session_ask(struct send_session *s, struct span line, enum bench_stage stage, struct transaction *t);
/* What was written leaves, then the connection is cut. */
void send_session_vanish(struct send_session *s);
/* Another piece of a text is on its way: an answer is not overdue. */
void send_session_lives(struct send_session *s);
/* Begins the next message, or waits for one, or says goodbye. */
void send_session_next(struct send_session *s);

/* --- transactions, for the session ------------------------------------------------------------------------ */

/* Once for each session. */
void send_text_init(struct send_session *s);
void transaction_begin(struct send_session *s, const struct send_ticket *ticket);
/* A reply to MAIL, RCPT, DATA or the end of data. */
void transaction_reply(struct send_session *s, struct transaction *t, enum bench_stage stage,
		       const struct wire_reply *r);
/* The connection is gone while `stage` was to be answered. */
void transaction_lost(struct send_session *s, struct transaction *t, enum bench_stage stage);

#endif
