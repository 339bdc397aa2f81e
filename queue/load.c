/* SPDX-License-Identifier: Apache-2.0 */
/* Reading back: messages that are not in memory any more, and the last words about a recipient. */
#include <errno.h>

#include "core/crc32c.h"
#include "queue/queue_internal.h"

/* --- a record ------------------------------------------------------------------------------------------ */

/* Reads `want` octets, or fewer at the end of the file, into buffer. */
struct reading {
	struct io_op	      op;
	struct queue	     *q;
	struct queue_segment *segment; /* its `live` is counted up meanwhile */
	char		     *buffer;
	uint32_t	      want, got;
	uint64_t	      at;
	void (*done)(struct reading *r, int result);
};

static void
read_on(struct reading *r)
{
	io_read(r->q->reactor->io, &r->op, r->segment->fd, r->buffer + r->got, r->want - r->got, r->at + r->got);
}

static void
read_some(struct io_op *op, const struct io_event *event)
{
	struct reading *r = CONTAINER_OF(op, struct reading, op);

	if (event->result > 0)
		r->got += (uint32_t)event->result;
	if ((event->result > 0 && r->got < r->want) || event->result == -EINTR || event->result == -EAGAIN) {
		read_on(r);
		return;
	}
	segment_unpin(&r->q->segments, r->segment);
	r->done(r, event->result < 0 ? event->result : 0);
}

static void
reading_start(struct reading *r, struct queue *q, struct queue_segment *segment, uint64_t at, char *buffer,
	      uint32_t want, void (*done)(struct reading *r, int result))
{
	*r = (struct reading){ .q = q, .segment = segment, .at = at, .buffer = buffer, .want = want, .done = done };
	io_op_init(&r->op, read_some);
	segment->live++;
	read_on(r);
}

/* The payload of the record at the start of what was read; false when it is not sound. */
static bool
sound_payload(const struct reading *r, enum record_kind kind, struct span *payload)
{
	struct record_header h;

	if (r->got < RECORD_HEADER_LEN ||
	    !record_header_read((const uint8_t *)r->buffer, r->segment->nonce, &h) || h.kind != kind ||
	    h.length > r->got - RECORD_HEADER_LEN)
		return false;
	*payload = span_make(r->buffer + RECORD_HEADER_LEN, h.length);
	return crc32c(0, payload->data, payload->len) == h.payload_crc;
}

/* --- a message ----------------------------------------------------------------------------------------- */

struct queue_load_state {
	struct reading	   reading;
	struct queue_load *load;
	struct view_box	  *box;
	struct reactor_hook hook; /* when there is nothing to read */
	int		   result;
};

static void
load_done(struct queue_load_state *s, int result)
{
	struct queue_load    *load = s->load;
	struct queue	     *q = load->queue;
	struct queue_message *m = load->message;

	load->state = NULL;
	load->view = NULL;
	m->in_hand--;
	if (m->in_hand == 0 && (m->open == 0 || m->doomed)) {
		result = -ENOENT;
		message_changed(q, m);
	}
	if (result == 0)
		load->view = queue_view_ref(m);
	if (s->box)
		view_free(q, s->box);
	free(s);
	q->reading--;
	load->done(load, result);
	queue_maybe_closed(q);
}

static void
load_hook(struct reactor_hook *hook)
{
	struct queue_load_state *s = CONTAINER_OF(hook, struct queue_load_state, hook);

	load_done(s, s->result);
}

static void
load_read(struct reading *r, int result)
{
	struct queue_load_state *s = CONTAINER_OF(r, struct queue_load_state, reading);
	struct queue		*q = r->q;
	struct queue_message	*m = s->load->message;
	struct view_box		*box = s->box;
	struct record_message	 record;
	struct span		 payload;

	if (m->view) { /* another load was faster */
		load_done(s, 0);
		return;
	}
	if (result == 0 && !sound_payload(r, RECORD_MESSAGE, &payload))
		result = -EBADMSG;
	if (result == 0)
		result = record_message_read(payload, &box->arena, &record);
	if (result == 0 && !id_equal(record.envelope.id, m->id))
		result = -EBADMSG;
	if (result == 0 && m->pieces)
		result = view_set_pieces(box, m->pieces);
	if (result == -ENOMEM || result == -ENOBUFS) { /* it is we who lack something, not the disk */
		load_done(s, -ENOMEM);
		return;
	}
	if (result < 0) {
		queue_count(q, QUEUE_COUNT_DAMAGED, 1);
		log_error(q->reactor->log, "queue-damage", LOG_ID("id", m->id), LOG_UINT("shard", q->params.shard),
			  LOG_STR("segment", m->segment->name), LOG_UINT("offset", m->record_at), LOG_ERRNO("why", -result));
		m->segment->damaged = true;
		load_done(s, result == -EBADMSG ? -EBADMSG : -EIO);
		return;
	}
	box->view.envelope = record.envelope;
	if (m->pieces == NULL)
		box->view.body = record.text;
	s->box = NULL;
	box->view.references = 1; /* attached held: the cache must not drop it before its user has it */
	view_attach(q, box, m);
	box->view.references = 0;
	load_done(s, 0);
}

