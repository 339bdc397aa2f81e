/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/report.h - the text of a delivery report: multipart/report (RFC 6522) of a human sentence, a delivery status
 * (RFC 3464; RFC 6533 where addresses need UTF-8) and what of the message is returned.  Pure.
 */
#ifndef MTA_OUTBOUND_REPORT_H
#define MTA_OUTBOUND_REPORT_H

#include "mta/outbound/outcome.h"
#include "queue/envelope.h"

enum report_action { REPORT_FAILED, REPORT_DELAYED, REPORT_RELAYED };

struct report_recipient {
	const struct envelope_recipient *recipient;
	const struct outcome		*outcome;
	enum report_action		 action;
	bool				 expired; /* FAILED because of age: status 4.4.7 */
};

struct report {
	const struct envelope	      *envelope; /* of the message it speaks of; its sender gets the report */
	struct id		       id;	 /* of the report */
	struct span		       hostname; /* ours */
	int64_t			       now_ms;
	int64_t			       retry_until_ms; /* when a delayed message expires */
	const struct report_recipient *recipients;
	unsigned		       count;
	struct span		       text;	 /* of the message, from its start: as much as is at hand */
	bool			       text_damaged; /* could not be read: nothing is returned */
	uint64_t		       text_max; /* octets of it that may be returned */
};

struct report_text {
	char  *data; /* the caller frees it */
	size_t len;
	uint32_t flags; /* enum envelope_flags that the report's own envelope needs */
};

/*
 * Writes the report.  0, or -ENOMEM and nothing.  What came from outside (addresses, words of peers) cannot end a line or
 * start a field: controls become spaces, runs of spaces one, what is no UTF-8 "?", and lines stay below 998 octets.
 *
 * The text is returned whole when the sender did not ask for headers only (RET=HDRS), a recipient has failed and all of it is at hand and
 * not longer than text_max; else its header section, cut at a line end.
 */
int MUST_CHECK report_write(const struct report *r, struct report_text *out);

#endif
