/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the index knows enough, messages are taken while it is walked.  Else a walk collects ids, and their
 * envelopes are read ADMIN_WINDOW at a time; ids and not messages, because a message may be gone by the time its
 * turn comes.
 */
#include "mta/admin/sweep.h"

#include <errno.h>

static bool
reads(const struct sweep *s)
{
	return s->wants_envelope || (s->filter && filter_needs_envelope(s->filter));
}

void
sweep_reset(struct sweep *s)
{
	INVARIANT(s->looking == 0);
	s->cursor = 0;
	s->walked = false;
	s->id_count = s->next = 0;
}

void
sweep_fini(struct sweep *s)
{
	free(s->ids);
	s->ids = NULL;
}

bool
sweep_over(const struct sweep *s)
{
	return s->next == s->id_count && (s->named || s->walked);
}

bool
sweep_name(struct sweep *s, struct id id)
{
	if (s->id_count == s->id_cap) {
		size_t	   cap = s->id_cap ? s->id_cap * 2 : 64;
		struct id *ids = realloc(s->ids, cap * sizeof(*ids));

		if (ids == NULL)
			return false;
		s->ids = ids;
		s->id_cap = cap;
	}
	s->ids[s->id_count++] = id;
	return true;
}

/* --- the index -------------------------------------------------------------------------------------------------- */

static bool
visit(void *arg, struct queue_message *m)
{
	struct sweep *s = arg;

	if (m->open == 0 || (s->filter && !filter_fits_message(s->filter, m)))
		return true;
	if (!reads(s) && !s->named)
		s->take(s, m, NULL);
	else if (!sweep_name(s, m->id))
		request_fail(s->request, REQUEST_NO_MEMORY);
	return true;
}

/* Places are seen whole, so a walk that collects goes on by few of them until it has enough. */
static void
walk(struct sweep *s)
{
	unsigned slice = reads(s) ? SWEEP_SLICE : s->places;

	if (s->named)
		return;
	/* What is left is fewer than a window, or the end of many. */
	s->id_count -= s->next;
	if (s->id_count && s->next)
		memmove(s->ids, s->ids + s->next, s->id_count * sizeof(*s->ids));
	s->next = 0;
	while (s->places_left && !s->walked && s->id_count < ADMIN_WINDOW) {
		s->places_left -= slice;
		s->walked = !queue_walk(s->here->queue, &s->cursor, slice, visit, s);
	}
}

static void go_on(struct sweep *s);

/* --- envelopes -------------------------------------------------------------------------------------------------- */

static void
judge(struct sweep *s, struct sweep_look *l)
{
	struct queue	      *q = s->here->queue;
	struct queue_message  *m = queue_find(q, l->id);
	const struct envelope *e = l->view ? &l->view->envelope : NULL;

	if (l->result == -ENOMEM)
		request_fail(s->request, REQUEST_NO_MEMORY);
	if (m && m->open && !s->request->ended &&
	    (s->filter == NULL || !filter_needs_envelope(s->filter) || (e && filter_fits_envelope(s->filter, m, e))))
		s->take(s, m, e);
	if (l->view)
		queue_view_unref(q, l->view);
	l->view = NULL;
}

static void
all_looked(struct sweep *s)
{
	for (unsigned i = 0; i < s->look_count; i++)
		judge(s, &s->looks[i]);
	s->messages_left -= ADMIN_WINDOW;
	if (s->messages_left && !s->request->ended && (s->next < s->id_count || (!s->walked && s->places_left)))
		go_on(s);
	else
		s->done(s, s->here);
}

static void
loaded(struct queue_load *load, int result)
{
	struct sweep_look *l = CONTAINER_OF(load, struct sweep_look, load);

	l->result = result;
	l->view = load->view;
	if (--l->sweep->looking == 0)
		all_looked(l->sweep);
}

static void
look(struct sweep *s)
{
	struct queue *q = s->here->queue;

	s->look_count = 0;
	s->looking = 1; /* ours, so that nothing ends before all have begun */
	while (s->next < s->id_count && s->look_count < ADMIN_WINDOW) {
		struct queue_message *m = queue_find(q, s->ids[s->next++]);
		struct sweep_look    *l = &s->looks[s->look_count];

		if (m == NULL)
			continue;
		s->look_count++;
		l->sweep = s;
		l->id = m->id;
		l->result = 0;
		l->view = NULL;
		if (!reads(s) || (l->view = queue_view_ref(m)) != NULL)
			continue;
		l->load.done = loaded;
		s->looking++;
		queue_load(q, m, &l->load);
	}
	if (--s->looking == 0)
		all_looked(s);
}

/* Calls itself through look() at most messages / ADMIN_WINDOW times. */
static void
go_on(struct sweep *s)
{
	walk(s);
	look(s);
}

void
sweep_step(struct sweep *s, struct mta_core *here)
{
	s->here = here;
	s->places_left = s->places;
	s->messages_left = s->messages;
	go_on(s);
}
