/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small spool, cut at every octet and with a bit turned at every octet, read again each time.  What must hold:
 * nothing whole is lost, no message becomes another, what is unreadable is reported and stays, and a second
 * start finds what the first one found.
 *
 * All of it once in a fresh file and once in one that was a segment before, where the octets of its first life stand
 * behind the records instead of zeros.
 *
 * Under a sanitizer only every seventh octet is looked at.
 */
#include "tests/unit/queue/queue_rig.h"

#include <errno.h>

#include "queue/record.h"
#include "tests/support/run.h"

enum { SEGMENT_OCTETS = 32 << 10, MESSAGES = 6, RECORDS_MAX = 64 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 7 };
#else
enum { STRIDE = 1 };
#endif

struct expected {
	bool	 known;
	unsigned open, held;
};

static struct {
	struct id id[MESSAGES];
	size_t	  size[MESSAGES];
	char	 *bytes;
	size_t	  len;
	char	  name[32];
	bool	  reused;
	char	 *before; /* what the file held before its life as this segment */
	unsigned  count;
	struct place {
		uint64_t	     at, payload_end, end;
		struct record_header header;
		int		     message; /* it speaks of, -1: none */
	} records[RECORDS_MAX];
} spool;

static int
number_of(struct id id)
{
	for (unsigned i = 0; i < MESSAGES; i++)
		if (id_equal(spool.id[i], id))
			return (int)i;
	return -1;
}

/* Where each record is, from what was written. */
static void
take_apart(void)
{
	struct record_header h;
	uint64_t	     nonce;

	ck_assert(record_header_read_first((const uint8_t *)spool.bytes, &h));
	nonce = h.nonce;
	spool.count = 0;
	for (uint64_t at = 0; at < spool.len;) {
		struct place *p = &spool.records[spool.count];

		if (!record_header_read((const uint8_t *)spool.bytes + at, nonce, &p->header)) {
			at = (at / RECORD_BLOCK + 1) * RECORD_BLOCK;
			continue;
		}
		p->at = at;
		p->payload_end = at + RECORD_HEADER_LEN + p->header.length;
		p->end = at = at + record_stride(p->header.length);
		p->message = p->header.kind == RECORD_SEGMENT || p->header.kind == RECORD_END ?
				     -1 :
				     number_of(record_id_read(
					     span_make(spool.bytes + p->at + RECORD_HEADER_LEN, RECORD_ID_LEN), 0));
		ck_assert_uint_lt(++spool.count, RECORDS_MAX);
	}
}

/* What is known after the records for which `whole` says yes. */
static void
replay(bool (*whole)(const struct place *p, uint64_t arg), uint64_t arg, struct expected to[MESSAGES])
{
	memset(to, 0, MESSAGES * sizeof(*to));
	for (unsigned i = 0; i < spool.count; i++) {
		const struct place  *p = &spool.records[i];
		struct span	     payload = span_make(spool.bytes + p->at + RECORD_HEADER_LEN, p->header.length);
		struct expected	    *e = p->message < 0 ? NULL : &to[p->message];
		struct record_result r;
		struct record_act    a;

		if (e == NULL || !whole(p, arg))
			continue;
		if (p->header.kind == RECORD_MESSAGE) {
			*e = (struct expected){ .known = true, .open = RIG_RECIPIENTS };
		} else if (p->header.kind == RECORD_RESULT) {
			ck_assert(record_result_read(payload, &r));
			if (e->known && queue_state_final((enum queue_state)r.state) && --e->open == 0)
				e->known = false;
		} else if (p->header.kind == RECORD_ACT) {
			ck_assert(record_act_read(payload, &a));
			e->held = a.act == QUEUE_HOLD + 1;
		}
	}
}

/*
 * Six messages in one batch, results and acts in the next ones: 0 as it came, 1 half delivered, 2 done, 3 held, 4 deferred,
 * 5 of half a block.
 */
