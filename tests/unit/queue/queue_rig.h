/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/queue/queue_rig.h - a shard on real files, small enough to be taken apart.
 *
 * One reactor for all; shards come and go on it.  The spool lies in memory where the machine has a place for that.
 * Every message has a text and an envelope that follow from a number (its seed), so that a message that
 * became another is seen.
 */
#ifndef TESTS_QUEUE_RIG_H
#define TESTS_QUEUE_RIG_H

#include <check.h>

#include "queue/queue.h"

enum { RIG_TURNS_MAX = 100000, RIG_RECIPIENTS = 2 };

struct rig {
	struct io_net	     *net;
	struct reactor	      reactor;
	struct queue	     *queue; /* NULL when none is open */
	struct queue_params   params; /* for the next rig_start() */
	char		      path[64], shard[80];
	int		      log;    /* descriptor the log goes to */
	unsigned	      descriptors; /* open when no shard is */
	bool		      in_memory; /* where the spool lies */
	bool		      recovered, closed;
	struct queue_recovery what;
	unsigned	      due;    /* times somebody was said to be due */
};

extern struct rig rig;

/* For a fixture: the reactor and an empty spool; nothing is open yet. */
void rig_open(void);
/* Closes what is open, checks that the memory budget is whole and no descriptor left, removes the spool. */
void rig_close(void);
void rig_begin(void); /* queue_open(); rig.recovered follows */
void rig_start(void); /* and the past is read */
void rig_stop(void);
void rig_restart(void);
void rig_turn(void);
void rig_turn_until(const bool *done);

/* Files of the shard, whole.  rig_read() gives a block that the caller frees. */
char *rig_read(const char *name, size_t *len);
void  rig_write(const char *name, const void *bytes, size_t len);
void  rig_remove(const char *name);
/* Names of its segments, ascending; returns how many (at most max). */
unsigned rig_segments(char names[][32], unsigned max);
/* The same of files kept to be written anew. */
unsigned rig_spares(char names[][32], unsigned max);

/* --- messages ------------------------------------------------------------------------------------------ */

struct rig_intake {
	struct queue_intake in;
	bool		    done, ready;
	int		    result;
	unsigned	    seed;
	size_t		    size, appended;
};

char rig_text(unsigned seed, size_t at);
/* Begins an intake; 0 or the error of queue_intake_open(). */
int rig_intake_open(struct rig_intake *s, unsigned seed, size_t size);
/* Appends what is left, waiting where it must; 0 or the error. */
int rig_intake_fill(struct rig_intake *s);
/* Commits; s->done follows. */
void rig_intake_commit(struct rig_intake *s, const struct queue_settlement *settle);
/* All of these, and waits: the result; *id is its name. */
int rig_try(unsigned seed, size_t size, struct id *id);
/* The same when nothing goes wrong. */
struct id rig_put(unsigned seed, size_t size);

/* Reads the message back and compares all of it.  0: as it was; else the error of the load, or -EBADMSG for a piece
 * that has changed.  Fails the test when it reads as something else. */
int rig_check(struct id id, unsigned seed, size_t size);

/* Takes a recipient and records an outcome. */
void rig_settle(struct id id, unsigned recipient, enum queue_state state, struct queue_ack *ack);
/* An act, and waits until it is on disk. */
void rig_act(struct id id, enum queue_act act);

/* --- chance -------------------------------------------------------------------------------------------- */

/* From $RINGPOST_SEED or the clock; printed, so that a failure can be run again. */
uint64_t rig_seed(const char *what);
uint64_t rig_chance(uint64_t *state);

#endif
