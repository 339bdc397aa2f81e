/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two cursors, one that writes and one that reads; the one that reads remembers that it ran out, so that a
 * decoder reads straight on and asks once at its end.
 */
#include "queue/record.h"

#include <endian.h>
#include <errno.h>

#include "core/crc32c.h"

/* --- cursors ------------------------------------------------------------------------------------------- */

static uint8_t *
put16(uint8_t *out, uint16_t v)
{
	v = htole16(v);
	memcpy(out, &v, sizeof(v));
	return out + sizeof(v);
}

static uint8_t *
put32(uint8_t *out, uint32_t v)
{
	v = htole32(v);
	memcpy(out, &v, sizeof(v));
	return out + sizeof(v);
}

static uint8_t *
put64(uint8_t *out, uint64_t v)
{
	v = htole64(v);
	memcpy(out, &v, sizeof(v));
	return out + sizeof(v);
}

static uint8_t *
put_id(uint8_t *out, struct id id)
{
	return put64(put64(out, id.high), id.low);
}

static uint8_t *
put_bytes(uint8_t *out, struct span bytes)
{
	if (bytes.len)
		memcpy(out, bytes.data, bytes.len);
	return out + bytes.len;
}

static uint8_t *
put_text(uint8_t *out, struct span text)
{
	INVARIANT(text.len <= UINT16_MAX);
	return put_bytes(put16(out, (uint16_t)text.len), text);
}

struct cursor {
	struct span rest;
	bool	    ran_out;
};

static struct span
take(struct cursor *c, size_t len)
{
	struct span got = span_first(c->rest, len);

	if (got.len < len)
		c->ran_out = true;
	c->rest = span_from(c->rest, got.len);
	return got;
}

static uint64_t
take_number(struct cursor *c, size_t octets)
{
	struct span bytes = take(c, octets);
	uint64_t    v = 0;

	if (!c->ran_out)
		memcpy(&v, bytes.data, octets);
	return le64toh(v);
}

static uint8_t
take8(struct cursor *c)
{
	return (uint8_t)take_number(c, 1);
}

static uint16_t
take16(struct cursor *c)
{
	return (uint16_t)take_number(c, 2);
}

static uint32_t
take32(struct cursor *c)
{
	return (uint32_t)take_number(c, 4);
}

static uint64_t
take64(struct cursor *c)
{
	return take_number(c, 8);
}

static struct id
take_id(struct cursor *c)
{
	struct id id = { .high = take64(c) };

	id.low = take64(c);
	return id;
}

static struct span
take_text(struct cursor *c)
{
	return take(c, take16(c));
}

/* --- the header ---------------------------------------------------------------------------------------- */

void
record_header_write(const struct record_header *h, uint8_t out[static RECORD_HEADER_LEN])
{
	uint8_t *at = put64(put32(put32(out, RECORD_MAGIC), 0), h->nonce);

	at = put32(put32(put64(at, h->lsn), h->length), h->payload_crc);
	at = put32(put16(put16(at, h->kind), h->shard), 0);
	INVARIANT(at == out + RECORD_HEADER_LEN);
	(void)put32(out + 4, crc32c(0, out + 8, RECORD_HEADER_LEN - 8));
}

bool
record_header_read_first(const uint8_t *in, struct record_header *h)
{
	struct cursor c = { .rest = span_make(in, RECORD_HEADER_LEN) };
	uint32_t      magic = take32(&c), crc = take32(&c);

	if (magic != RECORD_MAGIC || crc != crc32c(0, in + 8, RECORD_HEADER_LEN - 8))
		return false;
	h->nonce = take64(&c);
	h->lsn = take64(&c);
	h->length = take32(&c);
	h->payload_crc = take32(&c);
	h->kind = take16(&c);
	h->shard = take16(&c);
	return take32(&c) == 0 && h->kind >= RECORD_SEGMENT && h->kind <= RECORD_END;
}

