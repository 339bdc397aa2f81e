/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on their way in.
 *
 * A text that is not large stays in one block, which becomes part of the batch and then of the view: it is copied once. A larger
 * one leaves in pieces; each is a record of its own in whatever batch goes next, and the MESSAGE that lists them is written after the
 * last of them has reached the disk (I3).
 *
 * What commit() needs is allocated before anything is written, so that a message that has reached the disk never fails for
 * want of memory.
 */
#include <errno.h>

#include "core/crc32c.h"
#include "queue/queue_internal.h"

enum { TEXT_FIRST = 4096 + 1024 };

struct queue_intake_state {
	struct queue	     *q;
	struct queue_intake  *in; /* NULL: aborted, waiting for pieces in flight */
	struct record_item    item;
	struct view_box	     *box;
	struct queue_message *message;
	struct queue_pieces  *pieces;
	struct queue_message *settled; /* whose results stand in our record, or NULL */
	char		     *head, *text;
	size_t		      head_len, text_len, text_cap;
	uint64_t	      budget; /* octets taken */
	unsigned	      pieces_begun, pieces_in_flight;
	int		      error;
	bool		      in_pieces, blocked, committing;
	struct span	      results;
	/* commit() may have to wait for pieces; what it was given is kept in `head` by then. */
	uint32_t	      result_count;
};

static int
take_budget(struct queue_intake_state *s, uint64_t octets)
{
	if (!budget_take(&s->q->reactor->memory, octets))
		return -ENOMEM;
	s->budget += octets;
	return 0;
}

static void
state_free(struct queue_intake_state *s)
{
	struct queue *q = s->q;

	budget_give(&q->reactor->memory, s->budget);
	pieces_release(q, s->pieces);
	if (s->box)
		view_free(q, s->box);
	if (s->message)
		message_free(q, s->message);
	free(s->head);
	free(s->text);
	free(s);
}

int
queue_intake_open(struct queue *q, struct queue_intake *in, uint64_t size_hint)
{
	struct queue_intake_state *s;
	size_t			   cap = size_hint ? MIN_OF(size_hint, q->params.inline_octets_max) + 512 : TEXT_FIRST;
	uint64_t		   chance;
	int			   result = queue_refusal(q);

	in->state = NULL;
	if (result < 0) {
		queue_count(q, QUEUE_COUNT_REFUSED, 1);
		return result;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		queue_count(q, QUEUE_COUNT_REFUSED, 1);
		return -ENOMEM;
	}
	s->q = q;
	s->in = in;
	result = take_budget(s, cap + sizeof(*s));
	s->text = result == 0 ? malloc(cap) : NULL;
	if (s->text == NULL) {
		queue_count(q, QUEUE_COUNT_REFUSED, 1);
		state_free(s);
		return -ENOMEM;
	}
	s->text_cap = cap;
	io_random(q->reactor->io, &chance, sizeof(chance));
	in->queue = q;
	in->id = id_next(&q->ids, io_wall(q->reactor->io), chance);
	in->octets = 0;
	in->state = s;
	return 0;
}

/* --- pieces -------------------------------------------------------------------------------------------- */

struct piece {
	struct record_item	   item;
	struct queue_intake_state *state;
	uint32_t		   len, crc;
	uint8_t			   head[RECORD_PIECE_HEAD_LEN];
	char			   bytes[QUEUE_PIECE_OCTETS];
};

static void write_message(struct queue_intake_state *s);

static void
piece_written(struct queue *q, struct record_item *item, int result)
{
	struct piece		  *p = CONTAINER_OF(item, struct piece, item);
	struct queue_intake_state *s = p->state;
	const struct record_piece_ref ref = {
		.segment = result == 0 ? item->segment->number : 0,
		.at = item->at + RECORD_HEADER_LEN + RECORD_PIECE_HEAD_LEN,
		.length = p->len,
		.crc = p->crc,
	};

	if (result == 0 && pieces_add(&s->pieces, item->segment, &ref) == NULL)
		result = -ENOMEM;
	if (result < 0 && s->error == 0)
		s->error = result;
	budget_give(&q->reactor->memory, sizeof(*p));
	free(p);
	s->pieces_in_flight--;
	if (s->in == NULL) {
		if (s->pieces_in_flight == 0) {
			state_free(s);
			queue_maybe_closed(q);
		}
		return;
	}
	if (s->committing && s->pieces_in_flight == 0) {
		write_message(s);
	} else if (s->blocked && !s->committing && s->pieces_in_flight < QUEUE_PIECES_IN_FLIGHT) {
		s->blocked = false;
		s->in->ready(s->in);
	}
}

