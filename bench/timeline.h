/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/timeline.h - a run second by second: how much was done, what went wrong, how long it took.
 *
 * The second that runs has a whole histogram; when it is over, its slots in use are kept (histogram_pack()).  Memory is
 * bounded by TIMELINE_STEPS_MAX: when so many seconds are full, neighbours are put together and each step is twice as
 * long from then on, so a night is told in steps of some seconds.  One writer; the timelines of the cores, begun at
 * one time, are added up afterwards.
 */
#ifndef BENCH_TIMELINE_H
#define BENCH_TIMELINE_H

#include "bench/histogram.h"

enum { TIMELINE_STEPS_MAX = 3600 };

struct timeline_step {
	uint64_t messages, octets, errors;
	uint64_t sessions; /* open at its end */
	unsigned slot_count;
	struct histogram_slot *slots; /* of the latencies */
};

struct timeline {
	uint64_t	      start_ns; /* of the first step; 0: no timeline is kept */
	uint64_t	      until_ns; /* end of the step that runs */
	unsigned	      width_s;	/* of a step */
	unsigned	      count;	/* steps that are over */
	struct timeline_step *steps;	/* room for TIMELINE_STEPS_MAX */
	struct timeline_step  now;	/* the step that runs; its slots are in latency */
	struct histogram      latency;
};

/* All zero bytes are a timeline that keeps nothing.  Without memory it stays so. */
void timeline_begin(struct timeline *t, uint64_t start_ns);
void timeline_free(struct timeline *t);

/* Private: ends the steps that are over at now_ns. */
void timeline_step(struct timeline *t, uint64_t now_ns);

/* The step of now_ns, to count in; times must not go back by more than the steps do. */
static inline struct timeline_step *
timeline_at(struct timeline *t, uint64_t now_ns)
{
	if (UNLIKELY(now_ns >= t->until_ns))
		timeline_step(t, now_ns);
	return &t->now;
}

/* A message was done; latency_ns 0: not known. */
static inline void
timeline_message(struct timeline *t, uint64_t now_ns, uint64_t octets, uint64_t latency_ns)
{
	struct timeline_step *step = timeline_at(t, now_ns);

	step->messages++;
	step->octets += octets;
	if (latency_ns)
		histogram_add(&t->latency, latency_ns);
}

static inline void
timeline_error(struct timeline *t, uint64_t now_ns)
{
	timeline_at(t, now_ns)->errors++;
}

static inline void
timeline_sessions(struct timeline *t, uint64_t now_ns, int more)
{
	timeline_at(t, now_ns)->sessions += (uint64_t)(int64_t)more;
}

/* No more comes: the step that runs ends too. */
void timeline_end(struct timeline *t, uint64_t now_ns);
/* Both ended, or to empty.  Sums of what happened at the same time. */
void timeline_merge(struct timeline *to, const struct timeline *from);
/* A JSON array: [{"s": 0, "messages": ..., ...}, ...]. */
void timeline_print(FILE *to, const struct timeline *t);

#endif
