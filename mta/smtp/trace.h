/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/smtp/trace.h - the Received field that each server puts on top (RFC 5321 section 4.4, RFC 6531 section 3.7.3), and
 * the date of RFC 5322.
 */
#ifndef MTA_SMTP_TRACE_H
#define MTA_SMTP_TRACE_H

#include "core/endpoint.h"
#include "mta/smtp/limits.h"

enum {
	SMTP_DATE_MAX = 32,   /* octets of a date with its NUL */
	SMTP_TRACE_MAX = 2048, /* octets of a Received field */
};

#define SMTP_SECONDS_MAX INT64_C(253402300799) /* the last of the year 9999 */

/* "Tue, 24 Nov 2026 11:53:17 +0000"; writes a NUL; returns buffer.  What is before 1970 or behind 9999 is shown as the
 * first or the last second of them. */
const char *smtp_date(int64_t seconds, char buffer[static SMTP_DATE_MAX]);

struct smtp_trace {
	struct span		helo;	  /* as the client gave it */
	const struct endpoint  *client;
	struct span		hostname; /* ours */
	bool			esmtp, utf8;
	const char	       *id;	  /* of the message */
	struct span		recipient; /* when there is just one: empty else, lest blind copies show */
	int64_t			seconds;
};

/*
 * The whole field, folded, ending in CRLF; returns its octets.  Nothing from outside can end a line or leave its place in the
 * field: octets that could become "?".
 */
size_t smtp_trace_write(const struct smtp_trace *t, char buffer[static SMTP_TRACE_MAX]);

#endif
