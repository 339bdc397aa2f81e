/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in the index, and their recipients' states.
 *
 * A message has one timer, at the earliest time one of its waiting recipients is due.  When it fires the outbound side is told and
 * the timer rests until something changes: a recipient taken, put back, recorded, or an act.
 *
 * A result takes effect in memory at once; its record follows within QUEUE_RESULT_DELAY_MS.  A message that is forgotten by
 * then keeps its segments until the record is on disk: were a piece of it gone and the result not there, a restart would find a message
 * it cannot send and cannot know to be done.
 *
 * Timers are monotonic, due times wall clock: a clock that is set while a message waits does not change how long it
 * waits, up to the next restart.
 */
#include <errno.h>

#include "queue/queue_internal.h"

enum { WORD_AT_BITS = 30 }; /* of a place, in units of RECORD_ALIGN */

static const uint64_t due_ms_max = (UINT64_C(1) << 48) - 1;

uint64_t
message_word_at(const struct queue_segment *segment, uint64_t at)
{
	return segment->number << WORD_AT_BITS | at / RECORD_ALIGN;
}

uint64_t
message_word_segment(uint64_t word)
{
	return word >> WORD_AT_BITS;
}

uint64_t
message_word_offset(uint64_t word)
{
	return (word & ((UINT64_C(1) << WORD_AT_BITS) - 1)) * RECORD_ALIGN;
}

/* --- pieces -------------------------------------------------------------------------------------------- */

struct queue_pieces *
pieces_add(struct queue_pieces **pieces, struct queue_segment *segment, const struct record_piece_ref *ref)
{
	struct queue_pieces *p = *pieces;

	if (p == NULL || p->count == p->cap) {
		uint32_t cap = p ? p->cap * 2 : 8;
		bool	 fresh = p == NULL;

		p = realloc(p, sizeof(*p) + cap * sizeof(p->at[0]));
		if (p == NULL)
			return NULL;
		p->cap = cap;
		if (fresh)
			p->count = 0;
		*pieces = p;
	}
	p->at[p->count].segment = segment;
	p->at[p->count++].ref = *ref;
	segment->live++;
	return p;
}

void
pieces_release(struct queue *q, struct queue_pieces *pieces)
{
	if (pieces == NULL)
		return;
	for (uint32_t i = 0; i < pieces->count; i++)
		segment_unpin(&q->segments, pieces->at[i].segment);
	free(pieces);
}

/* --- the message --------------------------------------------------------------------------------------- */

struct entry { /* a message with the way back to its shard and its recipients behind it */
	struct queue	      *q;
	struct queue_message   message;
	struct queue_recipient recipients[];
};

static struct queue *
queue_of(struct queue_message *m)
{
	return CONTAINER_OF(m, struct entry, message)->q;
}

static void
due(struct wheel_timer *timer)
{
	struct queue_message *m = CONTAINER_OF(timer, struct queue_message, timer);
	struct queue	     *q = queue_of(m);

	if (q->recovering)
		reactor_arm_ms(q->reactor, timer, 100); /* the outbound side is told first that all are known */
	else if (commit_stalled(q))
		reactor_arm_ms(q->reactor, timer, QUEUE_CURE_FIRST_MS); /* its results could not be recorded */
	else if (!m->held && !m->doomed && !q->closing)
		q->handlers.due(q, m);
}

struct queue_message *
message_new(uint32_t recipient_count)
{
	struct entry *e = calloc(1, sizeof(*e) + recipient_count * sizeof(e->recipients[0]));

	if (e == NULL)
		return NULL;
	e->message.recipients = e->recipients;
	e->message.recipient_count = e->message.open = recipient_count;
	wheel_timer_init(&e->message.timer, due);
	return &e->message;
}

void
message_free(struct queue *q, struct queue_message *m)
{
	wheel_disarm(&q->reactor->wheel, &m->timer);
	view_detach(q, m);
	pieces_release(q, m->pieces);
	if (m->segment)
		segment_unpin(&q->segments, m->segment);
	free(CONTAINER_OF(m, struct entry, message));
}

void
message_enter(struct queue *q, struct queue_message *m)
{
	CONTAINER_OF(m, struct entry, message)->q = q;
	m->segment->live++;
	queue_index_insert(&q->index, m);
	q->recipients_open += m->open;
	counter_set(&q->values[QUEUE_COUNT_MESSAGES], q->index.count);
	message_arm(q, m);
}

void
message_arm(struct queue *q, struct queue_message *m)
{
	uint64_t earliest = UINT64_MAX;
	int64_t	 now_ms = queue_wall_ms(q), wait_ms;

	if (q->replaying) /* no timer is armed yet; all are when the last record is read */
		return;
	for (uint32_t i = 0; i < m->recipient_count; i++)
		if (m->recipients[i].state == QUEUE_WAITING)
			earliest = MIN_OF(earliest, (uint64_t)m->recipients[i].due_ms);
	if (earliest == UINT64_MAX || m->held || m->doomed) {
		wheel_disarm(&q->reactor->wheel, &m->timer);
		return;
	}
	wait_ms = (int64_t)earliest - now_ms;
	if (wait_ms <= 0)
		reactor_arm_soon(q->reactor, &m->timer);
	else
		reactor_arm_ms(q->reactor, &m->timer, (uint64_t)MIN_OF(wait_ms, QUEUE_WAIT_MAX_MS));
}

void
message_settle(struct queue *q, struct queue_message *m)
{
	if (m->open || m->in_hand)
		return;
	if (!m->forgotten) {
		m->forgotten = 1;
		wheel_disarm(&q->reactor->wheel, &m->timer);
		view_detach(q, m);
		queue_index_remove(&q->index, m);
		q->held -= m->held;
		queue_count(q, QUEUE_COUNT_FORGOTTEN, 1);
		counter_set(&q->values[QUEUE_COUNT_MESSAGES], q->index.count);
	}
	if (m->unwritten)
		return;
	message_free(q, m);
}

