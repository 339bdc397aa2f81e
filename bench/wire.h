/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/wire.h - SMTP as the bench wants it: of a reply the code and where it ends, of EHLO what was offered, of a command
 * the few things that a sink acts upon, and the text behind DATA.
 *
 * It does not stand on the codecs of mta/smtp on purpose: a fault in dot-stuffing, say, that the server and its judge
 * shared would cancel out, and the ledgers would balance over altered mail.
 * Pure: bytes in, struct out.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include "core/span.h"

struct wire_reply {
	unsigned    code; /* 200..599 */
	size_t	    len;  /* octets of the whole reply, all lines */
	struct span text; /* the last line behind the code, without line end */
};

enum { WIRE_REPLY_MAX = 64 * 1024 };

enum wire_result {
	WIRE_OK,
	WIRE_MORE,   /* not whole yet */
	WIRE_BROKEN, /* not SMTP, or longer than WIRE_REPLY_MAX */
};

enum wire_result MUST_CHECK wire_reply_parse(struct span bytes, struct wire_reply *out);

struct wire_offers {
	bool pipelining, chunking, size, eight_bit, auth_plain;
};

/* The reply to EHLO, whole, as it came. */
void wire_ehlo_parse(struct span reply, struct wire_offers *out);

enum { WIRE_AUTH_MAX = 512 }; /* octets of name and password */

/* "AUTH PLAIN ...", with its line end and a NUL: name and password with the initial response (RFC 4616, RFC 4954). */
enum { WIRE_AUTH_LINE_MAX = sizeof("AUTH PLAIN \r\n") + (WIRE_AUTH_MAX + 4) / 3 * 4 };
void wire_auth_plain(struct span name, struct span password, char out[static WIRE_AUTH_LINE_MAX]);

enum wire_verb {
	WIRE_EHLO,
	WIRE_HELO,
	WIRE_MAIL,
	WIRE_RCPT,
	WIRE_DATA,
	WIRE_BDAT,
	WIRE_RSET,
	WIRE_NOOP,
	WIRE_VRFY,
	WIRE_QUIT,
	WIRE_WRONG, /* known, but its arguments are not: 501 */
	WIRE_OTHER, /* 500 */
};

struct wire_command {
	enum wire_verb verb;
	struct span    path; /* MAIL, RCPT: the mailbox without angle brackets; may be empty */
	uint64_t       size; /* BDAT: octets of the chunk; MAIL: SIZE, 0 when not given */
	bool	       last; /* BDAT LAST */
};

/* One command line with its line end; spans point into line. */
void wire_command_parse(struct span line, struct wire_command *out);

/* Place in a text; wire_text_init() before each. */
struct wire_text {
	uint8_t state;
};

enum wire_text_result {
	WIRE_TEXT_PIECE,  /* *piece is text; call again */
	WIRE_TEXT_MORE,	  /* *rest is used up */
	WIRE_TEXT_END,	  /* CRLF.CRLF was met; *rest is what follows */
	WIRE_TEXT_BROKEN, /* lone CR, lone LF or NUL */
};

void wire_text_init(struct wire_text *t);
/* Takes text after DATA off *rest, undone of dot-stuffing.  *piece may have text with any result. */
enum wire_text_result wire_text_next(struct wire_text *t, struct span *rest, struct span *piece);

#endif
