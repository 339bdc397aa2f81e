/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A position is a number of messages; the time at which the run has come so far follows from it without adding up, so
 * nothing drifts.  While the rate grows from 0 to R in S seconds, R t^2 / 2S messages are due by t, then R S / 2 + R (t - S).
 */
#include "bench/pace.h"

#include <math.h>

#include "bench/chance.h"

static double
time_s(const struct pace_params *p, double position)
{
	if (position < p->rate * p->ramp_s / 2)
		return sqrt(2 * position * p->ramp_s / p->rate);
	return p->ramp_s / 2 + position / p->rate;
}

/* To the next arrival, in messages of the whole run. */
static double
gap(const struct pace *p)
{
	double chance;

	if (p->params.arrivals == PACE_CONSTANT)
		return p->params.core_count;
	chance = chance_fraction(chance_of(p->params.seed, CHANCE_ARRIVAL + p->params.core, p->count));
	return -log(1 - chance) * p->params.core_count;
}

static void
due_set(struct pace *p)
{
	p->due_ns = p->start_ns + (uint64_t)(time_s(&p->params, p->position) * 1e9);
}

void
pace_begin(struct pace *p, const struct pace_params *params, uint64_t start_ns)
{
	*p = (struct pace){ .start_ns = start_ns, .params = *params };
	p->position = params->arrivals == PACE_CONSTANT ? params->core : gap(p);
	due_set(p);
}

void
pace_next(struct pace *p)
{
	p->count++;
	p->position += gap(p);
	due_set(p);
}
