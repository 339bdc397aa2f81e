/* SPDX-License-Identifier: Apache-2.0 */
/* Life of a shard, the operator's acts, and what there is to see. */
#include "queue/queue.h"

#include <errno.h>

#include "core/crc32c.h"
#include "queue/queue_internal.h"

static COUNTER_TABLE(queue_counter_rows, QUEUE_COUNTERS);

int
queue_refusal(const struct queue *q)
{
	if (q->recovering || q->closing)
		return -EBUSY;
	return q->refusing ? q->refusing : q->below_floor ? -ENOSPC : 0;
}

/* --- life ---------------------------------------------------------------------------------------------- */

static void
segment_ready(void *owner)
{
	commit_go_on(owner);
}

static void
segment_failed(void *owner, int error)
{
	struct queue *q = owner;

	log_error(q->reactor->log, "queue-no-segment", LOG_UINT("shard", q->params.shard), LOG_ERRNO("why", -error));
	/* One that is only prepared ahead is not missed yet. */
	if (q->current == NULL)
		commit_refuse(q, error == -ENOSPC ? -ENOSPC : -EIO);
	else
		q->scarce = error == -ENOSPC;
}

static void
segments_are_closed(void *owner)
{
	struct queue *q = owner;

	if (!q->closed_told) {
		q->closed_told = true;
		q->handlers.closed(q);
	}
}

static const struct segments_handlers segments_handlers = {
	.ready = segment_ready,
	.failed = segment_failed,
	.closed = segments_are_closed,
};

static void
look_at_space(struct wheel_timer *timer)
{
	struct queue *q = CONTAINER_OF(timer, struct queue, space);
	int64_t	      space = io_space_free(q->directory);
	bool	      below = space >= 0 && (uint64_t)space < q->params.space_free_min;

	if (below != q->below_floor)
		log_warn(q->reactor->log, below ? "queue-space-low" : "queue-space-enough",
			 LOG_UINT("shard", q->params.shard), LOG_INT("free_bytes", space));
	q->below_floor = below;
	counter_set(&q->values[QUEUE_COUNT_SEGMENTS], q->segments.count);
	reactor_arm_ms(q->reactor, timer, QUEUE_SPACE_CHECK_MS);
}

void
queue_configure(struct queue *q, const struct queue_params *params)
{
	q->params = *params;
	q->segments.segment_octets = params->segment_octets;
	q->segments.octets_max = params->spool_octets_max;
	q->segments.space_free_min = params->space_free_min;
	q->segments.direct_writes = params->direct_writes;
	segments_reconsider(&q->segments);
	view_trim(q);
}

static int
open_directory(struct queue *q, const char **why)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "shard-%02u", q->params.shard);
	q->directory = io_directory_open_at(q->params.spool, name, 0700);
	if (q->directory < 0) {
		*why = "the directory of a shard cannot be opened or created in the spool";
		return q->directory;
	}
	q->lock = io_lock(q->directory, "lock");
	if (q->lock < 0) {
		*why = q->lock == -EWOULDBLOCK ? "another process is using this spool" :
						 "the spool cannot be locked";
		return q->lock;
	}
	return 0;
}

int
queue_open(struct queue **out, struct reactor *r, const struct queue_params *params,
	   const struct queue_handlers *handlers, void *owner, const char **why)
{
	struct queue *q = calloc(1, sizeof(*q));
	int	      result = -ENOMEM;

	*why = "no memory for the queue";
	if (q == NULL)
		return result;
	*q = (struct queue){ .reactor = r, .handlers = *handlers, .owner = owner, .params = *params,
			     .directory = -1, .lock = -1 };
	list_init(&q->cached);
	commit_init(q);
	wheel_timer_init(&q->space, look_at_space);
	q->staging = aligned_alloc(RECORD_BLOCK, QUEUE_BATCH_OCTETS);
	if (q->staging == NULL || queue_index_init(&q->index) < 0)
		goto no_index;
	result = open_directory(q, why);
	if (result < 0)
		goto no_directory;
	result = segments_init(&q->segments, r, q->directory, (uint16_t)params->shard, &segments_handlers, q);
	if (result < 0)
		goto no_directory;
	queue_configure(q, params);
	q->recovering = true;
	result = recovery_start(q, why);
	if (result < 0)
		goto no_recovery;
	q->counters.rows = queue_counter_rows;
	q->counters.values = q->values;
	q->counters.count = QUEUE_COUNTER_COUNT;
	reactor_add_counters(r, &q->counters);
	reactor_arm_ms(r, &q->space, 0);
	*out = q;
	return 0;

no_recovery:
	segments_fini(&q->segments);
no_directory:
	if (q->lock >= 0)
		io_close(r->io, q->lock);
	if (q->directory >= 0)
		io_close(r->io, q->directory);
	queue_index_fini(&q->index);
no_index:
	free(q->staging);
	free(q);
	return result;
}

void *
queue_owner(const struct queue *q)
{
	return q->owner;
}

void
queue_maybe_closed(struct queue *q)
{
	if (q->closing && !q->recovery && commit_idle(q) && !q->reading && !q->segments.closing && commit_end(q))
		segments_close(&q->segments);
}