bool
record_header_read(const uint8_t *in, uint64_t nonce, struct record_header *h)
{
	return record_header_read_first(in, h) && h->nonce == nonce;
}

bool
record_header_trace(const uint8_t *in, uint64_t nonce, uint64_t *octets)
{
	struct cursor c = { .rest = span_make(in, RECORD_HEADER_LEN) };
	uint32_t      magic = take32(&c), crc = take32(&c);
	uint64_t      its_nonce = take64(&c);
	uint8_t	      mended[RECORD_HEADER_LEN - 8];

	(void)take64(&c); /* lsn */
	*octets = record_stride(take32(&c));
	if (its_nonce == nonce)
		return true;
	if (magic != RECORD_MAGIC)
		return false;
	memcpy(put64(mended, nonce), in + 16, sizeof(mended) - 8);
	return crc == crc32c(0, mended, sizeof(mended));
}

/* --- small payloads ------------------------------------------------------------------------------------ */

bool
record_end_read(struct span payload, uint64_t *from)
{
	struct cursor c = { .rest = payload };

	*from = take64(&c);
	return !c.ran_out && c.rest.len == 0;
}

void
record_end_block(uint64_t nonce, uint64_t lsn, uint16_t shard, uint64_t from, uint8_t out[static RECORD_BLOCK])
{
	struct record_header h = {
		.nonce = nonce,
		.lsn = lsn,
		.length = RECORD_END_LEN,
		.kind = RECORD_END,
		.shard = shard,
	};

	memset(out, 0, RECORD_BLOCK);
	(void)put64(out + RECORD_HEADER_LEN, from);
	h.payload_crc = crc32c(0, out + RECORD_HEADER_LEN, RECORD_END_LEN);
	record_header_write(&h, out);
}

uint32_t
record_segment_format(struct span payload)
{
	struct cursor c = { .rest = payload };

	return take32(&c);
}

void
record_segment_write(const struct record_segment *s, uint8_t out[static RECORD_SEGMENT_LEN])
{
	uint8_t *at = put64(put64(put32(put32(out, RECORD_FORMAT), s->reused), s->number), s->octets);

	at = put64(put64(at, s->void_number), s->void_from);
	INVARIANT(at == out + RECORD_SEGMENT_LEN);
}

bool
record_segment_read(struct span payload, struct record_segment *s)
{
	struct cursor c = { .rest = payload };
	uint32_t      format = take32(&c);

	s->reused = take32(&c) & 1;
	s->number = take64(&c);
	s->octets = take64(&c);
	s->void_number = take64(&c);
	s->void_from = take64(&c);
	return !c.ran_out && c.rest.len == 0 && format == RECORD_FORMAT && s->number != 0;
}

void
record_piece_head_write(struct id id, uint32_t index, uint8_t out[static RECORD_PIECE_HEAD_LEN])
{
	(void)put32(put32(put_id(out, id), index), 0);
}

bool
record_piece_read(struct span payload, struct record_piece *p)
{
	struct cursor c = { .rest = payload };

	p->id = take_id(&c);
	p->index = take32(&c);
	(void)take32(&c);
	p->bytes = c.rest;
	return !c.ran_out;
}

void
record_act_write(const struct record_act *a, uint8_t out[static RECORD_ACT_LEN])
{
	(void)put64(put32(put16(put16(put_id(out, a->id), a->act), 0), 0), (uint64_t)a->at_ms);
}

bool
record_act_read(struct span payload, struct record_act *a)
{
	struct cursor c = { .rest = payload };

	a->id = take_id(&c);
	a->act = take16(&c);
	(void)take16(&c);
	(void)take32(&c);
	a->at_ms = (int64_t)take64(&c);
	return !c.ran_out && c.rest.len == 0 && a->act >= 1 && a->act <= QUEUE_RETRY + 1;
}

enum { RESULT_DELAYED = 1, RESULT_ATTEMPT = 2 };

