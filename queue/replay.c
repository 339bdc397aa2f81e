/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the records of the past say, applied one after another.
 *
 * A message whose piece is gone is entered all the same: most likely it was done, its result comes later and the piece went
 * with its segment.  Only when it is still alive at the end was something lost.
 *
 * A result about a message nobody knows is no news, unless the message lies in something that cannot be read now and
 * can be the next time (a disk that comes back): so the segments of such results stay as long as damaged older ones do.
 */
#include "queue/recovery.h"

#include <errno.h>

enum { OVERDUE_PER_MS = 100 }; /* messages found overdue, from the moment on when they are entered */

void
recovery_damage(struct recovery *v, struct queue_segment *segment, uint64_t at, uint64_t octets, const char *what)
{
	struct queue *q = v->q;

	v->what.damaged++;
	v->what.lost_octets += octets;
	segment->damaged = true;
	queue_count(q, QUEUE_COUNT_DAMAGED, 1);
	log_error(q->reactor->log, "queue-damage", LOG_UINT("shard", q->params.shard),
		  LOG_STR("segment", segment->name), LOG_UINT("offset", at), LOG_UINT("octets", octets), LOG_STR("why", what));
}

static void
damage(struct recovery *v, uint64_t at, uint64_t octets, const char *what)
{
	recovery_damage(v, v->segment, at, octets, what);
}

/* --- results and acts ---------------------------------------------------------------------------------- */

/* The message that a record of v->segment speaks of; NULL: not known, or gone. */
static struct queue_message *
spoken_of(struct recovery *v, struct id id)
{
	struct queue_message *m = queue_index_find(&v->q->index, id);

	if (m)
		segments_settles(v->segment, m->segment);
	else
		v->segment->speaks_of_unknown = true;
	return m;
}

static void
apply_result(struct recovery *v, const struct record_result *r, uint64_t at)
{
	struct queue	     *q = v->q;
	struct queue_message *m = spoken_of(v, r->id);

	if (m == NULL || r->recipient >= m->recipient_count)
		return;
	message_apply(q, m, r);
	if (at)
		m->recipients[r->recipient].last_word = message_word_at(v->segment, at);
	message_arm(q, m);
	message_settle(q, m);
}

static void
apply_act(struct recovery *v, const struct record_act *a)
{
	struct queue_message *m = spoken_of(v, a->id);

	if (m)
		message_act(v->q, m, (enum queue_act)(a->act - 1), a->at_ms);
}

/* --- messages ------------------------------------------------------------------------------------------ */

/* False: a piece is not there. */
static bool
find_pieces(struct recovery *v, const struct record_message *record, struct queue_message *m)
{
	bool all = true;

	for (uint32_t i = 0; i < record->piece_count; i++) {
		struct record_piece_ref ref;
		struct queue_segment   *segment;

		record_piece_ref_read(record->pieces, i, &ref);
		segment = segments_find(&v->q->segments, ref.segment);
		if (segment == NULL || segment->fd < 0 || ref.at > segment->octets ||
		    ref.length > segment->octets - ref.at) {
			all = false;
		} else if (pieces_add(&m->pieces, segment, &ref) == NULL) {
			v->no_memory = true;
			all = false;
		}
	}
	return all;
}

static void
apply_message(struct recovery *v, struct span payload, uint64_t at)
{
	struct queue	     *q = v->q;
	struct record_message record;
	struct record_result  r;
	struct queue_message *m;
	int		      result;

	arena_reset(&v->arena);
	result = record_message_read(payload, &v->arena, &record);
	if (result < 0) {
		v->no_memory |= result == -ENOMEM;
		damage(v, at, payload.len, "not a message");
		return;
	}
	while (record_next_result(&record.results, &r))
		apply_result(v, &r, 0);
	if (queue_index_find(&q->index, record.envelope.id)) {
		damage(v, at, payload.len, "a message of this name is there already");
		return;
	}
	m = message_new(record.envelope.recipient_count);
	if (m == NULL) {
		v->no_memory = true;
		return;
	}
	m->id = record.envelope.id;
	m->flags = (uint16_t)record.envelope.flags;
	m->body_octets = record.envelope.body_octets;
	m->record_at = (uint32_t)at;
	m->record_len = (uint32_t)(RECORD_HEADER_LEN + payload.len);
	for (uint32_t i = 0; i < m->recipient_count; i++)
		m->recipients[i].due_ms = message_due_ms(record.envelope.accepted_ms);
	m->broken = !find_pieces(v, &record, m);
	m->segment = v->segment;
	message_enter(q, m);
}

