/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/mailboxes.h - from whom and to whom messages go: mailboxes made from a pattern, their domains drawn from weighted
 * lists where there are some (bench/weighted.h).
 *
 * What is drawn for a recipient of a message follows from the seed and the two numbers alone, so it is asked for again,
 * by the ledger, rather than kept.  Made once, then only read: all cores share it.
 */
#ifndef BENCH_MAILBOXES_H
#define BENCH_MAILBOXES_H

#include "bench/message.h"
#include "bench/weighted.h"

struct mailboxes_params {
	const char *from;	  /* reverse-path */
	const char *rcpt;	  /* %d is replaced by a number below pool */
	const char *from_domains; /* file; NULL: the domain of `from` */
	const char *rcpt_domains; /* file; NULL: the domain of `rcpt` */
	uint64_t    recipients;	  /* of a message */
	uint64_t    pool;	  /* at least recipients: a message names a mailbox once */
	uint64_t    seed;
};

struct mailboxes {
	struct mailboxes_params params;
	struct weighted from_domains, rcpt_domains;
	struct span from_local; /* whole when no domains are drawn */
	struct span rcpt_before, rcpt_after; /* around the number, of the local part when domains are drawn */
	bool numbered;
};

/* 0, or -errno with why.  The texts of params are borrowed. */
int MUST_CHECK mailboxes_open(struct mailboxes *m, const struct mailboxes_params *params,
			      char why[static WEIGHTED_WHY_MAX]);
void mailboxes_free(struct mailboxes *m);

/* The reverse-path of message n, and its i-th recipient; in room, or borrowed from m. */
struct span mailboxes_from(const struct mailboxes *m, uint64_t n, char room[static MESSAGE_ADDRESS_MAX]);
struct span mailboxes_recipient(const struct mailboxes *m, uint64_t n, uint64_t i,
				char room[static MESSAGE_ADDRESS_MAX]);

#endif
