/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/mta/outbound_peer.h - a next hop that does as a script says, and remembers what it was told.  Where the script
 * says nothing it is an ordinary server; it fails the test when a client runs ahead without having been offered PIPELINING.
 */
#ifndef TESTS_UNIT_MTA_OUTBOUND_PEER_H
#define TESTS_UNIT_MTA_OUTBOUND_PEER_H

#include "core/stream.h"

/* What the next hop does at a command; the first row that fits and has not been used up. */
struct peer_row {
	const char *at;	   /* beginning of the line; "CONNECT"; "." at the end of a text by DATA, "BDAT-END" by BDAT,
			    * "BDAT-CHUNK" at a chunk before; "TEXT" at the first octets of a text, the rest of
			    * which is read and forgotten */
	const char *say;   /* without the last CRLF; NULL: nothing, and nothing any more unless the row closes */
	unsigned    times; /* 0: always */
	bool	    close; /* and then the end */
};

enum { PEER_ROWS_MAX = 12, PEER_TEXTS_MAX = 128 };

struct peer {
	/* set by the test, before or while it listens */
	const char	     *ehlo; /* keywords, separated by blanks; "_" stands for a blank within one */
	const struct peer_row *rows;
	unsigned	      row_count;
	bool		      silent; /* greets nobody until peer_greet() */
	/* to be looked at */
	struct endpoint	      at;
	unsigned	      sessions, sessions_now, sessions_most, transactions;
	char		      said[256 * 1024]; /* all command lines that came, each with "\n" */
	size_t		      said_len;
	char		     *texts[PEER_TEXTS_MAX]; /* taken with 2xx */
	size_t		      text_lens[PEER_TEXTS_MAX];
	unsigned	      text_count;
	/* private */
	struct reactor	     *reactor;
	int		      listener;
	struct io_op	      accept;
	unsigned	      used[PEER_ROWS_MAX];
	struct list	      open; /* sessions */
};

void peer_listen(struct peer *p, struct reactor *r, const char *ip, uint16_t port);
/* Greets those who wait for it, and all who come from now on. */
void peer_greet(struct peer *p);
bool peer_said(const struct peer *p, const char *what);
/* Takes no more connections; its clients end theirs. */
void peer_stop(struct peer *p);
bool peer_stopped(const struct peer *p);
void peer_free(struct peer *p);

#endif