void
message_changed(struct queue *q, struct queue_message *m)
{
	if (m->doomed && m->in_hand == 0 && m->open) {
		m->doomed = 0;
		queue_act(q, m, QUEUE_DELETE, NULL);
		return;
	}
	message_arm(q, m);
	message_settle(q, m);
}

void
message_record_done(struct queue *q, struct queue_message *m, struct queue_segment *segment)
{
	INVARIANT(m->unwritten > 0);
	m->unwritten--;
	if (segment)
		segments_settles(segment, m->segment);
	if (m->forgotten)
		message_settle(q, m);
}

uint64_t
message_due_ms(int64_t wall_ms)
{
	return wall_ms < 0 ? 0 : MIN_OF((uint64_t)wall_ms, due_ms_max);
}

void
message_apply(struct queue *q, struct queue_message *m, const struct record_result *r)
{
	struct queue_recipient *to = &m->recipients[r->recipient];

	INVARIANT(r->recipient < m->recipient_count);
	if (queue_state_final((enum queue_state)to->state))
		return;
	if (to->state == QUEUE_IN_HAND) {
		m->in_hand--;
		q->in_hand--;
	}
	to->state = r->state;
	to->due_ms = message_due_ms(r->due_ms);
	to->delayed = r->delayed;
	to->attempts = r->attempts;
	if (r->code)
		to->code = r->code;
	if (queue_state_final((enum queue_state)r->state)) {
		m->open--;
		q->recipients_open--;
	}
}

/* --- what the outbound side does ----------------------------------------------------------------------- */

bool
queue_take(struct queue *q, struct queue_message *m, unsigned recipient)
{
	INVARIANT(recipient < m->recipient_count);
	if (m->recipients[recipient].state != QUEUE_WAITING || m->doomed)
		return false;
	m->recipients[recipient].state = QUEUE_IN_HAND;
	m->in_hand++;
	q->in_hand++;
	return true;
}

void
queue_put_back(struct queue *q, struct queue_message *m, unsigned recipient, int64_t due_ms)
{
	struct queue_recipient *to = &m->recipients[recipient];

	INVARIANT(recipient < m->recipient_count && to->state == QUEUE_IN_HAND);
	to->state = QUEUE_WAITING;
	to->due_ms = message_due_ms(due_ms);
	m->in_hand--;
	q->in_hand--;
	message_changed(q, m);
}

/* The records of one call; the last to reach the disk tells the one who waits. */
struct result_group {
	struct queue_ack *ack;
	unsigned	  left;
	int		  result;
};

struct result_item {
	struct record_item    item;
	struct result_group  *group;
	struct queue_message *message; /* which counts us as unwritten */
	uint32_t	      recipient;
	uint8_t		      payload[];
};

static void
result_written(struct queue *q, struct record_item *item, int result)
{
	struct result_item   *r = CONTAINER_OF(item, struct result_item, item);
	struct result_group  *group = r->group;
	struct queue_message *m = r->message;

	if (result == 0)
		m->recipients[r->recipient].last_word = message_word_at(item->segment, item->at);
	message_record_done(q, m, item->segment);
	free(r);
	if (result < 0)
		group->result = result;
	if (--group->left == 0) {
		if (group->ack)
			group->ack->done(group->ack, group->result);
		free(group);
	}
	queue_maybe_closed(q);
}

static void
add_result(struct queue *q, struct queue_message *m, const struct record_result *r, struct result_group *group)
{
	uint8_t		    payload[RECORD_RESULT_MAX];
	size_t		    len = record_result_write(r, payload);
	struct result_item *item = malloc(sizeof(*item) + len);

	/* Without the record a restart would deliver again; there is no honest way on. */
	INVARIANT(item != NULL);
	item_init(&item->item, RECORD_RESULT, result_written);
	item->item.patient = true;
	item->group = group;
	item->message = m;
	item->recipient = r->recipient;
	m->unwritten++;
	memcpy(item->payload, payload, len);
	item_add(&item->item, item->payload, len);
	commit_add(q, &item->item);
}

void
queue_record(struct queue *q, struct queue_message *m, const struct queue_result *results, unsigned count,
	     struct queue_ack *ack)
{
	struct result_group *group = malloc(sizeof(*group));

	INVARIANT(group != NULL && count > 0);
	*group = (struct result_group){ ack, count, 0 };
	for (unsigned i = 0; i < count; i++) {
		const struct queue_result    *from = &results[i];
		const struct queue_recipient *to = &m->recipients[from->recipient];
		unsigned		      attempts = to->attempts + (from->attempt ? 1u : 0u);
		const struct record_result    r = {
			   .id = m->id,
			   .recipient = from->recipient,
			   .state = (uint8_t)from->state,
			   .delayed = from->delayed || to->delayed,
			   .attempt = from->attempt,
			   .code = from->code,
			   .attempts = (uint16_t)MIN_OF(attempts, (unsigned)UINT16_MAX),
			   .due_ms = from->due_ms,
			   .at_ms = queue_wall_ms(q),
			   .host = from->host,
			   .text = from->text,
		};

		INVARIANT(from->recipient < m->recipient_count && from->state != QUEUE_IN_HAND);
		add_result(q, m, &r, group);
		message_apply(q, m, &r);
		queue_count(q, QUEUE_COUNT_RESULTS, 1);
	}
	/* Tried, and the next attempt is minutes away: the memory is for those that have not been tried. */
	if (m->in_hand == 0)
		view_detach(q, m);
	message_changed(q, m);
}
