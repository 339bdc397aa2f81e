/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/pace.h - when messages are due in open loop: times in order, without end, made as they are asked for.
 *
 * Each core of a run has a pace of its own; together they make the rate.  Constant arrivals interleave, so message n of
 * the run is due at n / rate.  Poisson arrivals are independent, and so is their sum: gaps are what a crowd of
 * senders who do not know of one another leaves, and the same seed leaves the same.  During a ramp the rate grows in a straight
 * line from nothing.
 *
 * Pure: no clock.
 */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include "core/base.h"

enum pace_arrivals { PACE_CONSTANT, PACE_POISSON };

struct pace_params {
	double		   rate; /* messages a second, all cores */
	double		   ramp_s;
	enum pace_arrivals arrivals;
	uint64_t	   seed;
	unsigned	   core, core_count;
};

struct pace {
	uint64_t	   due_ns; /* of the next message */
	uint64_t	   start_ns;
	uint64_t	   count;  /* messages before it */
	double		   position; /* of it: the run's message number, in fractions when arrivals are by chance */
	struct pace_params params;
};

void pace_begin(struct pace *p, const struct pace_params *params, uint64_t start_ns);
/* The next message is taken: due_ns is then the time of the one behind it. */
void pace_next(struct pace *p);

#endif
