/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/ledger.h - what was sent and what arrived, one line of text for each message, so that two ledgers can be
 * balanced: nothing answered 250 may be missing, nothing else may arrive, nothing may change.
 *
 * A line is a word and keys in any order, separated by single spaces:
 *
 *	accepted id=5d0c93aa-17 size=4096 crc=8f3a01bc code=250 queue=01jd... rcpt=a@x.example,b@x.example
 *
 * Lines of a sender, one for each message it began:
 *	accepted  250 to the end of data.  rcpt: those that were accepted; refused: those that were not
 *	refused   MAIL, every RCPT, DATA or the end of data was answered 4xx or 5xx; at says which
 *	aborted   the connection broke before the end of data was sent; at says where
 *	unknown   the connection broke after the end of data was sent and before its answer came
 *
 * Lines of a sink:
 *	received  the message is ours; written before its 250 is sent.  answered=no: the connection was
 *		  closed instead of answering (--close-at answer), so a second copy is nobody's fault
 *	rejected  the end of data was answered 4xx or 5xx with `code`
 *	reported  a delivery report (RFC 3464) came that gives up message id for the recipients in rcpt
 *
 * Keys: id, size (octets), crc (CRC-32C, eight hex digits), code, queue (the name that the server gave the message),
 * from, rcpt, refused, at (banner, ehlo, mail, rcpt, data, body, dot), answered, file, time
 * (milliseconds since 1970).  Addresses are separated by commas; octets that are not printable ASCII, and
 * comma, space and percent, are written %XX.  Lines that begin with # and empty lines say nothing;
 * unknown keys are ignored.  Several runs may share one file, since ids differ.
 *
 * What is counted: a bench message begins with the field X-Ringpost-Bench-Id; size and crc are those of the
 * text from this field to its end, undone of dot-stuffing, so the trace fields that a relay puts in
 * front change neither.  A message without that field has id=- and is counted whole.
 */
#ifndef BENCH_LEDGER_H
#define BENCH_LEDGER_H

#include "core/span.h"

#define LEDGER_LINES(X)                                                                            \
	X(ACCEPTED, "accepted")                                                                    \
	X(REFUSED, "refused")                                                                      \
	X(ABORTED, "aborted")                                                                      \
	X(UNKNOWN, "unknown")                                                                      \
	X(RECEIVED, "received")                                                                    \
	X(REJECTED, "rejected")                                                                    \
	X(REPORTED, "reported")

enum ledger_kind {
#define X(id, word) LEDGER_##id,
	LEDGER_LINES(X)
#undef X
	LEDGER_KIND_COUNT
};

struct ledger_line {
	enum ledger_kind kind;
	struct span	 id;
	uint64_t	 size;
	uint32_t	 crc;
	unsigned	 code; /* 0: none */
	bool		 unanswered;
	struct span	 queue, from, rcpt, refused, at, file;
	int64_t		 time_ms;
};

enum ledger_result {
	LEDGER_OK,
	LEDGER_SKIP,   /* comment or empty line */
	LEDGER_BROKEN, /* not a ledger line: a torn write, or another file */
};

/* One line without its line end; the spans point into text. */
enum ledger_result MUST_CHECK ledger_parse(struct span text, struct ledger_line *out);
const char *ledger_kind_word(enum ledger_kind kind);

/* Takes the next address off *list, still escaped; false when there is none. */
bool ledger_next_address(struct span *list, struct span *address);

/* --- writing ---------------------------------------------------------------------------------- */

/* Text that grows on the heap.  Without memory the program ends: a ledger with a hole accuses the wrong. */
struct ledger_text {
	char  *data;
	size_t len, cap;
};

void ledger_put(struct ledger_text *t, struct span raw);
void ledger_put_uint(struct ledger_text *t, uint64_t n);
/* " key=" and the value, escaped. */
void ledger_put_key(struct ledger_text *t, const char *key, struct span value);
void ledger_put_key_uint(struct ledger_text *t, const char *key, uint64_t n);
/* One address of a list, escaped, with a comma in front unless it is the first. */
void ledger_put_address(struct ledger_text *t, bool first, struct span address);
/* "accepted id=... size=... crc=...": the beginning of each line. */
void ledger_put_begin(struct ledger_text *t, enum ledger_kind kind, struct span id, uint64_t size,
		      uint32_t crc);
/* " time=..." and the line end. */
void ledger_put_end(struct ledger_text *t, int64_t wall_ns);

#endif
