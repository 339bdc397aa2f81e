/* SPDX-License-Identifier: Apache-2.0 */
/* status: what runs and how it goes, of each core and in all.  metrics: every counter. */
#include <errno.h>

#include "mta/admin/admin_internal.h"

/* --- counters --------------------------------------------------------------------------------------------------- */

/* Any core may read another's counters (core/counter.h), and no core closes before the control socket has. */
static const struct counter_group *
group_of(struct reactor *r, const struct counter_row *rows)
{
	LIST_FOR_EACH(&r->counter_groups, node) {
		const struct counter_group *g = LIST_ENTRY(node, struct counter_group, node);

		if (g->rows == rows)
			return g;
	}
	return NULL;
}

static uint64_t
counter_named(struct reactor *r, const char *name)
{
	LIST_FOR_EACH(&r->counter_groups, node) {
		const struct counter_group *g = LIST_ENTRY(node, struct counter_group, node);

		for (unsigned i = 0; i < g->count; i++)
			if (strcmp(g->rows[i].name, name) == 0)
				return counter_get(&g->values[i]);
	}
	return 0;
}

static json_t *
values_of(struct mta *mta, const struct counter_row *rows, unsigned i)
{
	json_t *values = json_array();

	for (unsigned core = 0; core < mta->core_count; core++) {
		const struct counter_group *g = group_of(&mta->cores[core].reactor, rows);

		if (json_array_append_new(values, json_integer(g ? (json_int_t)counter_get(&g->values[i]) : 0)) < 0) {
			json_decref(values);
			return NULL;
		}
	}
	return values;
}

static void
metrics_next(struct request *r)
{
	struct mta *mta = r->mta;

	LIST_FOR_EACH(&mta->cores[0].reactor.counter_groups, node) {
		const struct counter_group *g = LIST_ENTRY(node, struct counter_group, node);

		for (unsigned i = 0; i < g->count; i++)
			reply_add(&r->reply, "metric",
				  json_pack("{s:s, s:s, s:s, s:o}", "name", g->rows[i].name, "type",
					    g->rows[i].kind == COUNTER_TOTAL ? "counter" : "gauge", "what",
					    g->rows[i].what, "values", values_of(mta, g->rows, i)));
	}
	request_end(r, json_pack("{s:s, s:I}", "version", mta->version, "started_ms", (json_int_t)mta->started_ms));
}

const struct verb verb_metrics = { .next = metrics_next };

/* --- status ----------------------------------------------------------------------------------------------------- */

/* Numbers that make sense added up, by their key. */
#define STATUS_NUMBERS(X)                                                                                             \
	X(sessions_in) X(sessions_out) X(messages) X(recipients_open) X(held) X(in_hand) X(waiting) X(away)           \
	X(destinations) X(destinations_down) X(damaged) X(segments) X(segment_octets) X(live_octets)                  \
	X(memory_used) X(memory_max)

struct numbers {
#define X(name) uint64_t name;
	STATUS_NUMBERS(X)
#undef X
};

struct status_state {
	unsigned       visits;
	struct numbers all;
	json_t	      *cores;
};

static struct numbers
numbers_of(struct mta_core *core, const struct queue_status *q)
{
	struct reactor *r = &core->reactor;

	return (struct numbers){
		.sessions_in = counter_named(r, "inbound_sessions"),
		.sessions_out = counter_named(r, "outbound_sessions"),
		.messages = q->messages,
		.recipients_open = q->recipients_open,
		.held = q->held,
		.in_hand = q->in_hand,
		.waiting = counter_named(r, "outbound_waiting_recipients"),
		.away = counter_named(r, "outbound_away_deliveries"),
		.destinations = counter_named(r, "outbound_destinations"),
		.destinations_down = counter_named(r, "outbound_destinations_down"),
		.damaged = counter_named(r, "queue_damaged_total"),
		.segments = q->segments,
		.segment_octets = q->segment_octets,
		.live_octets = q->live_octets,
		.memory_used = r->memory.used,
		.memory_max = r->memory.max,
	};
}

static void
add(struct numbers *all, const struct numbers *n)
{
#define X(name) all->name += n->name;
	STATUS_NUMBERS(X)
#undef X
}

static void
put(json_t *row, const struct numbers *n)
{
	/* A failure leaves a key out of what is a report to a human. */
#define X(name) (void)json_object_set_new(row, #name, json_integer((json_int_t)n->name));
	STATUS_NUMBERS(X)
#undef X
}

/* Why new mail is refused, or NULL. */
static const char *
refusal(const struct mta_core *core, const struct queue_status *q)
{
	if (core->stopping)
		return "shutting down";
	if (q->recovering)
		return "still reading its part of the queue";
	switch (q->refusing) {
	case 0:
		break;
	case -ENOSPC:
		return q->at_limit ? "the spool has reached spool.size_max"
				   : "the disk has less free space than spool.space_free_min";
	case -EIO:
		return "the disk failed";
	case -EBUSY:
		return "the queue is closing";
	default:
		return "the queue takes no mail";
	}
	return core->reactor.memory.used >= core->reactor.memory.max ? "the memory budget is used up" : NULL;
}

static void
status_work(struct request *r, struct mta_core *here)
{
	struct status_state *s = r->state;
	struct queue_status  q;
	struct numbers	     n;
	const char	    *why;
	json_t		    *row;

	queue_status(here->queue, &q);
	n = numbers_of(here, &q);
	add(&s->all, &n);
	why = refusal(here, &q);
	row = json_pack("{s:i, s:b, s:s?}", "core", (int)here->index, "recovering", (int)q.recovering, "refusing", why);
	put(row, &n);
	if (json_array_append_new(s->cores, row) < 0)
		request_fail(r, REQUEST_NO_MEMORY);
	request_return(r, here);
}

static void
status_next(struct request *r)
{
	struct status_state   *s = r->state;
	const struct mta_core *home = &r->mta->cores[0];
	const struct settings *settings = home->settings;
	json_t		      *row;
	char		       restart[400];

	if (s->visits == 0)
		s->cores = json_array();
	if (s->visits < r->mta->core_count) {
		request_visit(r, s->visits++);
		return;
	}
	row = json_pack("{s:s, s:o, s:I, s:I, s:s?, s:s, s:b, s:I, s:I}", "version", r->mta->version, "hostname",
			reply_text(settings->hostname), "now_ms", (json_int_t)(io_wall(home->reactor.io) / 1000000),
			"started_ms", (json_int_t)r->mta->started_ms, "settings", r->mta->settings_file, "digest",
			settings->digest, "stopping", (int)home->stopping, "sessions_max",
			(json_int_t)MIN_OF(settings->sessions_max, (uint64_t)r->mta->sessions_ceiling), "spool_max",
			(json_int_t)settings->spool_size_max_octets);
	if (settings_needing_restart(r->mta->started, settings, restart, sizeof(restart))[0])
		(void)json_object_set_new(row, "restart_needed", json_string(restart)); /* as in put() */
	put(row, &s->all);
	(void)json_object_set(row, "cores", s->cores); /* as in put() */
	reply_add(&r->reply, "status", row);
	request_end(r, json_object());
}

static void
status_fini(struct request *r)
{
	json_decref(((struct status_state *)r->state)->cores);
}

const struct verb verb_status = {
	.state_octets = sizeof(struct status_state),
	.next = status_next,
	.work = status_work,
	.fini = status_fini,
};
