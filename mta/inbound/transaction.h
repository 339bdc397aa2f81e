/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/inbound/transaction.h - one message on its way in: envelope, intake, and what its text has shown so far.  Memory comes
 * from one arena, charged to the core's budget; transaction_free() is the one reset.
 */
#ifndef MTA_INBOUND_TRANSACTION_H
#define MTA_INBOUND_TRANSACTION_H

#include "core/arena.h"
#include "core/budget.h"
#include "mta/inbound/answers.h"
#include "mta/smtp/command.h"
#include "mta/smtp/data.h"
#include "queue/queue.h"

struct transaction {
	struct queue_intake	intake; /* open while intake.state is not NULL */
	void		       *owner;	/* the session */
	struct budget	       *budget;
	uint64_t		charged; /* octets of budget taken */
	struct arena		arena;
	struct envelope		envelope;
	uint32_t	       *marks; /* a checksum of each recipient's address, to find doubles */
	uint32_t		capacity;
	struct smtp_data	data;
	struct smtp_header_scan header;
	uint64_t		announced;  /* SIZE=, 0: not said */
	uint64_t		octets;	    /* of text read, wanted or not */
	uint64_t		begun_ns;   /* the text */
	uint64_t		stalled_ns; /* of this, the peer waited for us */
	uint64_t		stalled_since_ns;
	uint8_t			refusal; /* enum server_answer; ANSWER_OK: the text is wanted, else read and dropped */
	bool			text_begun;
};

/* NULL: out of memory.  The sender is copied. */
struct transaction *transaction_new(void *owner, struct budget *budget, const struct smtp_command *mail);
void		    transaction_free(struct transaction *t);

/* Adds a recipient; the very same address twice is kept once.  hostname completes <Postmaster>. */
enum server_answer MUST_CHECK transaction_add(struct transaction *t, const struct smtp_command *rcpt,
					      struct span hostname, uint64_t recipients_max);

/* Which answer an error of the queue is. */
enum server_answer transaction_answer(int error);

#endif
