/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/live.h - one line on a terminal that tells how a run goes, written anew each second.
 *
 * The cores tell what happened in a second when it is over; a thread that does nothing else writes, since a terminal may
 * keep who writes to it waiting (a finger on control-S), and a core must not.  Nothing is written while the process is in
 * the terminal's background.
 */
#ifndef BENCH_LIVE_H
#define BENCH_LIVE_H

#include "bench/timeline.h"
#include "core/reactor.h"

struct live;

struct live_params {
	uint64_t start_ns;	      /* of the run, CLOCK_MONOTONIC */
	uint64_t warm_up_s, seconds;  /* seconds 0: no end by time */
	uint64_t messages;	      /* 0: no end by count */
};

/* NULL when standard error is no terminal, or there is no thread for it. */
struct live *live_begin(const struct live_params *params);
/* A core that tells of each second of its timeline. */
struct live_teller {
	struct live	  *live;
	struct reactor	  *reactor;
	struct timeline	  *timeline;
	struct wheel_timer second;
	unsigned	   told; /* steps that are known */
};

/* Begins to tell; not when live is NULL or no timeline is kept. */
void live_teller_begin(struct live_teller *teller, struct live *live, struct reactor *r, struct timeline *timeline);
/* Tells no more.  Harmless after all zero bytes. */
void live_teller_end(struct live_teller *teller);
/* Wipes the line.  Harmless for NULL. */
void live_end(struct live *live);

#endif