static void
closing_turn(struct wheel_timer *timer)
{
	struct queue *q = CONTAINER_OF(timer, struct queue, space);

	/* Nobody knows when the disk is cured: what it does not take now is done again after the restart. */
	if (q->refusing && q->current == NULL && !list_empty(&q->gathering))
		commit_refuse(q, q->refusing);
	if (!q->segments.closing)
		reactor_arm_ms(q->reactor, timer, 20);
	queue_maybe_closed(q);
}

void
queue_close(struct queue *q)
{
	q->closing = true;
	recovery_cancel(q);
	/* Results need not wait for company any more. */
	reactor_at_turn_end(q->reactor, &q->commit_hook);
	q->space.fire = closing_turn;
	reactor_arm_ms(q->reactor, &q->space, 0);
}

static bool
drop(void *arg, struct queue_message *m)
{
	struct queue *q = arg;

	queue_index_remove(&q->index, m);
	message_free(q, m);
	return true;
}

void
queue_free(struct queue *q)
{
	uint64_t cursor = 0;

	if (q == NULL)
		return;
	INVARIANT(q->closed_told);
	while (queue_index_walk(&q->index, &cursor, 1000, drop, q))
		;
	wheel_disarm(&q->reactor->wheel, &q->space);
	wheel_disarm(&q->reactor->wheel, &q->delay);
	reactor_hook_cancel(&q->commit_hook);
	list_remove(&q->counters.node);
	segments_fini(&q->segments);
	io_close(q->reactor->io, q->lock);
	io_close(q->reactor->io, q->directory);
	queue_index_fini(&q->index);
	free(q->staging);
	free(q);
}

/* --- acts ---------------------------------------------------------------------------------------------- */

struct act_item {
	struct record_item item;
	struct queue_ack  *ack;
	struct queue_message *message; /* which counts us as unwritten */
	uint8_t		   payload[RECORD_ACT_LEN];
};

static void
act_written(struct queue *q, struct record_item *item, int result)
{
	struct act_item *a = CONTAINER_OF(item, struct act_item, item);

	message_record_done(q, a->message, item->segment);
	if (a->ack)
		a->ack->done(a->ack, result);
	free(a);
	queue_maybe_closed(q);
}

void
message_act(struct queue *q, struct queue_message *m, enum queue_act act, int64_t at_ms)
{
	switch (act) {
	case QUEUE_HOLD:
		q->held += !m->held;
		m->held = 1;
		break;
	case QUEUE_RELEASE:
		q->held -= m->held;
		m->held = 0;
		break;
	case QUEUE_DELETE:
		m->doomed = m->in_hand > 0;
		for (uint32_t i = 0; i < m->recipient_count; i++)
			if (m->recipients[i].state == QUEUE_WAITING) {
				m->recipients[i].state = QUEUE_DELETED;
				m->open--;
				q->recipients_open--;
			}
		break;
	case QUEUE_RETRY:
		for (uint32_t i = 0; i < m->recipient_count; i++)
			if (m->recipients[i].state == QUEUE_WAITING)
				m->recipients[i].due_ms = message_due_ms(at_ms);
		break;
	}
	message_arm(q, m);
	message_settle(q, m);
}

void
queue_act(struct queue *q, struct queue_message *m, enum queue_act act, struct queue_ack *ack)
{
	const struct record_act record = { .id = m->id, .act = (uint16_t)(act + 1), .at_ms = queue_wall_ms(q) };
	struct act_item	       *a = malloc(sizeof(*a));

	INVARIANT(a != NULL);
	a->ack = ack;
	a->message = m;
	m->unwritten++;
	record_act_write(&record, a->payload);
	item_init(&a->item, RECORD_ACT, act_written);
	a->item.patient = true;
	item_add(&a->item, a->payload, sizeof(a->payload));
	commit_add(q, &a->item);
	message_act(q, m, act, record.at_ms);
}

struct queue_message *
queue_find(struct queue *q, struct id id)
{
	return queue_index_find(&q->index, id);
}

bool
queue_walk(struct queue *q, uint64_t *cursor, unsigned slice, bool (*visit)(void *arg, struct queue_message *m),
	   void *arg)
{
	return queue_index_walk(&q->index, cursor, slice, visit, arg);
}

void
queue_status(const struct queue *q, struct queue_status *out)
{
	*out = (struct queue_status){
		.messages = q->index.count,
		.recipients_open = q->recipients_open,
		.held = q->held,
		.in_hand = q->in_hand,
		.segments = q->segments.count,
		.segment_octets = q->segments.octets + q->segments.spare_octets,
		.refusing = queue_refusal(q),
		.at_limit = q->segments.octets + q->segments.segment_octets > q->segments.octets_max,
		.recovering = q->recovering,
	};
	LIST_FOR_EACH(&q->segments.all, n) {
		const struct queue_segment *seg = LIST_ENTRY(n, struct queue_segment, node);

		if (seg->live)
			out->live_octets += seg->tail;
	}
}
