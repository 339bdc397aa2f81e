/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/smtp/reply.h - replies: written by a server, read by a client (RFC 5321 section 4.2, RFC 2034, RFC 3463).
 */
#ifndef MTA_SMTP_REPLY_H
#define MTA_SMTP_REPLY_H

#include "core/span.h"
#include "mta/smtp/limits.h"

/* --- writing --------------------------------------------------------------------------------------- */

/*
 * "250 2.1.0 text CRLF" into buffer; enhanced NULL for replies that have none (220, 354, EHLO's).  Octets of text that do not
 * belong in a reply (controls, above 126) become "?"; what is too long is cut.  Returns the octets written, without
 * a NUL.
 */
size_t smtp_reply_write(char buffer[static SMTP_REPLY_LINE_MAX], unsigned code, const char *enhanced,
			struct span text);
/* "250-text CRLF" when more lines follow, else "250 text CRLF". */
size_t smtp_reply_write_line(char buffer[static SMTP_REPLY_LINE_MAX], unsigned code, bool more,
			     struct span text);

/* --- reading --------------------------------------------------------------------------------------- */

struct smtp_enhanced {
	unsigned char  class; /* 2, 4, 5; 0: none given */
	unsigned short subject, detail;
};

/* What EHLO offered. */
enum smtp_offer {
	SMTP_OFFER_PIPELINING = 1 << 0,
	SMTP_OFFER_SIZE = 1 << 1,
	SMTP_OFFER_8BITMIME = 1 << 2,
	SMTP_OFFER_BINARYMIME = 1 << 3,
	SMTP_OFFER_CHUNKING = 1 << 4,
	SMTP_OFFER_SMTPUTF8 = 1 << 5,
	SMTP_OFFER_ENHANCED = 1 << 6,
	SMTP_OFFER_DSN = 1 << 7,
	SMTP_OFFER_STARTTLS = 1 << 8,
	SMTP_OFFER_LIMITS = 1 << 9,
};

struct smtp_offers {
	unsigned bits;	   /* enum smtp_offer */
	uint64_t size_max; /* 0: no fixed limit */
	uint32_t recipients_max, transactions_max, domains_max; /* RFC 9422; 0: not said */
};

enum smtp_reply_result {
	SMTP_REPLY_MORE,   /* not whole yet */
	SMTP_REPLY_DONE,   /* code, enhanced and text are set; *used octets belong to it */
	SMTP_REPLY_BROKEN, /* no SMTP reply, or larger than our limits: end the session */
};

/*
 * A reply as it comes in, octet by octet or all at once.  Memory is this struct, whatever the peer sends.  Lines may end in a
 * bare LF, which some servers do and which confuses nobody here.
 */
struct smtp_reply {
	unsigned	     code; /* 200..599 */
	struct smtp_enhanced enhanced;
	unsigned	     lines;
	size_t		     octets;
	size_t		     text_len;
	char		     text[SMTP_REPLY_TEXT_MAX]; /* printable; lines joined by a space, without codes */
	/* private */
	struct smtp_offers *offers;
	unsigned	    line_code;
	unsigned char	    column; /* within the code */
	bool		    last;
	unsigned short	    line_len;
	char		    line[SMTP_REPLY_LINE_MAX];
};

/* offers: where a reply to EHLO is understood into, else NULL; borrowed until the reply is done. */
void smtp_reply_begin(struct smtp_reply *r, struct smtp_offers *offers);
enum smtp_reply_result MUST_CHECK smtp_reply_feed(struct smtp_reply *r, struct span bytes, size_t *used);

#endif
