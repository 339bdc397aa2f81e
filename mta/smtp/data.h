/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/smtp/data.h - message text on the wire: dots stuffed and undone, its end found, its lines checked.
 *
 * Only CRLF ends a line and only CRLF.CRLF ends the text (RFC 5321 sections 2.3.8 and 4.1.1.4).  A lone CR, a lone LF or a
 * NUL is a defect: the text is read to its true end and then refused, so that no octet of it is ever taken for
 * a command and no server behind us can take it for one.
 */
#ifndef MTA_SMTP_DATA_H
#define MTA_SMTP_DATA_H

#include "core/span.h"

enum smtp_data_defect { /* the first one found is kept */
	SMTP_DATA_SOUND,
	SMTP_DATA_BARE_CR,
	SMTP_DATA_BARE_LF,
	SMTP_DATA_NUL,
	SMTP_DATA_LONG_LINE,
};

enum smtp_data_flags {
	SMTP_DATA_DOT = 1 << 0,	 /* a line of the text, undone, begins with a dot */
	SMTP_DATA_8BIT = 1 << 1, /* an octet above 127 occurs */
};

struct smtp_data {
	uint8_t	 state, defect, flags; /* defect: enum smtp_data_defect; flags: enum smtp_data_flags */
	bool	 binary;   /* no line is checked (BODY=BINARYMIME; BDAT only) */
	uint64_t line_max; /* octets of a line without CRLF; UINT64_MAX: any */
	uint64_t line_len;
};

void smtp_data_begin(struct smtp_data *d, uint64_t line_max, bool binary);

enum smtp_data_result {
	SMTP_DATA_PIECE, /* *piece is text; call again with *rest */
	SMTP_DATA_MORE,	 /* *piece is text; *rest is used up */
	SMTP_DATA_END,	 /* *piece is the last of the text; *rest is what follows CRLF.CRLF */
};

/* After DATA.  *piece borrows from *rest and may be empty with any result. */
enum smtp_data_result MUST_CHECK smtp_data_next(struct smtp_data *d, struct span *rest, struct span *piece);
/* A stretch of BDAT: nothing is undone, all of it is text. */
void smtp_data_chunk(struct smtp_data *d, struct span bytes);
/* After the last chunk: a CR that ends the text is a lone one. */
void smtp_data_chunk_end(struct smtp_data *d);

/* --- the header section -------------------------------------------------------------------------------- */

/* Counts Received fields (RFC 5321 section 6.3) as text goes by; the body is never looked at. */
struct smtp_header_scan {
	uint8_t	 state, matched;
	uint32_t received;
};

void smtp_header_begin(struct smtp_header_scan *h);
void smtp_header_feed(struct smtp_header_scan *h, struct span text);

/* --- sending --------------------------------------------------------------------------------------------- */

/* Stuffs dots on the way out.  All zero at the start of a text; one state for the whole of it. */
struct smtp_stuffer {
	bool in_line, after_cr;
};

/* Takes octets off *text and writes them stuffed; stops when either is used up.  Returns the octets written. */
size_t smtp_stuff(struct smtp_stuffer *s, struct span *text, char *out, size_t room);
/* What must follow the text: ".\r\n", with "\r\n" in front when its last line has no end. */
struct span smtp_stuff_end(const struct smtp_stuffer *s);
/* The same for a text sent as it is, because no line of it begins with a dot. */
struct span smtp_data_end(struct span text);

#endif
