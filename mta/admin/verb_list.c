/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list: the oldest messages that fit, and how many more do.
 *
 * With a limit it goes over all shards twice.  First each shard is swept and the smallest ids, which are the oldest
 * messages, are kept in a heap of at most `limit`; so memory follows the limit and not the queue.  Then the
 * chosen ones are read in order, a window at a time: each core that holds some of a window is visited, and
 * the window's lines are sent.
 *
 * Without a limit lines go out as the sweep finds them, in no order.
 */
#include "mta/admin/admin_internal.h"
#include "mta/admin/rows.h"
#include "mta/admin/sweep.h"

struct chosen {
	struct id id;
	unsigned  core;
	bool	  looked;
	json_t	 *row; /* NULL: not read yet, or gone */
};

struct list_state {
	struct sweep   sweep;
	struct chosen *chosen; /* a heap with the youngest on top; in order when all shards were swept */
	size_t	       count, cap;
	size_t	       window; /* lines before it are sent */
	uint64_t       matching, shown;
	unsigned       visits;
	bool	       reading; /* second time */
};

/* --- the heap --------------------------------------------------------------------------------------------------- */

static void
swap(struct chosen *a, struct chosen *b)
{
	struct chosen c = *a;

	*a = *b;
	*b = c;
}

static void
sift_down(struct chosen *heap, size_t count)
{
	for (size_t i = 0, child; (child = 2 * i + 1) < count; i = child) {
		if (child + 1 < count && id_compare(heap[child + 1].id, heap[child].id) > 0)
			child++;
		if (id_compare(heap[i].id, heap[child].id) >= 0)
			return;
		swap(&heap[i], &heap[child]);
	}
}

static void
sift_up(struct chosen *heap, size_t i)
{
	for (; i && id_compare(heap[(i - 1) / 2].id, heap[i].id) < 0; i = (i - 1) / 2)
		swap(&heap[(i - 1) / 2], &heap[i]);
}

static bool
choose(struct list_state *s, size_t limit, struct chosen one)
{
	if (s->count == limit) {
		if (id_compare(one.id, s->chosen[0].id) >= 0)
			return true;
		s->chosen[0] = one;
		sift_down(s->chosen, s->count);
		return true;
	}
	if (s->count == s->cap) {
		size_t	       cap = s->cap ? s->cap * 2 : 64;
		struct chosen *grown = realloc(s->chosen, cap * sizeof(*grown));

		if (grown == NULL)
			return false;
		s->chosen = grown;
		s->cap = cap;
	}
	s->chosen[s->count] = one;
	sift_up(s->chosen, s->count++);
	return true;
}

/* The heap becomes a list, oldest first. */
static void
sort(struct list_state *s)
{
	for (size_t n = s->count; n > 1; n--) {
		swap(&s->chosen[0], &s->chosen[n - 1]);
		sift_down(s->chosen, n - 1);
	}
}

/* --- there ------------------------------------------------------------------------------------------------------ */

static void
take(struct sweep *sweep, struct queue_message *m, const struct envelope *e)
{
	struct request	  *r = sweep->request;
	struct list_state *s = r->state;
	unsigned	   core = sweep->here->index;

	if (s->reading) {
		for (size_t i = s->window; i < s->count && i < s->window + ADMIN_WINDOW; i++)
			if (id_equal(s->chosen[i].id, m->id) && s->chosen[i].row == NULL)
				s->chosen[i].row = row_message(m, e, core);
		return;
	}
	s->matching++;
	if (r->ask.limit == 0) {
		reply_add(&r->reply, "message", row_message(m, e, core));
		s->shown++;
	} else if (!choose(s, r->ask.limit, (struct chosen){ .id = m->id, .core = core })) {
		request_fail(r, REQUEST_NO_MEMORY);
	}
}

static void
step_done(struct sweep *sweep, struct mta_core *here)
{
	request_return(sweep->request, here);
}

static void
list_work(struct request *r, struct mta_core *here)
{
	struct list_state *s = r->state;

	sweep_step(&s->sweep, here);
}

/* --- home ------------------------------------------------------------------------------------------------------- */

static void
next_shard(struct request *r, struct list_state *s)
{
	sweep_reset(&s->sweep);
	request_visit(r, s->visits++);
}

static void
tell_window(struct request *r, struct list_state *s)
{
	size_t end = MIN_OF(s->window + ADMIN_WINDOW, s->count);

	for (; s->window < end; s->window++) {
		json_t *row = s->chosen[s->window].row;

		if (row == NULL)
			continue; /* gone since */
		s->chosen[s->window].row = NULL;
		reply_add(&r->reply, "message", row);
		s->shown++;
	}
}

/* Visits a core that holds messages of the window which were not looked at; false when there is none. */
static bool
read_window(struct request *r, struct list_state *s)
{
	size_t	 end = MIN_OF(s->window + ADMIN_WINDOW, s->count);
	unsigned core = r->mta->core_count;

	sweep_reset(&s->sweep);
	for (size_t i = s->window; i < end; i++) {
		struct chosen *c = &s->chosen[i];

		if (c->looked || (core != r->mta->core_count && c->core != core))
			continue;
		core = c->core;
		c->looked = true;
		if (!sweep_name(&s->sweep, c->id)) {
			request_fail(r, REQUEST_NO_MEMORY);
			return false;
		}
	}
	if (core == r->mta->core_count)
		return false;
	request_visit(r, core);
	return true;
}

static void
finish(struct request *r, struct list_state *s)
{
	request_end(r, json_pack("{s:I, s:I}", "shown", (json_int_t)s->shown, "matching", (json_int_t)s->matching));
}

static void
read_next(struct request *r, struct list_state *s)
{
	while (!read_window(r, s)) {
		if (r->ended)
			return;
		tell_window(r, s);
		if (s->window == s->count) {
			finish(r, s);
			return;
		}
	}
}

static void
list_next(struct request *r)
{
	struct list_state *s = r->state;

	if (s->visits == 0) {
		s->sweep.request = r;
		s->sweep.take = take;
		s->sweep.done = step_done;
		s->sweep.filter = &r->ask.filter;
		s->sweep.places = ADMIN_PLACES;
		s->sweep.messages = ADMIN_WINDOW;
		s->sweep.wants_envelope = r->ask.limit == 0;
	}
	if (s->reading) {
		read_next(r, s);
	} else if (s->visits && !sweep_over(&s->sweep)) {
		request_visit(r, r->at);
	} else if (s->visits < r->mta->core_count) {
		next_shard(r, s);
	} else if (r->ask.limit == 0) {
		finish(r, s);
	} else {
		sort(s);
		s->reading = true;
		s->sweep.named = true;
		s->sweep.filter = NULL;
		s->sweep.wants_envelope = true;
		read_next(r, s);
	}
}

static void
list_fini(struct request *r)
{
	struct list_state *s = r->state;

	sweep_fini(&s->sweep);
	for (size_t i = 0; i < s->count; i++)
		json_decref(s->chosen[i].row);
	free(s->chosen);
}

const struct verb verb_list = {
	.state_octets = sizeof(struct list_state),
	.next = list_next,
	.work = list_work,
	.fini = list_fini,
};
