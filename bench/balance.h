/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/balance.h - two ledgers against one another: does the account of the sender square with that of the sink?
 *
 * It is kept for each recipient of each message.  A recipient owed is one that the sender was
 * answered 250 for; a copy is one that the sink received.
 *   missing     owed, no copy, no report: lost (P1).  An error
 *   forbidden   a copy of a message that was refused or aborted, or for a recipient that was refused or never
 *		 named (P2).  An error
 *   altered     a copy whose size or checksum differs (P7).  An error
 *   broken      ledger lines that cannot be read.  An error
 *   duplicates  further copies of one that was there.  Excused are as many as there were copies which the sink
 *		 took and did not answer (RFC 5321 section 4.2.5); the rest must stay below
 *		 what the caller allows (the documented window of a crash)
 *   unknown     messages whose sender never heard the answer: they may have arrived or not
 *   reported    owed, no copy, but a delivery report came back instead
 *   strangers   copies with an id that this sender never used, or with none
 */
#ifndef BENCH_BALANCE_H
#define BENCH_BALANCE_H

#include "core/span.h"

struct balance {
	uint64_t accepted, refused, aborted, unknown; /* messages, by the sender's account */
	uint64_t owed;				      /* recipients of accepted messages */
	uint64_t copies;			      /* recipients of received messages */
	uint64_t delivered;			      /* owed and there, once or more */
	uint64_t missing, reported;
	uint64_t forbidden, altered, broken;
	uint64_t duplicates, duplicates_excused;
	uint64_t unknown_arrived, unknown_absent; /* messages */
	uint64_t strangers;
};

/* Called for each finding that is an error, and for each duplicate; text ends in no line end. */
typedef void balance_say(void *arg, const char *text);

/*
 * Both ledgers whole, as text; borrowed for the call.  Findings are given to say, at most
 * BALANCE_FINDINGS_MAX of each sort.  0, or -ENOMEM.
 */
enum { BALANCE_FINDINGS_MAX = 10 };
int MUST_CHECK balance_ledgers(struct span sent, struct span received, balance_say *say, void *arg,
			       struct balance *out);
/* Nothing missing, forbidden, altered or broken, and no more than so many unexcused duplicates. */
bool balance_holds(const struct balance *b, uint64_t duplicates_max);

#endif
