/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/text.h - a message text as a sink accounts for it: found by its id field, counted and summed from there on.
 *
 * Trace fields that relays put in front are skipped: the account begins with the first line of the header
 * that is the id field (bench/ledger.h).  When the header has none the whole text counts.  Text comes in
 * pieces of any size; only an undecided header is copied, at most TEXT_HEADER_MAX of it.  The time that the
 * sender put behind the id (bench/message.h) is read on the way.
 */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include "bench/ledger.h"
#include "bench/message.h"

enum { TEXT_HEADER_MAX = 256 * 1024 };

struct text_account {
	uint64_t size;
	uint32_t crc;
	bool	 decided; /* id found, or there is none */
	unsigned id_len;  /* 0: none */
	char	 id[MESSAGE_ID_MAX];
	uint64_t time_ns; /* from when its latency counts, on this machine's monotonic clock; 0: not said */
	struct ledger_text undecided;
	size_t	 scanned; /* of undecided: begin of the first line not looked at */
};

/* All zero bytes are a new account. */
void text_feed(struct text_account *a, struct span bytes);
/* No more text; then id, time, size and crc are final. */
void text_end(struct text_account *a);
/* As new; gives memory back. */
void text_reset(struct text_account *a);

/*
 * A delivery report (RFC 3464) about a bench message: id of the message it returns, and the recipients it gives
 * up (Action: failed) as a ledger's list in *recipients, which the caller frees.  False when it is none.
 */
bool text_report_parse(struct span text, struct span *id, struct ledger_text *recipients);

#endif