size_t
record_result_write(const struct record_result *r, uint8_t out[static RECORD_RESULT_MAX])
{
	uint8_t *at = put32(put_id(out, r->id), r->recipient);

	*at++ = r->state;
	*at++ = (uint8_t)((r->delayed ? RESULT_DELAYED : 0) | (r->attempt ? RESULT_ATTEMPT : 0));
	at = put64(put64(put16(at, r->code), (uint64_t)r->due_ms), (uint64_t)r->at_ms);
	at = put16(put16(at, r->attempts), 0);
	at = put_text(at, span_first(r->host, RECORD_HOST_MAX));
	at = put_text(at, span_first(r->text, RECORD_TEXT_MAX));
	return (size_t)(at - out);
}

bool
record_result_read(struct span payload, struct record_result *r)
{
	struct cursor c = { .rest = payload };
	uint8_t	      flags;

	r->id = take_id(&c);
	r->recipient = take32(&c);
	r->state = take8(&c);
	flags = take8(&c);
	r->delayed = flags & RESULT_DELAYED;
	r->attempt = flags & RESULT_ATTEMPT;
	r->code = take16(&c);
	r->due_ms = (int64_t)take64(&c);
	r->at_ms = (int64_t)take64(&c);
	r->attempts = take16(&c);
	(void)take16(&c);
	r->host = take_text(&c);
	r->text = take_text(&c);
	return !c.ran_out && c.rest.len == 0 && r->state <= QUEUE_DELETED && r->state != QUEUE_IN_HAND;
}

/* --- a message ----------------------------------------------------------------------------------------- */

enum { MESSAGE_FIXED_LEN = 16 + 8 + 8 + 4 + 4 + 20 + 16 + 4 + 4 + 4 };

size_t
record_message_head_len(const struct envelope *e)
{
	size_t len = MESSAGE_FIXED_LEN + 2 + e->sender.len + 2 + e->envid.len + 2 + e->helo.len;

	for (uint32_t i = 0; i < e->recipient_count; i++)
		len += 2 + 2 + e->recipients[i].address.len + 2 + e->recipients[i].orcpt.len;
	return len;
}

uint8_t *
record_message_head_write(const struct envelope *e, uint32_t piece_count, uint32_t result_count, uint8_t *out)
{
	uint8_t *at = put64(put64(put_id(out, e->id), (uint64_t)e->accepted_ms), e->body_octets);

	at = put32(put32(at, e->flags), e->hops);
	at = put_bytes(at, span_make(e->client.ip, sizeof(e->client.ip)));
	at = put_id(put16(put16(at, e->client.port), e->client.scope_id), e->origin);
	at = put32(put32(put32(at, e->recipient_count), piece_count), result_count);
	at = put_text(put_text(put_text(at, e->sender), e->envid), e->helo);
	for (uint32_t i = 0; i < e->recipient_count; i++) {
		*at++ = e->recipients[i].notify;
		*at++ = 0;
		at = put_text(put_text(at, e->recipients[i].address), e->recipients[i].orcpt);
	}
	return at;
}

void
record_piece_ref_write(const struct record_piece_ref *p, uint8_t out[static RECORD_PIECE_REF_LEN])
{
	(void)put32(put32(put64(put64(out, p->segment), p->at), p->length), p->crc);
}

void
record_piece_ref_read(struct span pieces, uint32_t index, struct record_piece_ref *p)
{
	struct cursor c = { .rest = span_from(pieces, (size_t)index * RECORD_PIECE_REF_LEN) };

	p->segment = take64(&c);
	p->at = take64(&c);
	p->length = take32(&c);
	p->crc = take32(&c);
	INVARIANT(!c.ran_out);
}