void
queue_load(struct queue *q, struct queue_message *m, struct queue_load *load)
{
	struct queue_load_state *s = calloc(1, sizeof(*s));

	INVARIANT(s != NULL);
	m->in_hand++; /* it must not be forgotten under us */
	q->reading++;
	load->queue = q;
	load->message = m;
	load->state = s;
	s->load = load;
	reactor_hook_init(&s->hook, load_hook);
	if (m->view) {
		queue_count(q, QUEUE_COUNT_VIEW_HITS, 1);
		reactor_at_turn_end(q->reactor, &s->hook);
		return;
	}
	queue_count(q, QUEUE_COUNT_VIEW_LOADS, 1);
	s->box = view_new(q);
	if (s->box) {
		s->box->head = malloc(m->record_len);
		s->box->octets = m->record_len;
		budget_force(&q->reactor->memory, m->record_len);
	}
	if (s->box == NULL || s->box->head == NULL) {
		s->result = -ENOMEM;
		reactor_at_turn_end(q->reactor, &s->hook);
		return;
	}
	reading_start(&s->reading, q, m->segment, m->record_at, s->box->head, m->record_len, load_read);
}

/* --- last words ---------------------------------------------------------------------------------------- */

struct queue_last_word_state {
	struct reading		reading;
	struct queue	       *q;
	struct queue_last_word *lw;
	struct reactor_hook	hook;
	struct id		id;
	int			result;
	char			bytes[RECORD_HEADER_LEN + RECORD_RESULT_MAX];
};

static void
word_done(struct queue_last_word_state *s, int result)
{
	struct queue_last_word *lw = s->lw;

	struct queue *q = s->q;

	lw->state = NULL;
	q->reading--;
	lw->done(lw, result);
	free(s);
	queue_maybe_closed(q);
}

static void
word_hook(struct reactor_hook *hook)
{
	struct queue_last_word_state *s = CONTAINER_OF(hook, struct queue_last_word_state, hook);

	word_done(s, s->result);
}

static void
word_read(struct reading *r, int result)
{
	struct queue_last_word_state *s = CONTAINER_OF(r, struct queue_last_word_state, reading);
	struct record_result	      record;
	struct span		      payload;

	if (result == 0 && (!sound_payload(r, RECORD_RESULT, &payload) || !record_result_read(payload, &record) ||
			    !id_equal(record.id, s->id)))
		result = -EBADMSG;
	if (result == 0) {
		s->lw->at_ms = record.at_ms;
		s->lw->host = record.host;
		s->lw->text = record.text;
	}
	word_done(s, result);
}

void
queue_last_word(struct queue *q, struct queue_message *m, unsigned recipient, struct queue_last_word *lw)
{
	struct queue_last_word_state *s = calloc(1, sizeof(*s));
	struct queue_segment	     *segment;
	uint64_t		      word;

	INVARIANT(s != NULL && recipient < m->recipient_count);
	word = m->recipients[recipient].last_word;
	segment = word ? segments_find(&q->segments, message_word_segment(word)) : NULL;
	lw->at_ms = 0;
	lw->host = lw->text = span_make(NULL, 0);
	lw->state = s;
	q->reading++;
	s->q = q;
	s->lw = lw;
	s->id = m->id;
	reactor_hook_init(&s->hook, word_hook);
	if (segment == NULL) {
		reactor_at_turn_end(q->reactor, &s->hook);
		return;
	}
	reading_start(&s->reading, q, segment, message_word_offset(word), s->bytes, sizeof(s->bytes), word_read);
}
