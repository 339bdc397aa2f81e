/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/inbound/limits.h - the edges of the receiving side that no operator needs to move; those he does are in
 * mta/settings_table.h.  Each says its unit and what happens at it.
 */
#ifndef MTA_INBOUND_LIMITS_H
#define MTA_INBOUND_LIMITS_H

enum {
	LISTENER_PAUSE_MS = 500,     /* accepting rests so long after the process ran out of descriptors or memory */
	LISTENER_REFUSALS_MAX = 256, /* connections being told 421 on one core; more are closed without a word */
	SERVER_OCTETS = 1024,	     /* taken from the memory budget for a session; none left: 421 4.3.1 */
	SERVER_REPLIES_MAX = 16384,  /* octets of replies the peer has not taken; then its commands wait */
	SERVER_LINGER_MS = 2000,     /* after our last words the peer may take so long to hang up */
	SERVER_LOGGED_MAX = 100,     /* refusals logged of one session; the rest is counted in its last line */
	SERVER_RATE_AFTER_MS = 60000, /* the least rate of text counts from then on */
	SERVER_RATE_LOOK_MS = 5000,  /* between two looks at the rate */
	TRANSACTION_ARENA_MAX = 8 << 20, /* octets of envelope; beyond: 452 4.3.1 */
	TRANSACTION_HINT_MAX = 32 * 1024, /* octets of memory taken on the word of SIZE=; further ones as text comes */
	TRANSACTION_RECIPIENTS_FIRST = 4, /* room for so many at once; it doubles */
};

#endif
