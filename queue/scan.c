/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment taken apart into records (docs/queue-format.md, section 7).
 *
 * What is no sound record is in doubt until something tells what it is: a sound record behind it makes it damage, END nothing
 * that matters.  Without END the segment was in use, and what is in doubt was on its way, unless records in a later
 * segment show that it was not the last one.  Most of what is behind the last batch is of an earlier life of the file: only what
 * looks like this one's records is called torn, and nobody who does not know its nonce can write such.
 */
#include "queue/recovery.h"

#include "core/crc32c.h"

enum { RECORDS_PER_TURN = 400, OCTETS_PER_TURN = 4 << 20 };

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

/* Batches were written after it, so it was not in use any more: its end should be there. */
static void
open_after_all(struct recovery *v)
{
	if (v->open == NULL || v->open == v->segment)
		return;
	recovery_damage(v, v->open, v->open_from, MAX_OF(v->torn_octets, (uint64_t)RECORD_BLOCK),
			"no record where one should be");
	v->open = NULL;
}

/* Up to here all was acknowledged.  Batches fill their last block with zeros. */
static void
missing_before(struct recovery *v, uint64_t to)
{
	uint64_t sound_to = MIN_OF(v->doubt_from, record_blocks(v->sound_to));

	if (sound_to < to)
		recovery_damage(v, v->segment, sound_to, to - sound_to, "no sound record where one should be");
}

/*
 * Here the segment ends without END, or where a later one voids it.  If it is the one batches went to last, what is behind
 * the last sound record was never acknowledged, as far as anybody can tell; but where the disk could not be read, and in
 * front of what is voided, we know that something is missing.
 */
static void
take_tail(struct recovery *v)
{
	bool	 voided = v->segment->void_from != UINT64_MAX;
	uint64_t from = MIN_OF(v->doubt_from, v->sound_to), end = v->size;

	if (v->doubt_from != RECOVERY_NO_DOUBT && !v->segment->reused) { /* whatever is there is ours */
		while (end > from && v->bytes[end - 1] == 0)
			end--;
		v->trace_to = MAX_OF(v->trace_to, end);
	}
	if (voided || (v->bad_blocks && v->doubt_from != RECOVERY_NO_DOUBT))
		missing_before(v, v->size);
	v->doubt_from = RECOVERY_NO_DOUBT;
	if (v->bad_blocks || voided || !(v->in_use || v->trace_to))
		return;
	open_after_all(v);
	v->open = v->segment;
	v->open_from = from;
	v->open_reach = MAX_OF(v->reach, from);
	v->torn_octets = v->trace_to > from ? MIN_OF(v->trace_to, v->size) - from : 0;
}

/* The end of the segment: whatever is behind it, and from `from` to it, is of an earlier life or was never acknowledged. */
static void
take_end(struct recovery *v, uint64_t from)
{
	missing_before(v, from);
	v->doubt_from = RECOVERY_NO_DOUBT;
	v->ended = true;
}

/* What was in doubt is damage, for here is a record behind it. */
static void
end_doubt(struct recovery *v)
{
	if (v->doubt_from == RECOVERY_NO_DOUBT)
		return;
	recovery_damage(v, v->segment, v->doubt_from, v->place - v->doubt_from, "no sound record where one should be");
	v->doubt_from = RECOVERY_NO_DOUBT;
}

static void
take_record(struct recovery *v, const struct record_header *h)
{
	struct span payload = span_make(v->bytes + v->place + RECORD_HEADER_LEN, h->length);
	uint64_t    next = MIN_OF(v->place + record_stride(h->length), v->size), from;

	if (crc32c(0, payload.data, payload.len) != h->payload_crc) {
		v->doubt_from = MIN_OF(v->doubt_from, v->place);
		v->trace_to = next;
	} else {
		if (h->kind != RECORD_SEGMENT) {
			open_after_all(v);
			v->in_use = true;
		}
		if (h->kind == RECORD_END && record_end_read(payload, &from) && from <= v->place) {
			take_end(v, from);
		} else {
			end_doubt(v);
			replay_record(v, h, payload, v->place);
		}
		v->sound_to = next;
	}
	v->reach = next;
	v->last_lsn = h->lsn;
	v->lsn_max = MAX_OF(v->lsn_max, h->lsn);
	v->place = v->ended ? v->size : next;
}

/* From here to the next sound header, or to the end, there is something that is no record.  It is looked through no further
 * than `stop`, where the next turn goes on. */
static void
take_other(struct recovery *v, uint64_t stop)
{
	struct record_header h;
	uint64_t	     at = v->place, end = MIN_OF(stop, v->size), octets;

	do {
		if (at + RECORD_HEADER_LEN <= v->size &&
		    record_header_trace((const uint8_t *)v->bytes + at, v->segment->nonce, &octets))
			v->trace_to = at + octets;
		at += RECORD_ALIGN;
	} while (at < end && !record_at(v, at, &h));
	v->doubt_from = MIN_OF(v->doubt_from, v->place);
	v->place = MIN_OF(at, v->size);
}

bool
recovery_scan(struct recovery *v)
{
	uint64_t stop = v->place + OCTETS_PER_TURN;

	for (unsigned i = 0; i < RECORDS_PER_TURN && v->place < MIN_OF(stop, v->size); i++) {
		struct record_header h;
		uint64_t	     next;

		if (record_at(v, v->place, &h))
			take_record(v, &h);
		else if (rest_is_zero(v, v->place, &next))
			v->place = next;
		else
			take_other(v, stop);
	}
	if (v->place < v->size)
		return false;
	if (!v->ended)
		take_tail(v);
	return true;
}