static int
write_piece(struct queue_intake_state *s, struct span bytes)
{
	struct queue *q = s->q;
	struct piece *p;

	if (!budget_take(&q->reactor->memory, sizeof(*p)))
		return -ENOMEM;
	p = malloc(sizeof(*p));
	if (p == NULL) {
		budget_give(&q->reactor->memory, sizeof(*p));
		return -ENOMEM;
	}
	p->state = s;
	p->len = (uint32_t)bytes.len;
	p->crc = crc32c(0, bytes.data, bytes.len);
	memcpy(p->bytes, bytes.data, bytes.len);
	record_piece_head_write(s->in->id, s->pieces_begun++, p->head);
	item_init(&p->item, RECORD_PIECE, piece_written);
	item_add(&p->item, p->head, sizeof(p->head));
	item_add(&p->item, p->bytes, bytes.len);
	s->pieces_in_flight++;
	commit_add(q, &p->item);
	return 0;
}

/* Writes what is gathered in whole pieces; the rest moves to the front. */
static int
write_pieces(struct queue_intake_state *s, size_t least)
{
	size_t at = 0;
	int    result = 0;

	while (result == 0 && s->text_len - at >= least && s->text_len > at) {
		size_t len = MIN_OF(s->text_len - at, (size_t)QUEUE_PIECE_OCTETS);

		result = write_piece(s, span_make(s->text + at, len));
		if (result == 0)
			at += len;
	}
	memmove(s->text, s->text + at, s->text_len - at);
	s->text_len -= at;
	return result;
}

/* --- text ---------------------------------------------------------------------------------------------- */

static int
grow(struct queue_intake_state *s, size_t need)
{
	size_t cap = s->text_cap;
	char  *text;
	int    result;

	while (cap < need)
		cap *= 2;
	result = take_budget(s, cap - s->text_cap);
	if (result < 0)
		return result;
	text = realloc(s->text, cap);
	if (text == NULL)
		return -ENOMEM;
	s->text = text;
	s->text_cap = cap;
	return 0;
}

int
queue_intake_append(struct queue_intake *in, struct span bytes)
{
	struct queue_intake_state *s = in->state;
	size_t			   need = s->text_len + bytes.len;

	if (s->error == 0 && need > s->text_cap)
		s->error = grow(s, need);
	if (s->error)
		return s->error;
	if (bytes.len)
		memcpy(s->text + s->text_len, bytes.data, bytes.len);
	s->text_len = need;
	in->octets += bytes.len;
	if (in->octets > s->q->params.inline_octets_max)
		s->in_pieces = true;
	if (s->in_pieces && s->text_len >= QUEUE_PIECE_OCTETS)
		s->error = write_pieces(s, QUEUE_PIECE_OCTETS);
	if (s->error)
		return s->error;
	s->blocked = s->pieces_in_flight >= QUEUE_PIECES_IN_FLIGHT;
	return s->blocked ? -EAGAIN : 0;
}

/* --- the end ------------------------------------------------------------------------------------------- */

static void
finish(struct queue_intake_state *s, int result)
{
	struct queue	    *q = s->q;
	struct queue_intake *in = s->in;

	in->state = NULL;
	if (result < 0)
		queue_count(q, QUEUE_COUNT_REFUSED, 1);
	state_free(s);
	in->done(in, result);
	queue_maybe_closed(q);
}

static void
apply_settlement(struct queue_intake_state *s)
{
	struct queue	    *q = s->q;
	struct span	     results = s->results;
	struct record_result r;

	if (s->settled == NULL)
		return;
	segments_settles(s->item.segment, s->settled->segment);
	while (record_next_result(&results, &r))
		message_apply(q, s->settled, &r);
	message_changed(q, s->settled);
}

static void
message_written(struct queue *q, struct record_item *item, int result)
{
	struct queue_intake_state *s = CONTAINER_OF(item, struct queue_intake_state, item);
	struct queue_message	  *m = s->message;
	struct view_box		  *box = s->box;

	if (result < 0) {
		finish(s, result);
		return;
	}
	queue_count(q, QUEUE_COUNT_ACCEPTED, 1);
	m->segment = item->segment;
	m->record_at = (uint32_t)item->at;
	m->record_len = RECORD_HEADER_LEN + item->length;
	m->pieces = s->pieces;
	apply_settlement(s);
	if (s->pieces) { /* what the last piece was cut from */
		free(s->text);
		s->text = NULL;
		s->budget -= s->text_cap;
		budget_give(&q->reactor->memory, s->text_cap);
	}
	/* The blocks become the view's, and the budget with them. */
	box->head = s->head;
	box->text = s->text;
	box->octets = s->budget;
	s->head = s->text = NULL;
	s->budget = 0;
	s->pieces = NULL;
	s->message = NULL;
	s->box = NULL;
	message_enter(q, m);
	view_attach(q, box, m);
	finish(s, 0);
}

/* Tells of a failure from outside of the call that met it. */
static void
failed_later(struct queue *q, struct record_item *item, int result)
{
	struct queue_intake_state *s = CONTAINER_OF(item, struct queue_intake_state, item);

	(void)q;
	(void)result;
	finish(s, s->error);
}

