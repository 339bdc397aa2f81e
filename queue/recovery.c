/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the past (docs/queue-format.md, section 7).
 *
 * First all segments are opened and their first blocks read, because a later one may void the tail of an earlier one.  Then
 * each is read whole, in slices, and its records applied in order; between slices the reactor serves others.
 * Nothing is removed before the end: until the last record is read no segment is known to be done with.
 */
#include <errno.h>
#include <fcntl.h>

#include "core/crc32c.h"
#include "queue/queue_internal.h"

enum { RECORDS_PER_TURN = 400, ARENA_MAX = 16 << 20 };

struct recovery {
	struct queue	      *q;
	struct io_op	       op;
	struct wheel_timer     go_on;
	uint64_t	      *numbers;
	unsigned	       count, cap, at;
	bool		       second_pass, cancelled, no_memory;
	struct queue_segment  *segment; /* being opened or read */
	char		      *bytes;	/* of the whole segment */
	uint64_t	       size, got; /* octets wanted and there */
	uint64_t	       place, end_of_sound, last_lsn;
	uint64_t	       begun_ns;
	struct arena	       arena;
	struct queue_recovery  what;
	char		       first[RECORD_BLOCK];
};

static void next_segment(struct recovery *v);

static int
take_name(void *arg, const char *name)
{
	struct recovery *v = arg;
	uint64_t	 number = 0;
	size_t		 len = strlen(name);

	if (len != SEGMENT_NAME_LEN || memcmp(name + 16, ".seg", 4) != 0)
		return 0;
	for (unsigned i = 0; i < 16; i++) {
		char c = name[i];
		int  digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (digit < 0)
			return 0;
		number = number << 4 | (unsigned)digit;
	}
	if (v->count == v->cap) {
		unsigned  cap = v->cap ? v->cap * 2 : 64;
		uint64_t *grown = realloc(v->numbers, cap * sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		v->numbers = grown;
		v->cap = cap;
	}
	v->numbers[v->count++] = number;
	return 0;
}

static void
recovery_free(struct recovery *v)
{
	v->q->recovery = NULL;
	wheel_disarm(&v->q->reactor->wheel, &v->go_on);
	arena_reset(&v->arena);
	free(v->bytes);
	free(v->numbers);
	free(v);
}

/* --- applying ------------------------------------------------------------------------------------------ */

static void
damage(struct recovery *v, uint64_t at, uint64_t octets, const char *what)
{
	struct queue *q = v->q;

	v->what.damaged++;
	v->what.lost_octets += octets;
	v->segment->damaged = true;
	queue_count(q, QUEUE_COUNT_DAMAGED, 1);
	log_error(q->reactor->log, "queue-damage", LOG_STR("segment", v->segment->name), LOG_UINT("offset", at),
		  LOG_UINT("octets", octets), LOG_STR("why", what));
}

static void
apply_result(struct recovery *v, const struct record_result *r, uint64_t at)
{
	struct queue	     *q = v->q;
	struct queue_message *m = queue_index_find(&q->index, r->id);

	if (m == NULL || r->recipient >= m->recipient_count)
		return;
	segments_settles(v->segment, m->segment->number);
	message_apply(q, m, r);
	if (at)
		m->recipients[r->recipient].last_word = message_word_at(v->segment, at);
	message_arm(q, m);
	message_settle(q, m);
}

static bool
find_pieces(struct recovery *v, const struct record_message *record, struct queue_message *m)
{
	for (uint32_t i = 0; i < record->piece_count; i++) {
		struct record_piece_ref ref;
		struct queue_segment   *segment;

		record_piece_ref_read(record->pieces, i, &ref);
		segment = segments_find(&v->q->segments, ref.segment);
		if (segment == NULL || ref.at > segment->octets || ref.length > segment->octets - ref.at)
			return false;
		if (pieces_add(&m->pieces, segment, &ref) == NULL) {
			v->no_memory = true;
			return false;
		}
	}
	return true;
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
	if (queue_index_find(&q->index, record.envelope.id))
		return;
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
	if (!find_pieces(v, &record, m)) {
		damage(v, at, payload.len, "a piece of the message is missing");
		message_free(q, m);
		return;
	}
	m->segment = v->segment;
	message_enter(q, m);
}

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

static void
apply(struct recovery *v, const struct record_header *h, struct span payload, uint64_t at)
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
		if (sound) {
			struct queue_message *m = queue_index_find(&q->index, a.id);

			if (m) {
				segments_settles(v->segment, m->segment->number);
				message_act(q, m, (enum queue_act)(a.act - 1), a.at_ms);
			}
		}
		break;
	case RECORD_CHECKPOINT:
		sound = record_checkpoint_read(payload, &g.k);
		if (sound) {
			uint64_t cursor = 0;

			segments_settles(v->segment, g.k.segment);
			while (queue_index_walk(&q->index, &cursor, 1000, drop_settled, &g))
				;
		}
		break;
	}
	if (!sound)
		damage(v, at, payload.len, "payload does not fit its kind");
	v->what.records++;
}

