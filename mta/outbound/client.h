/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/client.h - one client session: from finding a host that serves to QUIT (RFC 5321).
 *
 * client.c is the machine: states, timeouts, the connection, its beginning and end.  client_reach.c finds a host that serves;
 * client_commands.c says commands and takes replies of a transaction; client_text.c sends the text.
 */
#ifndef MTA_OUTBOUND_CLIENT_H
#define MTA_OUTBOUND_CLIENT_H

#include "core/stream.h"
#include "mta/outbound/destination.h"
#include "mta/outbound/walk.h"
#include "mta/smtp/data.h"

/*
 * A state says what is being waited for; CLOSING is always a legal exit.  With PIPELINING several replies are under way, and
 * the state is that of the next one.  Each timeout is a row of the settings (RFC 5321 section 4.5.3.2).
 */
#define CLIENT_STATES(X)                                                                                              \
	/* state    timeout                  legal exits */                                                           \
	X(WALK,     0,                       TO(CONNECT))                                                             \
	X(CONNECT,  AFTER(connect_timeout),  TO(GREETING) | TO(WALK))                                                 \
	X(GREETING, AFTER(greeting_timeout), TO(EHLO) | TO(LEAVING))                                                  \
	X(EHLO,     AFTER(ehlo_timeout),     TO(HELO) | TO(READY) | TO(LEAVING))                                      \
	X(HELO,     AFTER(ehlo_timeout),     TO(READY) | TO(LEAVING))                                                 \
	X(LEAVING,  AFTER(quit_timeout),     TO(WALK)) /* this host does not serve: QUIT, then the next */            \
	X(READY,    AFTER(idle_reuse),       TO(MAIL) | TO(QUIT))                                                     \
	X(MAIL,     AFTER(mail_timeout),     TO(RCPT) | TO(READY))                                                    \
	X(RCPT,     AFTER(rcpt_timeout),     TO(RCPT) | TO(DATA) | TO(TEXT) | TO(END) | TO(RSET) | TO(READY))         \
	X(DATA,     AFTER(data_timeout),     TO(TEXT) | TO(END) | TO(RSET) | TO(READY))                               \
	X(TEXT,     AFTER(block_timeout),    TO(END) | TO(RSET) | TO(READY))                                          \
	X(END,      AFTER(end_timeout),      TO(RSET) | TO(READY))                                                    \
	X(RSET,     AFTER(quit_timeout),     TO(READY))                                                               \
	X(QUIT,     AFTER(quit_timeout),     0)                                                                       \
	X(CLOSING,  0,                       0)

enum client_state {
#define X(id, ...) CLIENT_##id,
	CLIENT_STATES(X)
#undef X
};

enum client_say { /* what of the transaction is to be said next */
	SAY_MAIL,
	SAY_RCPT,
	SAY_DATA, /* DATA, or BDAT with the text behind it */
	SAY_NOTHING,
};

struct client_text {
	struct io_op	    read;	/* of a piece */
	struct smtp_stuffer stuffer;
	struct span	    rest;	/* of inline text or of the piece at hand: not given to the stream yet */
	char		   *pieces[2];	/* one is sent while the other is filled */
	char		   *stuffed;	/* what stuffing wrote; free again when the stream has sent it */
	uint64_t	    taken;	/* octets taken from the memory budget for these three */
	unsigned	    piece_read;	/* pieces read whole */
	unsigned	    piece_sent; /* pieces begun to be sent */
	size_t		    read_at;	/* octets of the piece being read */
	uint64_t	    seen_out;	/* octets the kernel had taken when progress was last looked at */
	char		    tail[2];	/* its last octets so far */
	bool		    chunking;	/* by BDAT */
	bool		    stuffing;	/* by DATA, and some line begins with a dot */
	bool		    ended;	/* all of it, its end included, was given to the stream */
};