/* All pieces are on disk: the record that makes them a message, unless something went wrong on the way. */
static void
write_message(struct queue_intake_state *s)
{
	struct queue *q = s->q;
	uint32_t      count = s->pieces ? s->pieces->count : 0;
	uint8_t	     *refs;

	INVARIANT(s->error || count == s->pieces_begun);
	if (s->error == 0 && count)
		s->error = view_set_pieces(s->box, s->pieces);
	if (s->error) {
		item_init(&s->item, RECORD_MESSAGE, failed_later);
		commit_fail_later(q, &s->item);
		return;
	}
	refs = (uint8_t *)s->head + s->head_len;
	for (uint32_t i = 0; i < count; i++)
		record_piece_ref_write(&s->pieces->at[i].ref, refs + (size_t)i * RECORD_PIECE_REF_LEN);
	if (count == 0)
		s->box->view.body = span_make(s->text, s->text_len);
	item_init(&s->item, RECORD_MESSAGE, message_written);
	item_add(&s->item, s->head, s->head_len + (size_t)count * RECORD_PIECE_REF_LEN + s->results.len);
	item_add(&s->item, s->text, s->text_len);
	commit_add(q, &s->item);
}

/* Results of the settled message, as its record shall hold them; returns where they end. */
static uint8_t *
write_results(struct queue *q, const struct queue_settlement *settle, uint8_t *at)
{
	for (unsigned i = 0; settle && i < settle->count; i++) {
		const struct queue_result    *from = &settle->results[i];
		const struct queue_recipient *to = &settle->message->recipients[from->recipient];
		const struct record_result    r = {
			   .id = settle->message->id,
			   .recipient = from->recipient,
			   .state = (uint8_t)from->state,
			   .delayed = from->delayed || to->delayed,
			   .attempt = from->attempt,
			   .code = from->code,
			   .attempts = (uint16_t)MIN_OF(to->attempts + (from->attempt ? 1u : 0u), 65535u),
			   .due_ms = from->due_ms,
			   .at_ms = queue_wall_ms(q),
			   .host = from->host,
			   .text = from->text,
		};
		uint32_t len = (uint32_t)record_result_write(&r, at + 4);

		at[0] = (uint8_t)len;
		at[1] = (uint8_t)(len >> 8);
		at[2] = (uint8_t)(len >> 16);
		at[3] = (uint8_t)(len >> 24);
		at += 4 + len;
	}
	return at;
}

static int
prepare(struct queue_intake_state *s, const struct envelope *env, const struct queue_settlement *settle)
{
	struct queue	     *q = s->q;
	uint32_t	      results = settle ? settle->count : 0;
	size_t		      room, refs = (size_t)s->pieces_begun * RECORD_PIECE_REF_LEN;
	struct record_message copy;
	struct span	      rest;
	uint8_t		     *at;
	int		      result;

	s->head_len = record_message_head_len(env);
	room = s->head_len + refs + (size_t)results * (4 + RECORD_RESULT_MAX);
	result = take_budget(s, room);
	if (result < 0)
		return result;
	s->head = malloc(room);
	s->box = view_new(q);
	s->message = message_new(env->recipient_count);
	if (s->head == NULL || s->box == NULL || s->message == NULL)
		return -ENOMEM;
	at = record_message_head_write(env, s->pieces_begun, results, (uint8_t *)s->head);
	INVARIANT((size_t)(at - (uint8_t *)s->head) == s->head_len);
	s->results = span_make(at + refs, (size_t)(write_results(q, settle, at + refs) - (at + refs)));
	s->settled = settle ? settle->message : NULL;
	/* The view's envelope borrows from the block that is written, not from the caller. */
	result = record_message_head_read(span_make(s->head, s->head_len), &s->box->arena, &copy, &rest);
	if (result < 0)
		return result;
	s->box->view.envelope = copy.envelope;
	s->message->id = env->id;
	s->message->flags = (uint16_t)env->flags;
	s->message->body_octets = env->body_octets;
	for (uint32_t i = 0; i < env->recipient_count; i++)
		s->message->recipients[i].due_ms = message_due_ms(env->accepted_ms);
	return 0;
}

void
queue_intake_commit(struct queue_intake *in, const struct envelope *env, const struct queue_settlement *settle)
{
	struct queue_intake_state *s = in->state;

	INVARIANT(id_equal(env->id, in->id) && env->body_octets == in->octets);
	INVARIANT(env->recipient_count >= 1 && env->recipient_count <= QUEUE_RECIPIENTS_MAX);
	s->committing = true;
	if (s->error == 0 && s->in_pieces)
		s->error = write_pieces(s, 1);
	if (s->error == 0)
		s->error = prepare(s, env, settle);
	if (s->pieces_in_flight == 0) /* else the last of them goes on */
		write_message(s);
}

void
queue_intake_abort(struct queue_intake *in)
{
	struct queue_intake_state *s = in->state;

	if (s == NULL)
		return;
	INVARIANT(!s->committing);
	in->state = NULL;
	s->in = NULL;
	if (s->pieces_in_flight == 0)
		state_free(s);
}