static void
build(bool reused)
{
	static const size_t sizes[MESSAGES] = { 300, 200, 40, 7, 0, 2000 };
	struct rig_intake   in[MESSAGES];
	char		    names[8][32];

	rig.params.segment_octets = SEGMENT_OCTETS;
	spool.reused = reused;
	spool.before = calloc(1, SEGMENT_OCTETS);
	rig_start();
	if (reused) {
		for (unsigned i = 0; i < 8; i++)
			(void)rig_put(100 + i, 2500);
		rig_stop();
		(void)rig_segments(names, 8);
		free(spool.before);
		spool.before = rig_read(names[0], &spool.len);
		rig_write("0000000000000001.old", spool.before, spool.len);
		rig_start();
	}
	for (unsigned i = 0; i < MESSAGES; i++) {
		spool.size[i] = sizes[i];
		ck_assert_int_eq(rig_intake_open(&in[i], i, sizes[i]), 0);
		ck_assert_int_eq(rig_intake_fill(&in[i]), 0);
		rig_intake_commit(&in[i], NULL);
		spool.id[i] = in[i].in.id;
	}
	for (unsigned i = 0; i < MESSAGES; i++) {
		rig_turn_until(&in[i].done);
		ck_assert_int_eq(in[i].result, 0);
	}
	rig_settle(spool.id[1], 0, QUEUE_DELIVERED, NULL);
	rig_settle(spool.id[2], 0, QUEUE_DELIVERED, NULL);
	rig_settle(spool.id[4], 1, QUEUE_WAITING, NULL);
	rig_act(spool.id[3], QUEUE_HOLD);
	rig_settle(spool.id[2], 1, QUEUE_FAILED, NULL);
	rig_stop();
	for (unsigned n = rig_segments(names, 8); n--;) {
		uint8_t id[RECORD_ID_LEN];

		record_id_write(spool.id[0], id);
		memcpy(spool.name, names[n], sizeof(spool.name));
		spool.bytes = rig_read(spool.name, &spool.len);
		if (memmem(spool.bytes, spool.len, id, sizeof(id)))
			break;
		free(spool.bytes);
		ck_assert_uint_gt(n, 0);
	}
	ck_assert_uint_eq(spool.len, SEGMENT_OCTETS);
	take_apart();
	ck_assert_uint_eq(spool.count, 1 + MESSAGES + 5 + 1);
	ck_assert_uint_eq(spool.records[spool.count - 1].header.kind, RECORD_END);
}

static void
put_back(const char *bytes, size_t len)
{
	char names[8][32];

	for (unsigned n = rig_segments(names, 8); n--;)
		rig_remove(names[n]);
	rig_write(spool.name, bytes, len);
}

static void
look(unsigned i, struct expected *found)
{
	struct queue_message *m = queue_find(rig.queue, spool.id[i]);

	*found = (struct expected){ .known = m != NULL };
	if (m) {
		found->open = m->open;
		found->held = m->held;
		/* What is known is what it was. */
		ck_assert_int_eq(rig_check(spool.id[i], i, spool.size[i]), 0);
	}
}

static bool
same(const struct expected *a, const struct expected *b)
{
	return a->known == b->known && (!a->known || (a->open == b->open && a->held == b->held));
}

/* --- cut ------------------------------------------------------------------------------------------------ */

static bool
whole_before(const struct place *p, uint64_t cut)
{
	return p->payload_end <= cut;
}

/* What stood behind the cut before may be as good as what was to come, zeros above all. */
static bool
whole_with_before(const struct place *p, uint64_t cut)
{
	uint64_t from = MAX_OF(p->at, cut);

	return p->payload_end <= cut || memcmp(spool.bytes + from, spool.before + from, p->payload_end - from) == 0;
}

static void
cut_at(uint64_t cut, bool short_file)
{
	struct expected want[MESSAGES], found;
	char	       *bytes = malloc(spool.len);
	bool		inside = false, damaged;
	unsigned	seen = spool.reused ? 24 : 1; /* octets of a header that tell it */
	unsigned	known;
	struct id	later = { 0 };

	memcpy(bytes, spool.before, spool.len);
	memcpy(bytes, spool.bytes, cut);
	put_back(bytes, short_file ? cut : spool.len);
	replay(short_file ? whole_before : whole_with_before, cut, want);
	for (unsigned i = 0; i < spool.count; i++)
		inside |= spool.records[i].at + seen <= cut && !whole_with_before(&spool.records[i], cut);
	for (unsigned start = 0; start < 3; start++) {
		if (start == 2 ? cut % 25 : start == 1 && cut % 5)
			break;
		rig_start();
		known = 0;
		for (unsigned i = 0; i < MESSAGES; i++) {
			look(i, &found);
			ck_assert_msg(same(&found, &want[i]), "cut %llu, start %u: message %u is %d/%u/%u, not %d/%u/%u",
				      (unsigned long long)cut, start, i, found.known, found.open, found.held,
				      want[i].known, want[i].open, want[i].held);
			known += found.known;
		}
		damaged = rig.what.damaged > 0;
		ck_assert_uint_eq(rig.what.messages, known + (start == 2));
		/* A cut is no damage, and does not become damage when there are records after it. */
		ck_assert_msg(!damaged || cut < RECORD_BLOCK, "cut %llu", (unsigned long long)cut);
		if (start == 0)
			ck_assert_msg(!inside || damaged || rig.what.torn_octets > 0, "cut %llu is not told",
				      (unsigned long long)cut);
		if (start == 1 && cut % 25 == 0)
			later = rig_put(77, 500);
		if (start == 2) {
			ck_assert_int_eq(rig_check(later, 77, 500), 0);
			ck_assert_uint_eq(rig.what.torn_octets, 0);
		}
		rig_stop();
	}
	free(bytes);
}

