/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry, hold, release, delete: of messages that are named, or of all that fit a filter.
 *
 * A step acts on some hundreds of messages and is over when the disk has it; so what a client has been told of stays
 * done, and waiting for the disk costs little of a long sweep.  An act is on the whole message, whichever of its
 * recipients the filter fits.  Each is in the log, with the user who asked for it.
 */
#include "mta/admin/admin_internal.h"
#include "mta/admin/sweep.h"
#include "mta/outbound/outbound.h"

struct act_state {
	struct sweep sweep;
	bool	    *found; /* of the ids that were named, NULL when none were */
	unsigned     visits;  /* cores */
	bool	     arrived; /* at this one, before */
	uint64_t     done, failed;
	uint64_t     held; /* of those retried: not due before they are released */
	unsigned     waiting; /* acts the disk does not have yet */
};

struct act {
	struct queue_ack  ack;
	struct act_state *state;
	struct id	  id; /* the message may be gone when the disk answers */
};

static const struct {
	enum queue_act act;
	const char    *event; /* of the log */
} acts[ASK_VERB_COUNT] = {
	[ASK_RETRY] = { QUEUE_RETRY, "retried" },
	[ASK_HOLD] = { QUEUE_HOLD, "held" },
	[ASK_RELEASE] = { QUEUE_RELEASE, "released" },
	[ASK_DELETE] = { QUEUE_DELETE, "deleted" },
};

/* --- there ------------------------------------------------------------------------------------------------------ */

static void
one_less(struct act_state *s)
{
	if (--s->waiting == 0)
		request_return(s->sweep.request, s->sweep.here);
}

static void
on_disk(struct queue_ack *ack, int result)
{
	struct act	     *act = CONTAINER_OF(ack, struct act, ack);
	struct act_state     *s = act->state;
	const struct request *r = s->sweep.request;

	if (result < 0) {
		s->failed++;
	} else {
		s->done++;
		log_info(s->sweep.here->reactor.log, acts[r->ask.verb].event, LOG_ID("id", act->id),
			 LOG_INT("user", r->user));
	}
	free(act);
	one_less(s);
}

/* Of named messages that counts as done, of others not: nobody asked for them. */
static bool
is_so_already(const struct queue_message *m, enum ask_verb verb)
{
	return (verb == ASK_HOLD && m->held) || (verb == ASK_RELEASE && !m->held);
}

static void
take(struct sweep *sweep, struct queue_message *m, const struct envelope *e)
{
	struct request	 *r = sweep->request;
	struct act_state *s = r->state;
	struct act	 *act;

	(void)e;
	for (unsigned i = 0; s->found && i < r->ask.id_count; i++)
		if (id_equal(m->id, r->ask.ids[i]))
			s->found[i] = true;
	if (is_so_already(m, r->ask.verb)) {
		s->done += s->found != NULL;
		return;
	}
	act = malloc(sizeof(*act));
	if (act == NULL) {
		request_fail(r, REQUEST_NO_MEMORY);
		return;
	}
	act->ack.done = on_disk;
	act->state = s;
	act->id = m->id;
	s->waiting++;
	s->held += r->ask.verb == ASK_RETRY && m->held;
	queue_act(sweep->here->queue, m, acts[r->ask.verb].act, &act->ack);
}

static void
step_done(struct sweep *sweep, struct mta_core *here)
{
	(void)here;
	one_less(sweep->request->state);
}

static void
act_work(struct request *r, struct mta_core *here)
{
	struct act_state   *s = r->state;
	struct queue_status status;

	queue_status(here->queue, &status);
	if (here->stopping)
		request_fail(r, REQUEST_STOPPING);
	else if (status.recovering)
		request_fail(r, "recovering", "a core is still reading its part of the queue; try again soon");
	if (r->ended) {
		request_return(r, here);
		return;
	}
	if (r->ask.verb == ASK_RETRY && !s->arrived)
		outbound_end_pauses(here->outbound);
	s->arrived = true;
	s->waiting = 1; /* the step's own */
	sweep_step(&s->sweep, here);
}

/* --- home ------------------------------------------------------------------------------------------------------- */

static bool
begin(struct request *r, struct act_state *s)
{
	s->sweep.request = r;
	s->sweep.take = take;
	s->sweep.done = step_done;
	s->sweep.filter = &r->ask.filter;
	s->sweep.places = ADMIN_ACT_PLACES;
	s->sweep.messages = ADMIN_ACTS;
	s->sweep.named = r->ask.id_count > 0;
	if (s->sweep.named)
		s->found = calloc(r->ask.id_count, sizeof(*s->found));
	return !s->sweep.named || s->found;
}

static bool
next_core(struct request *r, struct act_state *s)
{
	sweep_reset(&s->sweep);
	s->arrived = false;
	for (unsigned i = 0; i < r->ask.id_count; i++)
		if (!s->found[i] && !sweep_name(&s->sweep, r->ask.ids[i]))
			return false;
	request_visit(r, s->visits++);
	return true;
}

static void
finish(struct request *r, struct act_state *s)
{
	uint64_t unknown = 0;
	json_t	*end;
	char	 text[ID_TEXT_LEN + 1];

	for (unsigned i = 0; i < r->ask.id_count; i++) {
		if (s->found[i])
			continue;
		unknown++;
		reply_add(&r->reply, "unknown", json_pack("{s:s}", "id", id_format(r->ask.ids[i], text)));
	}
	end = json_pack("{s:I, s:I, s:I}", "done", (json_int_t)s->done, "unknown", (json_int_t)unknown, "failed",
			(json_int_t)s->failed);
	if (r->ask.verb == ASK_RETRY)
		(void)json_object_set_new(end, "held", json_integer((json_int_t)s->held));
	request_end(r, end);
}

static void
act_next(struct request *r)
{
	struct act_state *s = r->state;
	bool		  good = true;

	if (s->visits == 0)
		good = begin(r, s) && next_core(r, s);
	else if (!sweep_over(&s->sweep))
		request_visit(r, r->at);
	else if (s->visits < r->mta->core_count)
		good = next_core(r, s);
	else
		finish(r, s);
	if (!good)
		request_fail(r, REQUEST_NO_MEMORY);
}

static void
act_fini(struct request *r)
{
	struct act_state *s = r->state;

	sweep_fini(&s->sweep);
	free(s->found);
}

const struct verb verb_act = {
	.state_octets = sizeof(struct act_state),
	.next = act_next,
	.work = act_work,
	.fini = act_fini,
};
