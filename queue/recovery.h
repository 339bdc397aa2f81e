/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/recovery.h - reading the past of one shard (docs/queue-format.md, section 7).  Private to queue/.
 *
 *	recovery.c  the files: opened and read
 *	scan.c	    taken apart into records
 *	replay.c    what the records say
 */
#ifndef QUEUE_RECOVERY_H
#define QUEUE_RECOVERY_H

#include "queue/queue_internal.h"

enum recovery_step {
	RECOVERY_SYNCING_SPOOL,
	RECOVERY_SYNCING_SHARD,
	RECOVERY_OPENING,  /* first pass, for each segment: */
	RECOVERY_BEGINNING, /* its first blocks are read */
	RECOVERY_SYNCING,  /* second pass, for each segment: */
	RECOVERY_READING,
	RECOVERY_SCANNING,
	RECOVERY_ENTERING, /* the messages that are alive get their timers */
	RECOVERY_ENDING,   /* the segment that was in use gets its end */
};

struct recovery {
	struct queue	      *q;
	struct io_op	       op;
	struct wheel_timer     go_on;
	enum recovery_step     step;
	uint64_t	      *numbers; /* of the segments found, ascending */
	unsigned	       count, cap, at;
	bool		       cancelled, no_memory;
	struct queue_segment  *segment; /* being opened or read */
	char		      *bytes;	/* of the whole segment */
	uint64_t	       size, got; /* octets wanted and there */
	unsigned	       chunk;	/* octets to ask for at a time */
	unsigned	       bad_blocks; /* of this segment: cannot be read */
	uint64_t	       place, last_lsn, lsn_max;
	uint64_t	       sound_to;   /* where the last sound record ends */
	uint64_t	       reach;	   /* where the last one with a sound header ends, whatever is in it */
	uint64_t	       doubt_from; /* from here to place: nothing sound; what follows tells torn from damage */
	uint64_t	       trace_to;   /* how far what is in doubt looks like records that were being written; 0: nowhere */
	bool		       in_use, ended; /* the segment has records; and its END */
	/* The last segment that has records, when it has no END: it was in use.  From `open_from` on nothing was
	 * acknowledged; torn_octets of it look like a batch that was on its way, and no reader takes what stands before
	 * open_reach for the beginning of a record. */
	struct queue_segment  *open;
	uint64_t	       open_from, open_reach, torn_octets;
	uint64_t	       cursor, overdue; /* while entering; messages that were due before */
	uint64_t	       begun_ns;
	struct arena	       arena;
	struct queue_recovery  what;
	char		       first[2 * RECORD_BLOCK];
	struct iovec	       iov;
};

#define RECOVERY_NO_DOUBT UINT64_MAX

/* Some records of the segment that has been read; true when it is at its end. */
bool recovery_scan(struct recovery *v);
/* Counts and reports octets of a segment that cannot be understood; the segment is kept from now on. */
void recovery_damage(struct recovery *v, struct queue_segment *segment, uint64_t at, uint64_t octets,
		     const char *what);
/* A sound record of v->segment, in the order of lsn. */
void replay_record(struct recovery *v, const struct record_header *h, struct span payload, uint64_t at);
/* Looks at `slice` places of the index: messages begin to wait, those without all their text are set aside.  True while
 * there is more. */
bool replay_enter(struct recovery *v, unsigned slice);
/* All is entered: which segments must outlive which. */
void replay_end(struct recovery *v);

#endif