START_TEST(cut_at_every_octet)
{
	uint64_t last;

	build(_i & 1);
	last = spool.records[spool.count - 1].end;
	for (uint64_t cut = spool.records[1].at; cut <= last; cut += STRIDE)
		cut_at(cut, false);
	for (uint64_t cut = 0; cut <= last; cut += 95)
		cut_at(cut, true);
	free(spool.bytes);
	free(spool.before);
}
END_TEST

/* --- a bit turned ---------------------------------------------------------------------------------------- */

static bool
untouched(const struct place *p, uint64_t at)
{
	return at < p->at || at >= p->end;
}

static bool
always(const struct place *p, uint64_t at)
{
	(void)p;
	(void)at;
	return true;
}

/* The record in which octet `at` lies, or NULL. */
static const struct place *
record_of(uint64_t at)
{
	for (unsigned i = 0; i < spool.count; i++)
		if (!untouched(&spool.records[i], at))
			return &spool.records[i];
	return NULL;
}

static void
flip_at(uint64_t at)
{
	const struct place *hit = record_of(at);
	struct expected	    want[MESSAGES], intact[MESSAGES], found[MESSAGES], again;
	char		   *bytes = malloc(spool.len), *kept;
	size_t		    len;
	bool		    padding = hit && at >= hit->payload_end, damaged;

	memcpy(bytes, spool.bytes, spool.len);
	bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
	put_back(bytes, spool.len);
	replay(padding ? always : untouched, at, want);
	replay(always, at, intact);
	rig_start();
	damaged = rig.what.damaged > 0;
	ck_assert_msg(padding || damaged || rig.what.torn_octets > 0, "bit at %llu is not told", (unsigned long long)at);
	for (unsigned i = 0; i < MESSAGES; i++) {
		look(i, &found[i]);
		ck_assert_msg(same(&found[i], &want[i]), "bit at %llu: message %u", (unsigned long long)at, i);
		if (hit == NULL || hit->message != (int)i)
			ck_assert_msg(same(&found[i], &intact[i]), "bit at %llu: other message %u",
				      (unsigned long long)at, i);
	}
	rig_stop();
	if (damaged) {
		kept = rig_read(spool.name, &len);
		ck_assert_uint_eq(len, spool.len);
		ck_assert(memcmp(kept, bytes, len) == 0);
		free(kept);
	}
	if (at % 5 == 0) {
		rig_start();
		ck_assert_int_eq(rig.what.damaged > 0, damaged);
		for (unsigned i = 0; i < MESSAGES; i++) {
			look(i, &again);
			ck_assert_msg(same(&found[i], &again), "bit at %llu, started again: message %u",
				      (unsigned long long)at, i);
		}
		rig_stop();
	}
	free(bytes);
}

START_TEST(bit_at_every_octet)
{
	uint64_t last;

	build(_i & 1);
	last = spool.records[spool.count - 1].end;
	for (uint64_t at = 0; at < last; at += STRIDE)
		if (record_of(at) || at % 16 == 0) /* zeros between batches: not every one */
			flip_at(at);
	free(spool.bytes);
	free(spool.before);
}
END_TEST

/* --- old octets ------------------------------------------------------------------------------------------ */

/* A record that stands there again is not read again: a message that is done would come back. */
START_TEST(old_record_is_not_believed)
{
	const struct place *p;
	struct expected	    want[MESSAGES], found;
	uint64_t	    at;
	char		   *bytes;

	build(_i & 2);
	at = spool.records[spool.count - 1].at + (_i & 1 ? RECORD_BLOCK : 0); /* behind END, or in its place */
	for (p = spool.records; p->header.kind != RECORD_MESSAGE || p->message != 2; p++)
		;
	replay(always, 0, want);
	ck_assert(!want[2].known);
	bytes = calloc(1, spool.len);
	memcpy(bytes, spool.bytes, spool.len);
	memcpy(bytes + at, spool.bytes + p->at, p->end - p->at);
	put_back(bytes, spool.len);
	free(bytes);
	rig_start();
	ck_assert_uint_eq(rig.what.torn_octets > 0, (_i & 1) == 0);
	ck_assert_uint_eq(rig.what.damaged, 0);
	for (unsigned i = 0; i < MESSAGES; i++) {
		look(i, &found);
		ck_assert(same(&found, &want[i]));
	}
	free(spool.bytes);
	free(spool.before);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("small spool");

	tcase_add_checked_fixture(tc, rig_open, rig_close);
	tcase_set_timeout(tc, 200);
	tcase_add_loop_test(tc, cut_at_every_octet, 0, 2);
	tcase_add_loop_test(tc, bit_at_every_octet, 0, 2);
	tcase_add_loop_test(tc, old_record_is_not_believed, 0, 4);
	return run_case("recovery", tc);
}
