/* SPDX-License-Identifier: Apache-2.0 */
/* destinations: the next hops and what ails them.  reload: the settings read anew. */
#include "mta/admin/admin_internal.h"
#include "mta/lifecycle.h"
#include "mta/outbound/outbound.h"

/* --- destinations ----------------------------------------------------------------------------------------------- */

struct next_hop {
	uint64_t weight; /* what an operator wants to see first: down, then with most mail */
	json_t	*row;
};

struct look_state {
	struct request	*request;
	unsigned	 core, visits;
	uint64_t	 matching;
	struct next_hop *hops; /* the heaviest so far, heaviest first */
	size_t		 count, cap, limit;
};

static json_t *
row_of(const struct outbound_destination_status *d, unsigned core)
{
	return json_pack("{s:o, s:i, s:i, s:i, s:i, s:i, s:o, s:o}", "name", reply_text(d->name), "core", (int)core,
			 "waiting", (int)d->waiting, "in_flight", (int)d->in_flight, "sessions", (int)d->sessions,
			 "sessions_max", (int)d->session_max, "down_until_ms", reply_time(d->down_until_ms), "trouble",
			 d->why.len ? reply_text(d->why) : json_null());
}

static bool
make_room(struct look_state *s)
{
	size_t		 cap = MIN_OF(s->cap ? s->cap * 2 : 64, s->limit);
	struct next_hop *grown;

	if (s->count == s->limit)
		json_decref(s->hops[--s->count].row);
	if (s->count < s->cap)
		return true;
	grown = realloc(s->hops, cap * sizeof(*grown));
	if (grown == NULL)
		return false;
	s->hops = grown;
	s->cap = cap;
	return true;
}

static void
show(void *arg, const struct outbound_destination_status *d)
{
	struct look_state *s = arg;
	struct next_hop	   one = { .weight = (uint64_t)(d->down_until_ms != 0) << 32 | (d->waiting + d->in_flight) };
	size_t		   at;

	s->matching++;
	if (s->count == s->limit && one.weight <= s->hops[s->limit - 1].weight)
		return;
	if (!make_room(s)) {
		request_fail(s->request, REQUEST_NO_MEMORY);
		return;
	}
	one.row = row_of(d, s->core);
	for (at = s->count++; at && s->hops[at - 1].weight < one.weight; at--)
		s->hops[at] = s->hops[at - 1];
	s->hops[at] = one;
}

static void
destinations_work(struct request *r, struct mta_core *here)
{
	struct look_state *s = r->state;

	s->core = here->index;
	outbound_destinations(here->outbound, show, s);
	request_return(r, here);
}

static void
destinations_next(struct request *r)
{
	struct look_state *s = r->state;

	s->request = r;
	s->limit = r->ask.limit ? MIN_OF(r->ask.limit, (unsigned)ADMIN_HOPS_MAX) : ADMIN_HOPS_MAX;
	if (s->visits < r->mta->core_count) {
		request_visit(r, s->visits++);
		return;
	}
	for (size_t i = 0; i < s->count; i++) {
		reply_add(&r->reply, "destination", s->hops[i].row);
		s->hops[i].row = NULL;
	}
	request_end(r, json_pack("{s:I, s:I}", "shown", (json_int_t)s->count, "matching", (json_int_t)s->matching));
}

static void
destinations_fini(struct request *r)
{
	struct look_state *s = r->state;

	for (size_t i = 0; i < s->count; i++)
		json_decref(s->hops[i].row);
	free(s->hops);
}

const struct verb verb_destinations = {
	.state_octets = sizeof(struct look_state),
	.next = destinations_next,
	.work = destinations_work,
	.fini = destinations_fini,
};

/* --- reload ----------------------------------------------------------------------------------------------------- */

/* Between the request and the thread that reads files, which does not answer any more once the process ends: so
 * either may go without the other. */
struct waiting {
	struct request *request; /* NULL: nobody waits */
};

struct reload_state {
	struct waiting *waiting; /* NULL: not asked yet, or answered */
	bool		inside; /* the call that asks */
};

static void
answered(void *arg, const char *error)
{
	struct waiting	    *w = arg;
	struct request	    *r = w->request;
	struct reload_state *s;

	free(w);
	if (r == NULL)
		return;
	s = r->state;
	s->waiting = NULL;
	if (error)
		request_fail(r, "reload-failed", error);
	else
		request_end(r, json_pack("{s:s}", "digest", r->mta->cores[0].settings->digest));
	if (!s->inside)
		request_resume(r);
}

static void
reload_next(struct request *r)
{
	struct reload_state *s = r->state;
	struct waiting	    *w;

	if (r->mta->cores[0].stopping) {
		request_fail(r, REQUEST_STOPPING);
		return;
	}
	w = malloc(sizeof(*w));
	if (w == NULL) {
		request_fail(r, REQUEST_NO_MEMORY);
		return;
	}
	w->request = r;
	s->waiting = w;
	s->inside = true;
	mta_reload(r->mta, answered, w);
	s->inside = false;
}

static void
reload_let_go(struct request *r)
{
	struct reload_state *s = r->state;

	if (s->waiting)
		s->waiting->request = NULL;
	s->waiting = NULL;
}

const struct verb verb_reload = {
	.state_octets = sizeof(struct reload_state),
	.next = reload_next,
	.let_go = reload_let_go,
};
