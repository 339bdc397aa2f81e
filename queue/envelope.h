/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/envelope.h - who a message is from and for, and what was asked about its delivery: all that
 * SMTP said outside the message text (RFC 5321, RFC 3461, RFC 6531), as it is kept beside the text on disk.
 *
 * Spans are borrowed from whoever made the envelope (a transaction's arena; a loaded queue_view) and
 * hold what came over the wire after its syntax was checked, so writing them back needs no
 * judgement.  docs/queue-format.md gives the form on disk.
 */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H

#include "core/endpoint.h"
#include "core/id.h"

enum envelope_flags {
	ENVELOPE_8BIT	     = 1 << 0, /* BODY=8BITMIME was declared */
	ENVELOPE_BINARY	     = 1 << 1, /* BODY=BINARYMIME was declared */
	ENVELOPE_SMTPUTF8    = 1 << 2,
	ENVELOPE_RET_FULL    = 1 << 3,
	ENVELOPE_RET_HEADERS = 1 << 4,
	ENVELOPE_DOT	     = 1 << 5, /* some line of the text begins with a dot: sending must stuff */
	ENVELOPE_8BIT_TEXT   = 1 << 6, /* an octet above 127 occurs in the text */
	ENVELOPE_REPORT	     = 1 << 7, /* we made it: a delivery report */
};

enum envelope_notify { /* RFC 3461 section 4.1; 0: not said */
	NOTIFY_NEVER   = 1 << 0,
	NOTIFY_SUCCESS = 1 << 1,
	NOTIFY_FAILURE = 1 << 2,
	NOTIFY_DELAY   = 1 << 3,
};

struct envelope_recipient {
	struct span address; /* local@domain as it came, without <>, source route and parameters */
	struct span orcpt;   /* "rfc822;xtext" as it came; empty when not said */
	uint8_t	    notify;  /* enum envelope_notify */
};

struct envelope {
	struct id	 id;	      /* name of the message */
	int64_t		 accepted_ms; /* wall clock, milliseconds since 1970 */
	uint32_t	 flags;	      /* enum envelope_flags */
	uint32_t	 hops;	      /* Received fields it came with */
	struct span	 sender;      /* reverse path without <>; empty: the null sender */
	struct span	 envid;	      /* xtext as it came */
	struct span	 helo;	      /* name the client gave */
	struct endpoint	 client;      /* all zero when we made the message */
	struct id	 origin;      /* of a report: the message it speaks of; else zero */
	uint64_t	 body_octets; /* message text, un-stuffed, with our Received field */
	uint32_t	 recipient_count;
	struct envelope_recipient *recipients;
};

#endif