static int
read_recipients(struct cursor *c, struct arena *arena, struct envelope *e)
{
	/* Each takes at least six octets, which bounds what a lying count can ask for. */
	if (c->ran_out || e->recipient_count == 0 || e->recipient_count > c->rest.len / 6)
		return -EBADMSG;
	e->recipients = arena_alloc(arena, e->recipient_count * sizeof(*e->recipients));
	if (e->recipients == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->recipient_count; i++) {
		e->recipients[i].notify = take8(c);
		(void)take8(c);
		e->recipients[i].address = take_text(c);
		e->recipients[i].orcpt = take_text(c);
	}
	return c->ran_out ? -EBADMSG : 0;
}

/* Steps over the results and leaves them in m->results, each looked at once. */
static bool
read_results(struct cursor *c, struct record_message *m)
{
	struct span from = c->rest;

	for (uint32_t i = 0; i < m->result_count; i++) {
		struct record_result r;
		struct span	     payload = take(c, take32(c));

		if (c->ran_out || !record_result_read(payload, &r))
			return false;
	}
	m->results = span_first(from, from.len - c->rest.len);
	return true;
}

int
record_message_head_read(struct span payload, struct arena *arena, struct record_message *m, struct span *rest)
{
	struct cursor	 c = { .rest = payload };
	struct envelope *e = &m->envelope;
	struct span	 ip;
	int		 result;

	*m = (struct record_message){ 0 };
	e->id = take_id(&c);
	e->accepted_ms = (int64_t)take64(&c);
	e->body_octets = take64(&c);
	e->flags = take32(&c);
	e->hops = take32(&c);
	ip = take(&c, sizeof(e->client.ip));
	if (ip.len == sizeof(e->client.ip))
		memcpy(e->client.ip, ip.data, ip.len);
	e->client.port = take16(&c);
	e->client.scope_id = take16(&c);
	e->origin = take_id(&c);
	e->recipient_count = take32(&c);
	m->piece_count = take32(&c);
	m->result_count = take32(&c);
	e->sender = take_text(&c);
	e->envid = take_text(&c);
	e->helo = take_text(&c);
	result = read_recipients(&c, arena, e);
	*rest = c.rest;
	return result;
}

int
record_message_read(struct span payload, struct arena *arena, struct record_message *m)
{
	struct cursor c = { 0 };
	uint64_t      octets;
	int	      result = record_message_head_read(payload, arena, m, &c.rest);

	if (result < 0)
		return result;
	m->pieces = take(&c, (size_t)m->piece_count * RECORD_PIECE_REF_LEN);
	if (c.ran_out || !read_results(&c, m))
		return -EBADMSG;
	m->text = c.rest;
	octets = m->text.len;
	for (uint32_t i = 0; i < m->piece_count; i++) {
		struct record_piece_ref p;

		record_piece_ref_read(m->pieces, i, &p);
		octets += p.length;
	}
	if (octets != m->envelope.body_octets || (m->piece_count && m->text.len))
		return -EBADMSG;
	return 0;
}

bool
record_next_result(struct span *results, struct record_result *r)
{
	struct cursor c = { .rest = *results };
	struct span   payload = take(&c, take32(&c));

	*results = c.rest;
	return !c.ran_out && record_result_read(payload, r);
}

/* --- a checkpoint -------------------------------------------------------------------------------------- */

void
record_checkpoint_head_write(uint64_t segment, uint32_t count, uint8_t out[static RECORD_CHECKPOINT_HEAD_LEN])
{
	(void)put32(put32(put64(out, segment), count), 0);
}

bool
record_checkpoint_read(struct span payload, struct record_checkpoint *k)
{
	struct cursor c = { .rest = payload };

	k->segment = take64(&c);
	k->count = take32(&c);
	(void)take32(&c);
	k->ids = c.rest;
	return !c.ran_out && k->ids.len == (uint64_t)k->count * RECORD_ID_LEN;
}

void
record_id_write(struct id id, uint8_t out[static RECORD_ID_LEN])
{
	(void)put_id(out, id);
}

struct id
record_id_read(struct span ids, uint32_t index)
{
	struct cursor c = { .rest = span_from(ids, (size_t)index * RECORD_ID_LEN) };

	return take_id(&c);
}
