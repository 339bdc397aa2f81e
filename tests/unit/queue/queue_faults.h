/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/queue/queue_faults.h - operations on a shard's files that fail when they are told to, and a clock
 * that is put forward.  The linker puts the operations of the seam through here (--wrap); what is not durable passes: the
 * log has its own troubles.
 */
#ifndef TESTS_QUEUE_FAULTS_H
#define TESTS_QUEUE_FAULTS_H

#include "tests/unit/queue/queue_rig.h"

enum fault {
	FAULT_NOTHING,
	FAULT_ERROR,	/* -EIO and nothing done */
	FAULT_NO_SPACE, /* -ENOSPC and nothing done */
	FAULT_LIE,	/* a write or rename is done, and then -EIO */
	FAULT_NO_DESCRIPTOR, /* -EMFILE and nothing done */
	FAULT_SHORT,	/* half a piece is written and no error; others -EIO */
	FAULT_CUT,	/* the first write does some of its blocks, nothing else is done: as when the power goes; -EIO */
};

struct faults {
	unsigned   at;	    /* the at-th operation from now fails; 0: none */
	bool	   stays;   /* and all after it */
	enum fault kind;
	unsigned   count;   /* operations seen */
	unsigned   quarters; /* of a FAULT_CUT: how much of the write is done */
	bool	   happened;
	int64_t	   space_free; /* on the file system, as far as the shard can see */
	uint64_t   bad_from, bad_to; /* offsets at which no file can be read: bad_error */
	int	   bad_error; /* -EIO, unless told otherwise */
	/* What became of names, in order: '-' and the number of a segment when it was unlinked, '=' when a sync of the
	 * directory ended. */
	char	   names[4096];
	unsigned   names_len;
};

extern struct faults faults;

enum { PATIENCE = 50000 };

void faults_reset(void);
void heal(void);
/* A turn, in which a tenth of a second seems to pass. */
void turn_and_forward(void);
void wait_for_mail(void); /* until the shard refuses no more */
void stop_patiently(void);

#endif
