/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/limits.h - the edges of a shard.  What an operator may change is in struct queue_params.
 */
#ifndef QUEUE_LIMITS_H
#define QUEUE_LIMITS_H

enum {
	QUEUE_RECIPIENTS_MAX = 10000, /* of a message; settings allow no transaction more */
	QUEUE_PIECE_OCTETS = 256 * 1024, /* of a large text, written while it comes */
	QUEUE_PIECES_IN_FLIGHT = 2,   /* of one intake; then append() says -EAGAIN */
	QUEUE_BATCH_OCTETS = 1 << 20, /* a batch that is larger takes no more; the next one gathers */
	QUEUE_BATCH_PARTS = 1000,     /* iovecs of a batch: the kernel takes 1024 */
	QUEUE_RESERVE_PART = 8,	      /* of a segment: kept for results while no other is to be had; mail: 452 */
	QUEUE_RESULT_DELAY_MS = 10,   /* a result waits so long for company */
	QUEUE_CURE_FIRST_MS = 1000,   /* pause before the disk is tried again; doubles */
	QUEUE_CURE_MAX_MS = 60000,
	QUEUE_WAIT_MAX_MS = 14 * 24 * 3600 * 1000, /* a message due later is shown after this: a clock was wrong */
	QUEUE_SPACE_CHECK_MS = 1000,  /* between looks at the free space */
	QUEUE_SPARES_KEPT = 2,	      /* segments done with, kept to be written anew; others are removed */
	QUEUE_FILL_OCTETS = 256 * 1024, /* of zeros that a fresh segment is filled with, at a time */
	QUEUE_READ_OCTETS = 1 << 20,  /* of the past at a time */
};

#endif
