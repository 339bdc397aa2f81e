/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/message.h - the messages that a sender offers: cheap to make, each different from all others.
 *
 * A message is a small head of its own, a long body borrowed from a text that all messages share, and a small tail of
 * its own.  The head begins with the field by which ledgers know it (bench/ledger.h), and behind it the time from which
 * its latency counts, so that who receives it knows how long it was under way on this machine.  Made
 * bodies are windows on one long text that begin at a different line for each of 64 consecutive messages, and every
 * line says its number, so that a piece of one message inside another does not go unseen; some lines begin with a dot.
 * Bodies from files are what the files hold, with CRLF for each lone LF and at the end; a lone CR stays.
 *
 * A source is made once and then only read: all cores share it.
 */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include "core/span.h"

#define MESSAGE_ID_FIELD "X-Ringpost-Bench-Id: "
#define MESSAGE_TIME_FIELD "X-Ringpost-Bench-Time: " /* nanoseconds of io_mono(), MESSAGE_TIME_DIGITS digits */

enum {
	MESSAGE_ID_MAX	   = 24,  /* "5d0c93aa-4294967295" */
	MESSAGE_TIME_DIGITS = 20, /* any uint64_t */
	MESSAGE_HEAD_MAX   = 768, /* the longest address twice, and the rest */
	MESSAGE_TAIL_MAX   = 192,
	MESSAGE_ADDRESS_MAX = 254, /* RFC 5321 section 4.5.3.1.3 less the angle brackets */
	MESSAGE_FILE_MAX   = 256 << 20,
};

struct message_source;

struct message_source_params {
	uint32_t    run;	/* first half of each id */
	uint64_t    size_max;	/* the largest made message */
	const char *file;	/* or the text of this file each time; NULL: none */
	const char *directory;	/* or of each file of this directory in turn, sorted by name */
	const char *from;	/* mailbox in the From field, empty: "bench@localhost" */
	const char *to;		/* mailbox in the To field */
	const char *date;	/* value of the Date field */
};

/* 0, or -errno with why a sentence (in the caller's room of at least 256 octets). */
int MUST_CHECK message_source_open(struct message_source **source, const struct message_source_params *params,
				   char why[static 256]);
void message_source_free(struct message_source *source);
/* Texts in turn: 1 for made messages, else the number of files. */
size_t message_source_count(const struct message_source *source);

struct message {
	struct span id;		/* into head */
	struct span body;	/* borrowed from the source: as it is */
	struct span body_stuffed; /* the same with leading dots doubled (RFC 5321 section 4.5.2) */
	uint32_t    head_len, tail_len;
	uint64_t    size;	/* of the whole, without dot-stuffing */
	uint32_t    crc;	/* of the same */
	bool	    eight_bit;	/* needs BODY=8BITMIME */
	char	    head[MESSAGE_HEAD_MAX]; /* no line of it begins with a dot */
	char	    tail[MESSAGE_TAIL_MAX]; /* nor of this */
};

/*
 * Message number seq of the source, due at time_ns (0: not to be told); made ones have `size` octets, no less than head
 * and tail need, no more than size_max.  Must not be moved afterwards: id points into it.
 */
void message_make(const struct message_source *source, uint32_t seq, uint64_t size, uint64_t time_ns,
		  struct message *out);

/* Lone LF becomes CRLF, CRLF is put at the end when it lacks; a fresh block, NULL without memory. */
char *message_normalise(struct span text, size_t *len);
/* Leading dots doubled, text beginning at a line; a fresh block, NULL without memory. */
char *message_stuff(struct span text, size_t *len);

#endif
