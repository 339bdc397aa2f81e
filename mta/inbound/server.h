/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/inbound/server.h - one server session: RFC 5321 with PIPELINING, SIZE, 8BITMIME, BINARYMIME, CHUNKING, SMTPUTF8,
 * ENHANCEDSTATUSCODES, DSN and LIMITS.
 *
 *	START -> READY -> MAIL -> RCPT -> TEXT ----------> COMMIT -> READY
 *				   \-> CHUNK <-> CHUNKS --/
 *	any -> ENDING -> gone
 *
 * A session belongs to one core.  Idle it holds this struct and its client's name, nothing else; a transaction is
 * allocated with MAIL and freed by its one reset.
 */
#ifndef MTA_INBOUND_SERVER_H
#define MTA_INBOUND_SERVER_H

#include "core/stream.h"
#include "mta/inbound/inbound_internal.h"
#include "mta/smtp/command.h"
#include "mta/smtp/line.h"

struct transaction;

/*	id	 what is waited for, and how long */
#define SERVER_STATES(X)                                                                                              \
	X(START)  /* EHLO or HELO; a command deadline */                                                             \
	X(READY)  /* a command, no transaction; the same */                                                           \
	X(MAIL)	  /* the sender is known; the same */                                                                 \
	X(RCPT)	  /* so is a recipient; the same */                                                                   \
	X(CHUNKS) /* BDAT has begun, the next one; the same */                                                        \
	X(TEXT)	  /* text up to CRLF.CRLF; data deadline and least rate */                                            \
	X(CHUNK)  /* octets of a BDAT; data deadline and least rate */                                                \
	X(COMMIT) /* our disk; it has its own */                                                                      \
	X(ENDING) /* the peer's end, after our last words; SERVER_LINGER_MS */

enum server_state {
#define X(id) SERVER_##id,
	SERVER_STATES(X)
#undef X
};

struct server {
	struct stream	    stream; /* first */
	struct list_node    node;
	struct inbound	   *inbound;
	struct settings	   *settings; /* one generation for each transaction */
	struct transaction *transaction; /* from MAIL on, else NULL */
	struct wheel_timer  deadline;
	uint64_t	    since_ns;	/* the last command, or the last octets of text */
	uint64_t	    begun_ns;	/* the session */
	uint64_t	    chunk_left; /* octets of this BDAT still to come */
	struct id	    id;		/* names the session in the log */
	struct endpoint	    peer;
	struct smtp_line_reader line;
	char		   *helo;	/* NULL until said */
	const char	   *end;	/* why it ended, a word for the log; NULL while it goes on */
	uint32_t	    messages, errors, refusals;
	uint8_t		    state;	/* enum server_state */
	uint8_t		    chunk_answer; /* enum server_answer; ANSWER_OK: the chunk is wanted */
	bool		    chunk_last;
	bool		    esmtp;
	bool		    counted;	/* in mta->sessions and mta->clients */
	bool		    blocked;	/* the disk is behind */
	bool		    full;	/* the peer does not take our replies */
	bool		    peer_ended;
	bool		    closed;	/* the stream is gone, a commit is not */
};

/* Takes over fd. */
void server_start(struct inbound *in, int fd);
/* Last words, unless it has said them; a transaction in hand is broken off. */
void server_end(struct server *s, enum server_answer words);
/* The stream of a committing session is gone, and now the disk has answered: the session goes too. */
void server_gone(struct server *s);
/* While draining: ends it unless a transaction goes on and may. */
void server_drain(struct server *s);

/* --- among the server's own files ------------------------------------------------------------------------ */

void server_enter(struct server *s, enum server_state state);
void server_say(struct server *s, enum server_answer a);
/* The same, of a refusal: counted, logged; 5xx are errors, of which a session may make some.  about: what was refused */
void server_refuse(struct server *s, enum server_answer a, struct span about);
void server_reply(struct server *s, unsigned code, const char *enhanced, struct span text);
/* An error made outside of the table of answers. */
void server_refused(struct server *s, unsigned code, const char *why, struct span about);
/* Forgets the transaction, if there is one, and takes up new settings: RSET, EHLO, MAIL, end of a message.  Not while it
 * commits. */
void server_reset(struct server *s);

void server_line(struct server *s, struct span line, bool more_behind);

void   server_data_begin(struct server *s);
size_t server_data_text(struct server *s, struct span bytes);
void   server_bdat_begin(struct server *s, uint64_t size, bool last);
size_t server_bdat_chunk(struct server *s, struct span bytes);
/* Time for text is up, or looks again later. */
void server_data_deadline(struct server *s);

static inline uint64_t
server_now(const struct server *s)
{
	return reactor_now(s->inbound->reactor);
}

#endif
