/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show: one message with all its recipients and the last words about each.
 *
 * The cores are asked one by one until one has it.  Each visit reads the envelope (from memory, mostly) and the last
 * words of at most ADMIN_RECIPIENTS recipients, one after the other.  The message may come to its end between any
 * two of these.
 */
#include <errno.h>

#include "mta/admin/admin_internal.h"
#include "mta/admin/rows.h"

struct show_state {
	struct request	      *request;
	struct mta_core	      *here;
	bool		       asked, told, over;
	uint32_t	       next; /* recipient */
	unsigned	       left; /* recipients of this visit */
	struct queue_load      load;
	struct queue_view     *view; /* during a visit */
	struct queue_last_word word;
	struct queue_recipient recipient; /* as it was when its words were asked for */
};

static void
leave(struct show_state *s)
{
	if (s->view)
		queue_view_unref(s->here->queue, s->view);
	s->view = NULL;
	request_return(s->request, s->here);
}

/* --- there ------------------------------------------------------------------------------------------------------ */

static void
next_recipient(struct show_state *s)
{
	struct queue_message *m = queue_find(s->here->queue, s->request->ask.ids[0]);

	if (m == NULL || s->next >= m->recipient_count || s->next >= s->view->envelope.recipient_count) {
		s->over = true;
		leave(s);
		return;
	}
	if (s->left-- == 0) {
		leave(s);
		return;
	}
	s->recipient = m->recipients[s->next];
	queue_last_word(s->here->queue, m, s->next, &s->word);
}

static void
word_read(struct queue_last_word *word, int result)
{
	struct show_state *s = CONTAINER_OF(word, struct show_state, word);

	reply_add(&s->request->reply, "recipient",
		  row_recipient(&s->recipient, &s->view->envelope.recipients[s->next], result == 0 ? word : NULL));
	s->next++;
	next_recipient(s);
}

static void
with_envelope(struct show_state *s)
{
	struct queue_message *m = queue_find(s->here->queue, s->request->ask.ids[0]);

	if (m && !s->told) {
		reply_add(&s->request->reply, "message",
			  row_message_whole(m, s->view ? &s->view->envelope : NULL, s->here->index));
		s->told = true;
	}
	if (m == NULL || s->view == NULL) {
		s->over = true;
		leave(s);
		return;
	}
	s->left = ADMIN_RECIPIENTS;
	next_recipient(s);
}

static void
loaded(struct queue_load *load, int result)
{
	struct show_state *s = CONTAINER_OF(load, struct show_state, load);

	s->view = load->view;
	if (result == -ENOMEM) {
		request_fail(s->request, REQUEST_NO_MEMORY);
		leave(s);
		return;
	}
	with_envelope(s);
}

static void
show_work(struct request *r, struct mta_core *here)
{
	struct show_state    *s = r->state;
	struct queue_message *m = queue_find(here->queue, r->ask.ids[0]);

	s->here = here;
	s->over = m == NULL;
	if (m == NULL) {
		leave(s);
		return;
	}
	s->view = queue_view_ref(m);
	if (s->view)
		with_envelope(s);
	else
		queue_load(here->queue, m, &s->load);
}

/* --- home ------------------------------------------------------------------------------------------------------- */

static void
show_next(struct request *r)
{
	struct show_state *s = r->state;

	if (!s->asked) {
		s->asked = true;
		s->request = r;
		s->load.done = loaded;
		s->word.done = word_read;
		request_visit(r, 0);
	} else if (!s->over) {
		request_visit(r, r->at);
	} else if (s->told) {
		request_end(r, json_object());
	} else if (r->at + 1 < r->mta->core_count) {
		request_visit(r, r->at + 1);
	} else {
		request_fail(r, "unknown",
			     "no such message in the queue; what was delivered, reported or deleted is gone");
	}
}

const struct verb verb_show = {
	.state_octets = sizeof(struct show_state),
	.next = show_next,
	.work = show_work,
};
