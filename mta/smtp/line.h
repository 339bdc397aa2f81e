/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/smtp/line.h - where a command line ends.  Only CRLF ends one (RFC 5321 section 2.3.8): a lone CR or LF is part of a line
 * that is refused, lest we and another server disagree about what is a command.
 */
#ifndef MTA_SMTP_LINE_H
#define MTA_SMTP_LINE_H

#include "core/span.h"

/* Between two calls; all zero at the start and after each line. */
struct smtp_line_reader {
	uint32_t scanned; /* octets looked at already, so that a slow peer costs no second look */
	bool	 bare_lf;
	bool	 overlong; /* its front was dropped */
};

enum smtp_line_result {
	SMTP_LINE_OK,
	SMTP_LINE_MORE,	    /* no end yet; *used octets of an overlong line may be dropped */
	SMTP_LINE_TOO_LONG, /* 500 5.5.2; all of it is in *used */
	SMTP_LINE_BARE,	    /* a lone CR or LF inside: 500 5.5.2 */
	SMTP_LINE_NUL,	    /* a NUL inside: 500 5.5.2 */
};

/*
 * Takes one line off the front of bytes: *line without CRLF, *used with.  bytes must begin where the call before ended
 * (after its *used).  max counts octets with CRLF.  However long a line is, at most max octets of it need be kept.
 */
enum smtp_line_result MUST_CHECK smtp_line_next(struct smtp_line_reader *r, struct span bytes, size_t max,
						struct span *line, size_t *used);

#endif