/* --- the others ---------------------------------------------------------------------------------------- */

struct gone {
	struct recovery		*v;
	struct record_checkpoint k;
};

static bool
drop_settled(void *arg, struct queue_message *m)
{
	struct gone  *g = arg;
	struct queue *q = g->v->q;

	if (m->segment->number != g->k.segment)
		return true;
	for (uint32_t i = 0; i < g->k.count; i++)
		if (id_equal(record_id_read(g->k.ids, i), m->id))
			return true;
	message_act(q, m, QUEUE_DELETE, 0);
	return true;
}

void
replay_record(struct recovery *v, const struct record_header *h, struct span payload, uint64_t at)
{
	struct queue	    *q = v->q;
	struct record_result r;
	struct record_act    a;
	struct record_piece  p;
	struct gone	     g = { .v = v };
	bool		     sound = true;

	switch ((enum record_kind)h->kind) {
	case RECORD_SEGMENT:
		break;
	case RECORD_END: /* the scan takes those that fit */
		sound = false;
		break;
	case RECORD_MESSAGE:
		apply_message(v, payload, at);
		break;
	case RECORD_PIECE:
		sound = record_piece_read(payload, &p);
		break;
	case RECORD_RESULT:
		sound = record_result_read(payload, &r);
		if (sound)
			apply_result(v, &r, at);
		break;
	case RECORD_ACT:
		sound = record_act_read(payload, &a);
		if (sound)
			apply_act(v, &a);
		break;
	case RECORD_CHECKPOINT:
		sound = record_checkpoint_read(payload, &g.k);
		if (sound) {
			struct queue_segment *about = segments_find(&q->segments, g.k.segment);
			uint64_t	      cursor = 0;

			if (about)
				segments_settles(v->segment, about);
			while (queue_index_walk(&q->index, &cursor, 1000, drop_settled, &g))
				;
		}
		break;
	}
	if (!sound)
		damage(v, at, payload.len, "payload does not fit its kind");
	v->what.records++;
}

/* --- the end ------------------------------------------------------------------------------------------- */

static bool
enter(void *arg, struct queue_message *m)
{
	struct recovery *v = arg;
	struct queue	*q = v->q;

	if (!m->broken) {
		message_arm(q, m);
		/* Millions may be overdue after a day without us: they come one after another, and other timers in between. */
		if (wheel_timer_armed(&m->timer) && m->timer.deadline_ns <= reactor_now(q->reactor))
			reactor_arm_ms(q->reactor, &m->timer, v->overdue++ / OVERDUE_PER_MS);
		return true;
	}
	recovery_damage(v, m->segment, m->record_at, m->record_len, "a piece of the message is missing");
	for (uint32_t i = 0; m->pieces && i < m->pieces->count; i++)
		m->pieces->at[i].segment->damaged = true;
	queue_index_remove(&q->index, m);
	q->recipients_open -= m->open;
	q->held -= m->held;
	message_free(q, m);
	return true;
}

bool
replay_enter(struct recovery *v, unsigned slice)
{
	return queue_index_walk(&v->q->index, &v->cursor, slice, enter, v);
}

void
replay_end(struct recovery *v)
{
	struct list *all = &v->q->segments.all;

	LIST_FOR_EACH(all, n) {
		struct queue_segment *old = LIST_ENTRY(n, struct queue_segment, node);

		old->damaged |= v->no_memory; /* we cannot say what is needed */
		if (!old->damaged)
			continue;
		LIST_FOR_EACH(all, k) {
			struct queue_segment *later = LIST_ENTRY(k, struct queue_segment, node);

			if (later->speaks_of_unknown && later->number > old->number)
				segments_settles(later, old);
		}
	}
}
