/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment taken apart into records (docs/queue-format.md, section 7).
 *
 * What is no sound record is in doubt until something tells what it is: a sound record behind it makes it damage, the end of
 * the segment a torn tail, unless records in a later segment show that this was not the last batch.
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

/* Batches were written after it, so it was not the last one. */
static void
torn_after_all(struct recovery *v)
{
	if (v->torn == NULL || v->torn == v->segment)
		return;
	recovery_damage(v, v->torn, v->torn_from, v->torn_octets, "no record where one should be");
	v->torn = NULL;
}

/*
 * Nothing can be made of the rest.  If it is where the last batch went it was never acknowledged, as far as anybody can
 * tell; but where the disk could not be read we know nothing.
 */
static void
take_tail(struct recovery *v)
{
	uint64_t from = v->doubt_from, end = v->size;

	while (end > from && v->bytes[end - 1] == 0)
		end--;
	v->doubt_from = RECOVERY_NO_DOUBT;
	if (v->bad_blocks) {
		recovery_damage(v, v->segment, from, end - from, "no sound record where one should be");
		return;
	}
	torn_after_all(v);
	v->torn = v->segment;
	v->torn_from = from;
	v->torn_octets = end - from;
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

	if (crc32c(0, payload.data, payload.len) == h->payload_crc) {
		end_doubt(v);
		if (h->kind != RECORD_SEGMENT)
			torn_after_all(v);
		replay_record(v, h, payload, v->place);
	} else {
		v->doubt_from = MIN_OF(v->doubt_from, v->place);
	}
	v->last_lsn = h->lsn;
	v->lsn_max = MAX_OF(v->lsn_max, h->lsn);
	v->place = MIN_OF(v->place + record_stride(h->length), v->size);
}

/* From here to the next sound header, or to the end, there is something that is no record.  It is looked through no further
 * than `stop`, where the next turn goes on. */
static void
take_other(struct recovery *v, uint64_t stop)
{
	struct record_header h;
	uint64_t	     at = v->place + RECORD_ALIGN, end = MIN_OF(stop, v->size);

	while (at < end && !record_at(v, at, &h))
		at += RECORD_ALIGN;
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
	if (v->doubt_from != RECOVERY_NO_DOUBT)
		take_tail(v);
	return true;
}
