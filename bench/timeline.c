/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps end when somebody looks, not by a timer: an event asks for the step of its time, and those that went by without
 * one are empty.  Steps without memory for their slots keep their counts; their percentiles are then 0.
 */
#include "bench/timeline.h"

#include <inttypes.h>

#define SECOND_NS UINT64_C(1000000000)

void
timeline_begin(struct timeline *t, uint64_t start_ns)
{
	t->steps = calloc(TIMELINE_STEPS_MAX, sizeof(*t->steps));
	t->until_ns = UINT64_MAX;
	if (!t->steps)
		return;
	t->start_ns = start_ns;
	t->width_s = 1;
	t->until_ns = start_ns + SECOND_NS;
}

void
timeline_free(struct timeline *t)
{
	for (unsigned i = 0; i < t->count; i++)
		free(t->steps[i].slots);
	free(t->steps);
	*t = (struct timeline){ 0 };
}

/* Adds what happened in `from`; sessions are a level and the caller's affair. */
static void
step_add(struct timeline_step *to, const struct timeline_step *from)
{
	struct histogram_slot *slots = to->slots;

	to->messages += from->messages;
	to->octets += from->octets;
	to->errors += from->errors;
	to->slots = histogram_packed_add(slots, to->slot_count, from->slots, from->slot_count, &to->slot_count);
	free(slots);
}

static void
steps_double(struct timeline *t)
{
	unsigned half = t->count / 2;

	for (unsigned i = 0; i < half; i++) {
		struct timeline_step pair = t->steps[2 * i];

		step_add(&pair, &t->steps[2 * i + 1]);
		pair.sessions = t->steps[2 * i + 1].sessions;
		free(t->steps[2 * i + 1].slots);
		t->steps[i] = pair;
	}
	if (t->count % 2)
		t->steps[half] = t->steps[t->count - 1];
	t->count = half + t->count % 2;
	t->width_s *= 2;
}

static void
step_over(struct timeline *t)
{
	struct timeline_step *over;

	if (t->count == TIMELINE_STEPS_MAX) { /* the step that runs becomes longer too */
		steps_double(t);
		goto next;
	}
	over = &t->steps[t->count++];
	*over = t->now;
	over->slots = histogram_pack(&t->latency, &over->slot_count);
	t->latency = (struct histogram){ 0 };
	t->now = (struct timeline_step){ .sessions = over->sessions };
next:
	t->until_ns = t->start_ns + ((uint64_t)t->count + 1) * t->width_s * SECOND_NS;
}

void
timeline_step(struct timeline *t, uint64_t now_ns)
{
	if (!t->start_ns) {
		t->until_ns = UINT64_MAX;
		return;
	}
	while (now_ns >= t->until_ns)
		step_over(t);
}

void
timeline_end(struct timeline *t, uint64_t now_ns)
{
	if (!t->start_ns)
		return;
	timeline_step(t, now_ns);
	if (t->count == TIMELINE_STEPS_MAX)
		step_over(t);
	step_over(t);
}

void
timeline_merge(struct timeline *to, const struct timeline *from)
{
	if (!from->start_ns)
		return;
	if (!to->start_ns)
		timeline_begin(to, from->start_ns);
	if (!to->start_ns)
		return;
	while (to->width_s < from->width_s)
		steps_double(to);
	for (unsigned i = 0; i < from->count; i++) {
		unsigned at = i * from->width_s / to->width_s;

		if (at == to->count)
			to->steps[to->count++] = (struct timeline_step){ 0 };
		step_add(&to->steps[at], &from->steps[i]);
		/* Of several short steps inside one long step the last one has the level. */
		if ((i + 1) * from->width_s % to->width_s == 0 || i + 1 == from->count)
			to->steps[at].sessions += from->steps[i].sessions;
	}
}

void
timeline_print(FILE *to, const struct timeline *t)
{
	static struct histogram latency;

	(void)fputc('[', to);
	for (unsigned i = 0; i < t->count; i++) {
		const struct timeline_step *s = &t->steps[i];

		latency = (struct histogram){ 0 };
		if (s->slots)
			histogram_unpack(&latency, s->slots, s->slot_count);
		(void)fprintf(to, "%s{\"s\": %u, \"messages\": %" PRIu64 ", \"octets\": %" PRIu64 ", \"errors\": %" PRIu64
			      ", \"sessions\": %" PRIu64 ", \"p50_us\": %.1f, \"p99_us\": %.1f}",
			      i ? ", " : "", i * t->width_s, s->messages, s->octets, s->errors, s->sessions,
			      (double)histogram_percentile(&latency, 50) / 1e3,
			      (double)histogram_percentile(&latency, 99) / 1e3);
	}
	(void)fputc(']', to);
}