/* --- scanning ------------------------------------------------------------------------------------------ */

static bool
record_at(const struct recovery *v, uint64_t at, struct record_header *h)
{
	return at + RECORD_HEADER_LEN <= v->size &&
	       record_header_read((const uint8_t *)v->bytes + at, v->segment->nonce, h) &&
	       h->shard == v->q->params.shard && h->lsn > v->last_lsn &&
	       h->length <= v->size - at - RECORD_HEADER_LEN;
}

/* Zeros from here to the end of the block; *next is that end. */
static bool
rest_is_zero(const struct recovery *v, uint64_t at, uint64_t *next)
{
	*next = MIN_OF((at / RECORD_BLOCK + 1) * RECORD_BLOCK, v->size);
	for (uint64_t i = at; i < *next; i++)
		if (v->bytes[i])
			return false;
	return true;
}

static void
take_record(struct recovery *v, const struct record_header *h)
{
	struct span payload = span_make(v->bytes + v->place + RECORD_HEADER_LEN, h->length);

	if (crc32c(0, payload.data, payload.len) == h->payload_crc)
		apply(v, h, payload, v->place);
	else
		damage(v, v->place, record_stride(h->length), "checksum of the payload");
	v->last_lsn = h->lsn;
	v->place = MIN_OF(v->place + record_stride(h->length), v->size);
	v->end_of_sound = v->place;
}

/* Some records; true when the segment is at its end. */
static bool
scan(struct recovery *v)
{
	for (unsigned i = 0; i < RECORDS_PER_TURN; i++) {
		struct record_header h;
		uint64_t	     next, at;

		if (v->place >= v->size)
			return true;
		if (record_at(v, v->place, &h)) {
			take_record(v, &h);
			continue;
		}
		if (rest_is_zero(v, v->place, &next)) {
			v->place = next;
			continue;
		}
		for (at = v->place + RECORD_ALIGN; at < v->size && !record_at(v, at, &h); at += RECORD_ALIGN)
			;
		if (at < v->size) {
			damage(v, v->place, at - v->place, "no record where one should be");
			v->place = at;
			continue;
		}
		v->what.torn_octets += v->size - v->place;
		v->place = v->size;
	}
	return v->place >= v->size;
}

/* --- one segment after another -------------------------------------------------------------------------- */

static void
all_read(struct recovery *v)
{
	struct queue	     *q = v->q;
	struct queue_recovery what = v->what;

	q->segments.lsn = MAX_OF(q->segments.lsn, v->last_lsn);
	what.messages = q->index.count;
	what.segments = v->count;
	what.milliseconds = (int64_t)((io_mono_now(q->reactor->io) - v->begun_ns) / 1000000);
	recovery_free(v);
	LIST_FOR_EACH(&q->segments.all, n)
		LIST_ENTRY(n, struct queue_segment, node)->sealed = true;
	segments_sweep(&q->segments);
	counter_set(&q->values[QUEUE_COUNT_SEGMENTS], q->segments.count);
	q->recovering = false;
	segments_want(&q->segments, 1);
	q->handlers.recovered(q, &what);
}

/* The file cannot be read or is no segment of ours: kept, and told of. */
static void
set_aside(struct recovery *v, const char *what)
{
	v->what.damaged++;
	queue_count(v->q, QUEUE_COUNT_DAMAGED, 1);
	log_error(v->q->reactor->log, "queue-damage", LOG_STR("segment", v->segment->name), LOG_UINT("offset", 0),
		  LOG_STR("why", what));
	if (v->segment->fd >= 0)
		io_close(v->q->reactor->io, v->segment->fd);
	v->q->segments.last_number = MAX_OF(v->q->segments.last_number, v->segment->number);
	free(v->segment);
	v->segment = NULL;
	v->at++;
	next_segment(v);
}

static void
first_block_read(struct recovery *v)
{
	struct queue_segment *seg = v->segment;
	struct record_header  h;
	struct record_segment about;
	int64_t		      size = io_file_size(seg->fd);

	if (v->got < RECORD_BLOCK || size < RECORD_BLOCK ||
	    !record_header_read_first((const uint8_t *)v->first, &h) || h.kind != RECORD_SEGMENT ||
	    h.length != RECORD_SEGMENT_LEN ||
	    crc32c(0, v->first + RECORD_HEADER_LEN, h.length) != h.payload_crc ||
	    !record_segment_read(span_make(v->first + RECORD_HEADER_LEN, h.length), &about) ||
	    about.number != seg->number || h.shard != v->q->params.shard) {
		set_aside(v, "its first record is not sound");
		return;
	}
	seg->nonce = h.nonce;
	seg->octets = (uint64_t)size;
	seg->tail = seg->octets;
	segments_add(&v->q->segments, seg);
	if (about.void_number) {
		struct queue_segment *other = segments_find(&v->q->segments, about.void_number);

		if (other) {
			other->void_from = MIN_OF(other->void_from, about.void_from);
			segments_settles(seg, other->number);
		}
	}
	v->segment = NULL;
	v->at++;
	next_segment(v);
}

