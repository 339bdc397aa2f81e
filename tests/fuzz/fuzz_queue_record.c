/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as the payload of a record; the first says of which kind.  They are refused, or what they say is written
 * again and reads as the same.
 */
#include "queue/record.h"

#include <errno.h>

enum { ARENA_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
same_result(const struct record_result *a, const struct record_result *b)
{
	return id_equal(a->id, b->id) && a->recipient == b->recipient && a->state == b->state &&
	       a->delayed == b->delayed && a->attempt == b->attempt && a->code == b->code &&
	       a->attempts == b->attempts && a->due_ms == b->due_ms && a->at_ms == b->at_ms &&
	       span_equal(span_first(a->host, RECORD_HOST_MAX), b->host) &&
	       span_equal(span_first(a->text, RECORD_TEXT_MAX), b->text);
}

static void
check_result(const struct record_result *r)
{
	uint8_t		     bytes[RECORD_RESULT_MAX];
	struct record_result again;
	size_t		     len = record_result_write(r, bytes);

	INVARIANT(len <= sizeof(bytes) && r->state != QUEUE_IN_HAND);
	INVARIANT(record_result_read(span_make(bytes, len), &again) && same_result(r, &again));
}

static void
check_envelope(const struct envelope *a, const struct envelope *b)
{
	INVARIANT(id_equal(a->id, b->id) && a->accepted_ms == b->accepted_ms && a->body_octets == b->body_octets);
	INVARIANT(a->flags == b->flags && a->hops == b->hops && id_equal(a->origin, b->origin));
	INVARIANT(memcmp(&a->client, &b->client, sizeof(a->client)) == 0);
	INVARIANT(span_equal(a->sender, b->sender) && span_equal(a->envid, b->envid) && span_equal(a->helo, b->helo));
	INVARIANT(a->recipient_count == b->recipient_count && a->recipient_count > 0);
	for (uint32_t i = 0; i < a->recipient_count; i++) {
		INVARIANT(a->recipients[i].notify == b->recipients[i].notify);
		INVARIANT(span_equal(a->recipients[i].address, b->recipients[i].address));
		INVARIANT(span_equal(a->recipients[i].orcpt, b->recipients[i].orcpt));
	}
}

static void
check_message(struct span payload)
{
	struct arena	      arena, arena_again;
	struct record_message m, again;
	struct record_result  r;
	struct span	      results, rest;
	uint64_t	      octets = 0;
	uint32_t	      count = 0;
	size_t		      len;
	uint8_t		     *bytes;

	arena_init(&arena, ARENA_MAX);
	arena_init(&arena_again, ARENA_MAX);
	if (record_message_read(payload, &arena, &m) == 0) {
		len = record_message_head_len(&m.envelope);
		bytes = malloc(len);
		INVARIANT(bytes && len + m.pieces.len + m.results.len + m.text.len == payload.len);
		INVARIANT(record_message_head_write(&m.envelope, m.piece_count, m.result_count, bytes) == bytes + len);
		INVARIANT(record_message_head_read(span_make(bytes, len), &arena_again, &again, &rest) == 0);
		INVARIANT(rest.len == 0 && again.piece_count == m.piece_count && again.result_count == m.result_count);
		check_envelope(&m.envelope, &again.envelope);
		for (uint32_t i = 0; i < m.piece_count; i++) {
			struct record_piece_ref p;

			record_piece_ref_read(m.pieces, i, &p);
			octets += p.length;
		}
		INVARIANT(octets + m.text.len == m.envelope.body_octets);
		results = m.results;
		while (record_next_result(&results, &r)) {
			check_result(&r);
			count++;
		}
		INVARIANT(count == m.result_count && results.len == 0);
		free(bytes);
	}
	arena_reset(&arena);
	arena_reset(&arena_again);
}

static void
check_payload(enum record_kind kind, struct span payload)
{
	uint8_t			 bytes[64];
	struct record_segment	 s, s_again;
	struct record_piece	 p;
	struct record_act	 a, a_again;
	struct record_result	 r;
	struct record_checkpoint k;
	uint64_t		 from;

	switch (kind) {
	case RECORD_SEGMENT:
		if (!record_segment_read(payload, &s))
			return;
		record_segment_write(&s, bytes);
		INVARIANT(record_segment_read(span_make(bytes, RECORD_SEGMENT_LEN), &s_again));
		INVARIANT(s.number == s_again.number && s.octets == s_again.octets);
		INVARIANT(s.void_number == s_again.void_number && s.void_from == s_again.void_from);
		return;
	case RECORD_MESSAGE:
		check_message(payload);
		return;
	case RECORD_END:
		if (record_end_read(payload, &from))
			INVARIANT(payload.len == RECORD_END_LEN);
		return;
	case RECORD_PIECE:
		if (record_piece_read(payload, &p))
			INVARIANT(p.bytes.len + RECORD_PIECE_HEAD_LEN == payload.len);
		return;
	case RECORD_RESULT:
		if (record_result_read(payload, &r))
			check_result(&r);
		return;
	case RECORD_ACT:
		if (!record_act_read(payload, &a))
			return;
		record_act_write(&a, bytes);
		INVARIANT(record_act_read(span_make(bytes, RECORD_ACT_LEN), &a_again));
		INVARIANT(id_equal(a.id, a_again.id) && a.act == a_again.act && a.at_ms == a_again.at_ms);
		return;
	case RECORD_CHECKPOINT:
		if (record_checkpoint_read(payload, &k) && k.count)
			(void)record_id_read(k.ids, k.count - 1);
		return;
	}
}

static void
check_header(const uint8_t *bytes, size_t size)
{
	struct record_header h;
	uint8_t		     again[RECORD_HEADER_LEN];

	if (size < RECORD_HEADER_LEN || !record_header_read_first(bytes, &h))
		return;
	record_header_write(&h, again);
	INVARIANT(memcmp(bytes, again, sizeof(again)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 2)
		return 0;
	copy = malloc(size - 1); /* of exact size: reading one more octet is seen */
	if (copy == NULL)
		return 0;
	memcpy(copy, data + 1, size - 1);
	check_header(copy, size - 1);
	check_payload((enum record_kind)(RECORD_SEGMENT + data[0] % RECORD_END), span_make(copy, size - 1));
	free(copy);
	return 0;
}