struct client {
	struct list_node    node; /* in the destination's idle or busy */
	struct destination *dest;
	struct outbound	   *out;
	struct settings	   *settings; /* a reference */
	enum client_state   state;
	struct wheel_timer  timer;
	struct reactor_hook later;    /* first step and last */
	struct walk	   *walk;     /* until a host serves */
	struct io_connect_op connect;
	struct endpoint	    peer;
	int		    fd;	      /* being connected; else -1 */
	struct stream	    stream;
	bool		    streaming;   /* the stream is open, or closing */
	bool		    established; /* a host serves */
	char		    host[DELIVERY_HOST_MAX + 1]; /* "mx.example.net [192.0.2.1]:25" */
	struct smtp_reply   reply;
	struct smtp_offers  offers;
	unsigned	    transactions;   /* begun */
	unsigned	    recipients_max; /* of one transaction with this peer */
	/* --- the transaction --- */
	struct delivery	   *delivery;
	enum client_say	    say;
	unsigned	    said, heard; /* recipients before these had their RCPT said; answered */
	unsigned	    outstanding; /* replies on their way */
	unsigned	    accepted;	 /* recipients */
	bool		    stale;	 /* the connection was used before and nothing has been answered yet */
	bool		    mail_good;	 /* MAIL was accepted */
	bool		    utf8;	 /* SMTPUTF8 is asked for */
	bool		    data_said;	 /* DATA, or BDAT with the text, is on its way */
	bool		    over;	 /* every recipient has its outcome; what is still to come is read and forgotten */
	bool		    closed_well; /* the end of the text was accepted: no RSET is needed */
	bool		    taken;	 /* 2xx to the text has come; the kernel has not told yet that it sent the end */
	bool		    ending;	 /* ends as soon as the kernel has taken what we borrowed */
	struct client_text  text;
};

/* One more session for a destination with mail waiting.  False when memory is out. */
bool MUST_CHECK client_start(struct destination *dest);
/* An idle session gets to work. */
void client_take(struct client *c, struct delivery *d);
/* Ends it in the orderly way when it is idle, at once when no host serves it yet; does nothing in a transaction. */
void client_retire(struct client *c);
/* Ends it at once.  What it was doing is deferred, or goes back untried where nothing was answered yet. */
void client_stop(struct client *c);

/* --- between client.c and its helpers ------------------------------------------------------------------------- */

void client_enter(struct client *c, enum client_state next);
/* The session ends in the middle of a transaction; why is the outcome of all that is undecided in it. */
void client_break(struct client *c, const struct outcome *why);
/* The same in our words: what, then "while waiting for the reply to RCPT". */
void client_break_because(struct client *c, struct smtp_enhanced status, const char *what);
/* Ends the session; its transaction is decided, or none of its fault. */
void client_close(struct client *c);
/* An operation has ended: perhaps it was the last that a closing session waits for. */
void client_end_when_idle(struct client *c);
/* The connection is good for another transaction: begins it, or is idle, or quits. */
void client_next(struct client *c);
/* Each says false when the session is over because of it. */
bool MUST_CHECK client_send(struct client *c, struct span bytes);
bool MUST_CHECK client_send_borrowed(struct client *c, struct span bytes);
/* What the reply at hand makes of a recipient. */
struct outcome client_outcome(const struct client *c, enum outcome_kind kind, enum outcome_phase phase);
/* What is being waited for; and as a sentence: "connection lost while waiting for the reply to RCPT". */
enum outcome_phase client_phase(const struct client *c);
struct span client_sentence(const struct client *c, const char *what, char *buffer, size_t size);
/* c->fd has its peer: the stream opens, and the greeting is waited for. */
void client_connected(struct client *c);

/* client_reach.c */

void client_reach_begin(struct client *c);
/* In WALK: tries the next address. */
void client_reach(struct client *c);
/* A reply has come in GREETING, EHLO or HELO. */
void client_reach_reply(struct client *c);
/* The host has failed there; what, as for client_break_because(). */
void client_reach_failed(struct client *c, struct smtp_enhanced status, const char *what);

/* client_commands.c */

/* False when nothing had to be said: the delivery has gone back to its destination. */
bool MUST_CHECK client_transaction_begin(struct client *c, struct delivery *d);
/* Says what may be said now. */
void client_talk(struct client *c);
/* A reply has come in MAIL, RCPT, DATA, TEXT or END. */
void client_transaction_reply(struct client *c);
/* The text was taken, and now it is known to have been sent whole. */
void client_text_taken(struct client *c);
/* Everything is answered. */
void client_transaction_end(struct client *c);

/* client_text.c */

/* Memory for the text of c->delivery; false when the budget is used up. */
bool MUST_CHECK client_text_prepare(struct client *c);
/* Starts sending; by BDAT the command comes with it. */
void client_text_begin(struct client *c);
/* Gives the stream more, if it can take it and there is any. */
void client_text_more(struct client *c);
/* Has the kernel taken anything since the last look? */
bool client_text_progress(struct client *c);
/* Nothing of it is being read from disk. */
bool client_text_idle(const struct client *c);
/* Gives memory back; must be idle, and nothing borrowed. */
void client_text_drop(struct client *c);

#endif
