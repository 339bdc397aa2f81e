/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/live.h - one line on a terminal that tells how a run goes, written anew each second.
 *
 * The cores tell what happened in a second when it is over; a thread that does nothing else writes, since a terminal may
 * keep who writes to it waiting (a finger on control-S), and a core must not.
 */
#ifndef BENCH_LIVE_H
#define BENCH_LIVE_H

#include "bench/timeline.h"

struct live;

struct live_params {
	uint64_t start_ns;	      /* of the run, CLOCK_MONOTONIC */
	uint64_t warm_up_s, seconds;  /* seconds 0: no end by time */
	uint64_t messages;	      /* 0: no end by count */
};

/* NULL when standard error is no terminal, or there is no thread for it. */
struct live *live_begin(const struct live_params *params);
/* From a core: the last step of its timeline is over. */
void live_tell(struct live *live, const struct timeline *timeline);
/* Wipes the line.  Harmless for NULL. */
void live_end(struct live *live);

#endif