static void
read_on(struct recovery *v)
{
	char	*to = v->second_pass ? v->bytes : v->first;
	uint64_t left = v->size - v->got;

	io_read(v->q->reactor->io, &v->op, v->segment->fd, to + v->got,
		(unsigned)MIN_OF(left, (uint64_t)QUEUE_READ_OCTETS), v->got);
}

static void
go_on(struct wheel_timer *timer)
{
	struct recovery *v = CONTAINER_OF(timer, struct recovery, go_on);

	if (!scan(v)) {
		reactor_arm_ms(v->q->reactor, &v->go_on, 0);
		return;
	}
	v->segment = NULL;
	v->at++;
	next_segment(v);
}

static void
op_done(struct io_op *op, const struct io_event *event)
{
	struct recovery *v = CONTAINER_OF(op, struct recovery, op);

	if (v->cancelled) {
		struct queue *q = v->q;

		recovery_free(v);
		queue_maybe_closed(q);
		return;
	}
	if (!v->second_pass && v->segment->fd < 0) {
		if (event->result < 0) {
			set_aside(v, log_errno_name(-event->result));
			return;
		}
		v->segment->fd = event->result;
		v->size = RECORD_BLOCK;
		v->got = 0;
		read_on(v);
		return;
	}
	if (event->result > 0)
		v->got += (uint64_t)event->result;
	if (event->result > 0 && v->got < v->size) {
		read_on(v);
		return;
	}
	if (!v->second_pass) {
		first_block_read(v);
		return;
	}
	if (v->got < v->size) {
		damage(v, v->got, v->size - v->got, event->result < 0 ? log_errno_name(-event->result) : "cut short");
		v->size = v->got;
	}
	v->place = 0;
	v->last_lsn = 0;
	go_on(&v->go_on);
}

static void
read_whole(struct recovery *v, struct queue_segment *seg)
{
	char *bytes;

	v->segment = seg;
	v->size = MIN_OF(seg->octets, seg->void_from);
	v->got = 0;
	bytes = realloc(v->bytes, v->size);
	if (bytes == NULL) {
		damage(v, 0, v->size, "no memory to read it");
		v->at++;
		next_segment(v);
		return;
	}
	v->bytes = bytes;
	read_on(v);
}

static void
next_segment(struct recovery *v)
{
	struct queue *q = v->q;

	if (v->at == v->count && !v->second_pass) {
		v->second_pass = true;
		v->at = 0;
	}
	if (v->second_pass) {
		while (v->at < v->count) {
			struct queue_segment *seg = segments_find(&q->segments, v->numbers[v->at]);

			if (seg) {
				read_whole(v, seg);
				return;
			}
			v->at++;
		}
		all_read(v);
		return;
	}
	v->segment = calloc(1, sizeof(*v->segment));
	INVARIANT(v->segment != NULL);
	list_node_init(&v->segment->node);
	v->segment->number = v->numbers[v->at];
	v->segment->void_from = UINT64_MAX;
	v->segment->fd = -1;
	(void)snprintf(v->segment->name, sizeof(v->segment->name), "%016llx.seg",
		       (unsigned long long)v->segment->number);
	io_open(q->reactor->io, &v->op, q->directory, v->segment->name, O_RDWR, 0);
}

static void
begin(struct wheel_timer *timer)
{
	struct recovery *v = CONTAINER_OF(timer, struct recovery, go_on);

	v->go_on.fire = go_on;
	next_segment(v);
}

int
recovery_start(struct queue *q, const char **why)
{
	struct recovery *v = calloc(1, sizeof(*v));
	int		 result;

	*why = "no memory to read the spool";
	if (v == NULL)
		return -ENOMEM;
	v->q = q;
	q->recovery = v;
	io_op_init(&v->op, op_done);
	wheel_timer_init(&v->go_on, begin);
	arena_init(&v->arena, ARENA_MAX);
	v->begun_ns = io_mono_now(q->reactor->io);
	result = io_directory_list(q->directory, take_name, v);
	if (result < 0) {
		*why = "the directory of a shard cannot be read";
		recovery_free(v);
		return result;
	}
	reactor_arm_ms(q->reactor, &v->go_on, 0);
	return 0;
}

void
recovery_cancel(struct queue *q)
{
	struct recovery *v = q->recovery;

	if (v == NULL)
		return;
	v->cancelled = true;
	if (io_op_idle(&v->op))
		recovery_free(v);
}
