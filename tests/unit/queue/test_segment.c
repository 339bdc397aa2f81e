/* SPDX-License-Identifier: Apache-2.0 */
/* Which segment may go, and when. */
#include "tests/unit/queue/queue_faults.h"

#include <errno.h>
#include <unistd.h>

#include "core/crc32c.h"
#include "queue/limits.h"
#include "queue/record.h"
#include "tests/support/run.h"

enum { FILLING = 6000 };

static unsigned
segments_on_disk(void)
{
	char names[64][32];

	return rig_segments(names, 64);
}

static bool
there_is(uint64_t number)
{
	char	 names[64][32];
	unsigned n = rig_segments(names, 64);

	while (n--)
		if (strtoull(names[n], NULL, 16) == number)
			return true;
	return false;
}

static uint64_t
segment_of(struct id id)
{
	uint64_t number = 0;
	char	 names[64][32];
	unsigned n = rig_segments(names, 64);

	/* The one whose octets name the message; ids are random enough. */
	while (n-- && number == 0) {
		size_t	len;
		char   *bytes = rig_read(names[n], &len);
		uint8_t want[16];

		memcpy(want, &id.high, 8);
		memcpy(want + 8, &id.low, 8);
		if (memmem(bytes, len, want, sizeof(want)))
			number = strtoull(names[n], NULL, 16);
		free(bytes);
	}
	return number;
}

static void
wait_until_gone(uint64_t number)
{
	for (unsigned i = 0; there_is(number); i++) {
		ck_assert_msg(i < 5000, "segment %llu stays", (unsigned long long)number);
		turn_and_forward();
	}
}

static void
finish(struct id id)
{
	for (unsigned r = 0; r < RIG_RECIPIENTS; r++)
		if (queue_find(rig.queue, id)->recipients[r].state == QUEUE_WAITING)
			rig_settle(id, r, QUEUE_DELIVERED, NULL);
}

/* Messages that are done as soon as they are in, until the shard writes to another segment. */
static void
go_to_the_next(void)
{
	struct id first = rig_put(900, FILLING), last = first;
	uint64_t  from = segment_of(first);

	for (unsigned i = 901; segment_of(last) == from; i++) {
		struct id id = rig_put(i, FILLING);

		finish(last);
		last = id;
		ck_assert_uint_lt(i, 1000);
	}
	finish(last);
	for (unsigned i = 0; i < 20; i++)
		turn_and_forward();
}

START_TEST(goes_when_nothing_in_it_is_needed)
{
	struct id id = rig_put(0, 100);
	uint64_t  number = segment_of(id);

	go_to_the_next();
	ck_assert(there_is(number));
	finish(id);
	wait_until_gone(number);
	for (unsigned i = 0; i < 5; i++)
		go_to_the_next();
	for (number = 2; number < 5; number++)
		wait_until_gone(number);
}
END_TEST

/* A result in a later segment must not go before the message it speaks of. */
START_TEST(results_outlive_their_message)
{
	struct id neighbour = rig_put(0, 100), done = rig_put(1, 100);
	uint64_t  number = segment_of(done);

	go_to_the_next();
	finish(done);
	rig_act(neighbour, QUEUE_HOLD);
	go_to_the_next();
	go_to_the_next();
	ck_assert_uint_ge(segments_on_disk(), 3);
	rig_restart();
	ck_assert_uint_eq(rig.what.messages, 1);
	ck_assert_ptr_null(queue_find(rig.queue, done));
	ck_assert_uint_eq(queue_find(rig.queue, neighbour)->held, 1);
	go_to_the_next();
	rig_restart();
	ck_assert_ptr_null(queue_find(rig.queue, done));
	finish(neighbour);
	wait_until_gone(number);
}
END_TEST

/* What a failed write left is voided as long as it is there. */
START_TEST(voiding_outlives_the_void)
{
	struct id kept = rig_put(0, 100), refused;

	for (unsigned i = 0; i < 20; i++)
		turn_and_forward(); /* the next segment is ready, and must not be used */
	faults.kind = FAULT_LIE;
	faults.at = faults.count + 1;
	ck_assert_int_eq(rig_try(1, 100, &refused), -EIO);
	wait_for_mail();
	for (unsigned i = 0; i < 3; i++)
		go_to_the_next();
	for (unsigned i = 0; i < 2; i++) {
		rig_restart();
		ck_assert_ptr_null(queue_find(rig.queue, refused));
		ck_assert_int_eq(rig_check(kept, 0, 100), 0);
		ck_assert_uint_eq(rig.what.messages, 1);
		ck_assert_uint_eq(rig.what.damaged, 0);
		go_to_the_next();
		go_to_the_next();
	}
}
END_TEST

/* A name is gone only after the directory was synced; before that nothing that settled its messages goes. */
START_TEST(removal_is_on_disk_before_the_next)
{
	struct id   a = rig_put(0, 100);
	uint64_t    first = segment_of(a), second;
	struct id   b;
	char	    text[2][32];
	const char *one, *two;

	go_to_the_next();
	b = rig_put(1, 100);
	second = segment_of(b);
	ck_assert_uint_gt(second, first);
	rig_act(a, QUEUE_HOLD);
	go_to_the_next();
	finish(b);
	faults.names_len = 0;
	rig_act(a, QUEUE_DELETE);
	wait_until_gone(first);
	wait_until_gone(second);
	(void)snprintf(text[0], sizeof(text[0]), "-%llu", (unsigned long long)first);
	(void)snprintf(text[1], sizeof(text[1]), "-%llu", (unsigned long long)second);
	one = strstr(faults.names, text[0]);
	two = strstr(faults.names, text[1]);
	ck_assert_msg(one && two && one < two && memchr(one, '=', (size_t)(two - one)), "%s", faults.names);
}
END_TEST

/* A file that is done with becomes the next segment, and says so; no more of them are kept than are wanted. */
START_TEST(file_is_written_anew)
{
	char		      names[64][32], *bytes;
	size_t		      len;
	struct record_header  h;
	struct record_segment about = { 0 };
	struct id	      last = { 0 };

	for (unsigned i = 0; i < 6; i++) {
		go_to_the_next();
		ck_assert_uint_le(rig_spares(names, 64), QUEUE_SPARES_KEPT);
	}
	for (unsigned i = 0; i < 3; i++) {
		last = rig_put(i, 3000);
		rig_restart();
		ck_assert_uint_eq(rig.what.damaged, 0);
		ck_assert_uint_eq(rig.what.torn_octets, 0);
		ck_assert_uint_eq(rig.what.messages, i + 1);
		ck_assert_int_eq(rig_check(last, i, 3000), 0);
	}
	(void)snprintf(names[0], sizeof(names[0]), "%016llx.seg", (unsigned long long)segment_of(last));
	bytes = rig_read(names[0], &len);
	ck_assert_uint_eq(len, rig.params.segment_octets);
	ck_assert(record_header_read_first((const uint8_t *)bytes, &h));
	ck_assert(record_segment_read(span_make(bytes + RECORD_HEADER_LEN, h.length), &about));
	ck_assert(about.reused);
	free(bytes);
}
END_TEST

/* An empty shard goes on counting where it was. */
START_TEST(numbers_are_not_used_again)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < 3; i++) {
		struct id id = rig_put(i, 100);

		ck_assert_uint_gt(segment_of(id), number);
		number = segment_of(id);
		finish(id);
		for (unsigned turn = 0; turn < 20; turn++)
			turn_and_forward();
		rig_restart();
		for (unsigned turn = 0; turn < 20; turn++)
			turn_and_forward();
	}
	/* And it does not grow by being started. */
	ck_assert_uint_le(segments_on_disk(), 3);
}
END_TEST

START_TEST(removal_is_tried_again)
{
	struct id id = rig_put(0, 100);
	uint64_t  number = segment_of(id);

	go_to_the_next();
	finish(id);
	faults.kind = FAULT_ERROR;
	faults.at = faults.count + 2; /* behind the write of the result */
	faults.stays = true;
	for (unsigned i = 0; i < 60; i++)
		turn_and_forward();
	ck_assert(there_is(number));
	ck_assert_uint_lt(faults.count, 400); /* after pauses */
	heal();
	wait_until_gone(number);
}
END_TEST

START_TEST(large_record_gets_a_large_segment)
{
	struct id small = rig_put(0, 100), large, last;

	rig.params.inline_octets_max = 1 << 20;
	queue_configure(rig.queue, &rig.params);
	large = rig_put(1, 200000);
	last = rig_put(2, 100);
	rig_restart();
	ck_assert_int_eq(rig_check(small, 0, 100), 0);
	ck_assert_int_eq(rig_check(large, 1, 200000), 0);
	ck_assert_int_eq(rig_check(last, 2, 100), 0);
}
END_TEST

/* --- damage ---------------------------------------------------------------------------------------------- */

static void
spoil(uint64_t number, size_t at, size_t octets)
{
	char   name[32];
	size_t len;
	char  *bytes;

	(void)snprintf(name, sizeof(name), "%016llx.seg", (unsigned long long)number);
	bytes = rig_read(name, &len);
	memset(bytes + at, 0xa5, octets);
	rig_write(name, bytes, len);
	free(bytes);
}

START_TEST(first_block_may_be_lost)
{
	struct id id = rig_put(0, 100);
	uint64_t  number = segment_of(id);

	rig_stop();
	spoil(number, 0, 4096);
	for (unsigned i = 0; i < 2; i++) {
		rig_start();
		ck_assert_uint_ge(rig.what.damaged, 1);
		ck_assert_int_eq(rig_check(id, 0, 100), 0);
		rig_stop();
	}
	spoil(number, 0, 8192);
	rig_start();
	ck_assert_ptr_null(queue_find(rig.queue, id));
	rig_restart();
	ck_assert(there_is(number));
}
END_TEST

/* Of a later version: nothing in it is guessed at, nothing of it goes. */
START_TEST(another_form_is_left_alone)
{
	struct id	     id = rig_put(0, 100);
	uint64_t	     number = segment_of(id);
	char		     name[32];
	size_t		     len;
	char		    *bytes;
	struct record_header h;

	rig_stop();
	(void)snprintf(name, sizeof(name), "%016llx.seg", (unsigned long long)number);
	bytes = rig_read(name, &len);
	ck_assert(record_header_read_first((const uint8_t *)bytes, &h));
	bytes[RECORD_HEADER_LEN] = RECORD_FORMAT + 1;
	h.payload_crc = crc32c(0, bytes + RECORD_HEADER_LEN, h.length);
	record_header_write(&h, (uint8_t *)bytes);
	rig_write(name, bytes, len);
	rig_start();
	ck_assert_uint_eq(rig.what.damaged, 1);
	ck_assert_ptr_null(queue_find(rig.queue, id));
	rig_stop();
	bytes[RECORD_HEADER_LEN] = RECORD_FORMAT;
	h.payload_crc = crc32c(0, bytes + RECORD_HEADER_LEN, h.length);
	record_header_write(&h, (uint8_t *)bytes);
	rig_write(name, bytes, len);
	free(bytes);
	rig_start();
	ck_assert_int_eq(rig_check(id, 0, 100), 0);
}
END_TEST

/* A segment that cannot be read now may be readable at the next start: what settles its messages stays. */
START_TEST(results_outlive_what_cannot_be_read)
{
	struct id kept = rig_put(0, 100), done = rig_put(1, 100);
	uint64_t  number = segment_of(kept);
	char	  name[32], *bytes;
	size_t	  len;

	go_to_the_next();
	finish(done);
	go_to_the_next();
	rig_stop();
	(void)snprintf(name, sizeof(name), "%016llx.seg", (unsigned long long)number);
	bytes = rig_read(name, &len);
	spoil(number, 0, len);
	rig_start();
	ck_assert_uint_eq(rig.what.messages, 0);
	go_to_the_next();
	go_to_the_next();
	rig_stop();
	rig_write(name, bytes, len);
	free(bytes);
	rig_start();
	ck_assert_uint_eq(rig.what.messages, 1);
	ck_assert_int_eq(rig_check(kept, 0, 100), 0);
}
END_TEST

/* Blocks the disk cannot read cost what lies in them and nothing else, and only as long as it cannot. */
START_TEST(bad_block_hides_no_other)
{
	enum { COUNT = 4 };
	static const struct {
		uint64_t from, to;
		unsigned lost; /* bits: which of the messages, one in each block behind the first */
	} cases[] = {
		{ 0, 1, 0 },	 { 0, 4096, 0 },	{ 4096, 8192, 1 },   { 8192, 8193, 2 },
		{ 12288, 20480, 4 | 8 }, { 16384, 20480, 8 }, { 0, 65536, 15 }, { 65535, 65536, 0 },
	};
	struct id id[COUNT];

	for (unsigned i = 0; i < COUNT; i++)
		id[i] = rig_put(i, 100);
	rig_stop();
	faults.bad_from = cases[_i].from;
	faults.bad_to = cases[_i].to;
	rig_start();
	ck_assert_uint_ge(rig.what.damaged, 1);
	ck_assert_uint_eq(rig.what.torn_octets, 0);
	faults.bad_to = 0;
	for (unsigned i = 0; i < COUNT; i++) {
		ck_assert_msg((queue_find(rig.queue, id[i]) == NULL) == (cases[_i].lost >> i & 1), "case %d: %u", _i, i);
		if (!(cases[_i].lost >> i & 1))
			ck_assert_int_eq(rig_check(id[i], i, 100), 0);
	}
	(void)rig_put(9, 100);
	rig_restart();
	ck_assert_uint_eq(rig.what.damaged, 0);
	for (unsigned i = 0; i < COUNT; i++)
		ck_assert_int_eq(rig_check(id[i], i, 100), 0);
}
END_TEST

/* Where the disk returned errors nothing is torn: the rest of a record whose beginning cannot be read is not given up. */
START_TEST(rest_behind_a_bad_block_is_kept)
{
	struct id id[2] = { rig_put(0, 100), rig_put(1, 6000) };

	rig_stop();
	faults.bad_from = 8192;
	faults.bad_to = 12288;
	rig_start();
	ck_assert_uint_eq(rig.what.torn_octets, 0);
	ck_assert_ptr_null(queue_find(rig.queue, id[1]));
	(void)rig_put(9, 100);
	faults.bad_to = 0;
	rig_restart();
	ck_assert_int_eq(rig_check(id[0], 0, 100), 0);
	ck_assert_int_eq(rig_check(id[1], 1, 6000), 0);
}
END_TEST

START_TEST(want_of_descriptors_is_waited_out)
{
	struct id id = rig_put(0, 100);

	rig_stop();
	faults.kind = FAULT_NO_DESCRIPTOR;
	faults.at = faults.count + 3; /* behind the syncs of the directories */
	faults.stays = true;
	rig_begin();
	for (unsigned i = 0; i < 60; i++)
		turn_and_forward();
	ck_assert(!rig.recovered);
	ck_assert_int_eq(queue_refusal(rig.queue), -EBUSY);
	heal();
	for (unsigned i = 0; i < PATIENCE && !rig.recovered; i++)
		turn_and_forward();
	ck_assert(rig.recovered);
	ck_assert_uint_eq(rig.what.damaged, 0);
	ck_assert_int_eq(rig_check(id, 0, 100), 0);
}
END_TEST

/* Where END stands in a segment; 0: nowhere. */
static uint64_t
end_of(uint64_t number)
{
	struct record_header h, first;
	char		     name[32], *bytes;
	size_t		     len;
	uint64_t	     at = 0, found = 0;

	(void)snprintf(name, sizeof(name), "%016llx.seg", (unsigned long long)number);
	bytes = rig_read(name, &len);
	ck_assert(record_header_read_first((const uint8_t *)bytes, &first));
	for (at = RECORD_BLOCK; at < len && found == 0; at += RECORD_BLOCK)
		if (record_header_read((const uint8_t *)bytes + at, first.nonce, &h) && h.kind == RECORD_END)
			found = at;
	free(bytes);
	return found;
}

/* An END that cannot be read is missed only where other segments were written to after it. */
START_TEST(end_before_later_records_is_damage)
{
	struct id first = rig_put(0, 100), last;
	uint64_t  number = segment_of(first);

	go_to_the_next();
	last = rig_put(1, 100);
	rig_stop();
	number = _i ? segment_of(last) : number;
	spoil(number, end_of(number), RECORD_HEADER_LEN);
	rig_start();
	ck_assert_uint_eq(rig.what.damaged > 0, _i == 0);
	ck_assert_uint_eq(rig.what.torn_octets > 0, _i == 1);
	ck_assert_int_eq(rig_check(first, 0, 100), 0);
	ck_assert_int_eq(rig_check(last, 1, 100), 0);
}
END_TEST

/* As a crash leaves it: from this offset on the segment holds what its file held before. */
static void
undo_from(uint64_t number, size_t at, const char *before)
{
	char   name[32];
	size_t len;
	char  *bytes;

	(void)snprintf(name, sizeof(name), "%016llx.seg", (unsigned long long)number);
	bytes = rig_read(name, &len);
	if (before)
		memcpy(bytes + at, before + at, len - at);
	else
		memset(bytes + at, 0, len - at);
	rig_write(name, bytes, len);
	free(bytes);
}

/* Of a torn record the header may be there, which says how far it would have gone: END is not written into that, where no
 * reader would look for it. */
START_TEST(end_is_behind_what_is_torn)
{
	struct rig_intake in[2];
	struct id	  first = rig_put(0, 100), last;
	uint64_t	  number = segment_of(first);

	for (unsigned i = 0; i < 2; i++) { /* one batch: the second begins in its first block */
		ck_assert_int_eq(rig_intake_open(&in[i], 1 + i, i ? 7000 : 100), 0);
		ck_assert_int_eq(rig_intake_fill(&in[i]), 0);
		rig_intake_commit(&in[i], NULL);
	}
	for (unsigned i = 0; i < 2; i++)
		rig_turn_until(&in[i].done);
	rig_stop();
	undo_from(number, 3 * RECORD_BLOCK, NULL);
	rig_start();
	ck_assert_uint_eq(rig.what.messages, 2);
	ck_assert_uint_gt(rig.what.torn_octets, 0);
	last = rig_put(3, 100);
	for (unsigned i = 0; i < 2; i++) {
		rig_restart();
		ck_assert_uint_eq(rig.what.damaged, 0);
		ck_assert_uint_eq(rig.what.torn_octets, 0);
		ck_assert_int_eq(rig_check(first, 0, 100), 0);
		ck_assert_int_eq(rig_check(in[0].in.id, 1, 100), 0);
		ck_assert_int_eq(rig_check(last, 3, 100), 0);
	}
	finish(last);
	finish(first);
	finish(in[0].in.id);
	go_to_the_next();
	wait_until_gone(number);
}
END_TEST

/* What a sender wrote into the text of a message stands in a file that is written anew, too. */
START_TEST(likeness_in_old_octets_is_nothing)
{
	static const uint32_t likeness[] = { RECORD_MAGIC, 0, 0x01010101, 0x01010101, ~0u, 0x7fffffff, 4000, 0, 2, 0 };
	char		     *before = malloc(rig.params.segment_octets);
	struct id	      id;
	uint64_t	      number;

	for (size_t at = 0; at < rig.params.segment_octets; at += sizeof(likeness))
		memcpy(before + at, likeness, MIN_OF(sizeof(likeness), rig.params.segment_octets - at));
	rig_stop();
	rig_write("0000000000000000.old", before, rig.params.segment_octets);
	rig_write("0000000000000001.old", before, rig.params.segment_octets);
	rig_start();
	id = rig_put(0, 100);
	number = segment_of(id);
	for (unsigned i = 0; i < 20; i++)
		turn_and_forward(); /* the next one is ready */
	rig_stop();
	ck_assert(there_is(number + 1));
	undo_from(number, end_of(number), before);
	free(before);
	rig_start();
	ck_assert_uint_eq(rig.what.damaged, 0);
	ck_assert_uint_eq(rig.what.torn_octets, 0);
	ck_assert_int_eq(rig_check(id, 0, 100), 0);
	ck_assert_uint_gt(end_of(number), 0);
}
END_TEST

/* An empty segment whose first block has suffered keeps what is left of that. */
START_TEST(end_is_behind_the_first_block)
{
	char	 names[64][32], *bytes, *now;
	size_t	 len;
	unsigned n;

	for (unsigned i = 0; i < 20; i++)
		turn_and_forward();
	rig_stop();
	n = rig_segments(names, 64);
	ck_assert_uint_ge(n, 1);
	spoil(strtoull(names[n - 1], NULL, 16), RECORD_HEADER_LEN, 4);
	bytes = rig_read(names[n - 1], &len);
	for (unsigned i = 0; i < 2; i++) {
		rig_start();
		rig_stop();
		now = rig_read(names[n - 1], &len);
		ck_assert(memcmp(bytes, now, RECORD_BLOCK) == 0);
		free(now);
	}
	free(bytes);
}
END_TEST

/* ".old" means nothing: who lacks space may remove it. */
START_TEST(spare_may_be_taken_away)
{
	char	  name[32], names[64][32];
	struct id id;

	rig_stop();
	for (unsigned i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof(name), "%016x.old", i);
		rig_write(name, "octets", 6);
	}
	rig_start();
	for (unsigned i = 0; i < 20; i++)
		turn_and_forward();
	ck_assert_uint_ge(rig_spares(names, 64), 3);
	for (unsigned n = rig_spares(names, 64); n > 0;)
		rig_remove(names[--n]);
	for (unsigned i = 0; i < 50; i++)
		ck_assert_int_eq(rig_try(i, FILLING, &id), 0);
}
END_TEST

/* Octets of all files that are segments or were. */
static uint64_t
octets_on_disk(void)
{
	char	 names[64][32];
	uint64_t octets = 0;
	size_t	 len;

	for (unsigned old = 0; old < 2; old++)
		for (unsigned n = old ? rig_spares(names, 64) : rig_segments(names, 64); n > 0; octets += len)
			free(rig_read(names[--n], &len));
	return octets;
}

/* What was renamed before the sync of the directory failed is not forgotten, whatever is wanted by then. */
START_TEST(spare_is_known_after_a_failure)
{
	struct id	    id = rig_put(0, 100);
	uint64_t	    number = segment_of(id);
	struct queue_status status;

	go_to_the_next();
	ck_assert(there_is(number));
	faults.kind = FAULT_ERROR;
	faults.at = faults.count + 3; /* the results, the new name, the directory */
	finish(id);
	for (unsigned i = 0; i < 1000 && there_is(number); i++)
		rig_turn();
	ck_assert(!there_is(number));
	while (!faults.happened)
		rig_turn();
	rig.params.segment_octets *= 2;
	queue_configure(rig.queue, &rig.params);
	for (unsigned i = 0; i < 100; i++)
		turn_and_forward();
	queue_status(rig.queue, &status);
	ck_assert_uint_eq(status.segment_octets, octets_on_disk());
}
END_TEST

START_TEST(any_size_is_written_anew)
{
	char names[64][32];

	rig.params.segment_octets += 100;
	queue_configure(rig.queue, &rig.params);
	for (unsigned i = 0; i < 6; i++)
		go_to_the_next();
	ck_assert_uint_gt(rig_spares(names, 64), 0);
}
END_TEST

/* What is left of a segment that came to nothing may be all the space there is. */
START_TEST(leftover_takes_no_space)
{
	char path[128];

	rig_stop();
	rig_write("new.seg", "octets", 6);
	(void)snprintf(path, sizeof(path), "%s/new.seg", rig.shard);
	faults.space_free = 1000;
	rig_start();
	for (unsigned i = 0; i < 30; i++)
		turn_and_forward();
	ck_assert_int_lt(access(path, F_OK), 0);
}
END_TEST

START_TEST(pieces_go_with_their_message)
{
	struct id   large = rig_put(0, 300000), neighbour;
	uint64_t    pieces = segment_of(large);
	unsigned    i;

	/* The record lies behind its pieces; a neighbour keeps that segment, and the pieces' can go. */
	neighbour = rig_put(1, 100);
	ck_assert_uint_ge(segment_of(neighbour), pieces);
	finish(large);
	for (i = 0; i < 3; i++)
		go_to_the_next();
	rig_restart();
	ck_assert_uint_eq(rig.what.damaged, 0);
	ck_assert_uint_eq(rig.what.messages, 1);
	ck_assert_int_eq(rig_check(neighbour, 1, 100), 0);
}
END_TEST

/* Who holds a view may read from its descriptors, whatever has become of the message. */
START_TEST(view_keeps_its_segments)
{
	struct id	   large = rig_put(0, 300000);
	struct queue_view *view;
	char		   bytes[16], names[64][32];
	uint64_t	   number = 0;

	rig.params.cache_octets_max = 1 << 20;
	queue_configure(rig.queue, &rig.params);
	ck_assert_int_eq(rig_check(large, 0, 300000), 0);
	view = queue_view_ref(queue_find(rig.queue, large));
	ck_assert_ptr_nonnull(view);
	ck_assert_uint_eq(view->piece_count, 2);
	/* The first segment that is large holds the first piece. */
	for (unsigned i = 0; number == 0; i++) {
		size_t len;

		ck_assert_uint_lt(i, rig_segments(names, 64));
		free(rig_read(names[i], &len));
		if (len > QUEUE_PIECE_OCTETS)
			number = strtoull(names[i], NULL, 16);
	}
	finish(large);
	for (unsigned i = 0; i < 4; i++)
		go_to_the_next();
	ck_assert_int_eq(pread(view->pieces[0].fd, bytes, sizeof(bytes), (off_t)view->pieces[0].at), sizeof(bytes));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		ck_assert_int_eq(bytes[i], rig_text(0, i));
	ck_assert(there_is(number));
	queue_view_unref(rig.queue, view);
	wait_until_gone(number);
}
END_TEST

START_TEST(piece_that_is_missing_is_told)
{
	struct id large = rig_put(0, 600000), other;
	char	  names[64][32];
	uint64_t  number;

	other = rig_put(1, 100);
	number = segment_of(large);
	ck_assert_uint_ge(rig_segments(names, 64), 2);
	ck_assert_uint_lt(strtoull(names[0], NULL, 16), number);
	rig_stop();
	rig_remove(names[0]);
	for (unsigned i = 0; i < 2; i++) {
		rig_start();
		ck_assert_uint_eq(rig.what.damaged, 1);
		ck_assert_ptr_null(queue_find(rig.queue, large));
		ck_assert_int_eq(rig_check(other, 1, 100), 0);
		rig_stop();
		ck_assert(there_is(number));
	}
}
END_TEST

/* However long it takes to look it through, what lies between two records is one stretch. */
START_TEST(large_damage_is_one_stretch)
{
	enum { LARGE = 6 << 20 };
	struct id before, large, after;
	uint64_t  number;

	rig_stop();
	rig.params.segment_octets = 16 << 20;
	rig.params.inline_octets_max = LARGE;
	rig_start();
	before = rig_put(0, 100);
	large = rig_put(1, LARGE);
	after = rig_put(2, 100);
	number = segment_of(large);
	ck_assert_uint_eq(segment_of(before), number);
	ck_assert_uint_eq(segment_of(after), number);
	rig_stop();
	spoil(number, 2 * 4096, 64); /* behind the first block and the first batch */
	rig_start();
	ck_assert_uint_eq(rig.what.damaged, 1);
	ck_assert_uint_gt(rig.what.lost_octets, LARGE);
	ck_assert_ptr_null(queue_find(rig.queue, large));
	ck_assert_int_eq(rig_check(before, 0, 100), 0);
	ck_assert_int_eq(rig_check(after, 2, 100), 0);
}
END_TEST

/* A message that cannot be read back for want of memory is not damaged: its segment goes when it is done. */
START_TEST(want_of_memory_is_no_damage)
{
	static const struct {
		int  error;
		bool damage;
	} cases[] = { { -ENOMEM, false }, { -ENOBUFS, false }, { -EIO, true } };
	struct id id;
	uint64_t  number;

	rig.params.cache_octets_max = 0;
	queue_configure(rig.queue, &rig.params);
	id = rig_put(0, 100);
	number = segment_of(id);
	faults.bad_to = 1 << 20;
	faults.bad_error = cases[_i].error;
	ck_assert_int_eq(rig_check(id, 0, 100), cases[_i].damage ? -EIO : -ENOMEM);
	faults.bad_to = 0;
	ck_assert_int_eq(rig_check(id, 0, 100), 0);
	go_to_the_next();
	finish(id);
	if (!cases[_i].damage)
		wait_until_gone(number);
	go_to_the_next();
	ck_assert(there_is(number) == cases[_i].damage);
}
END_TEST

static void
open_small(void)
{
	faults_reset();
	rig_open();
	rig_start();
}

int
main(void)
{
	TCase *tc = case_new("files");

	tcase_add_checked_fixture(tc, open_small, rig_close);
	tcase_add_test(tc, goes_when_nothing_in_it_is_needed);
	tcase_add_test(tc, results_outlive_their_message);
	tcase_add_test(tc, voiding_outlives_the_void);
	tcase_add_test(tc, removal_is_on_disk_before_the_next);
	tcase_add_test(tc, file_is_written_anew);
	tcase_add_test(tc, numbers_are_not_used_again);
	tcase_add_test(tc, removal_is_tried_again);
	tcase_add_test(tc, large_record_gets_a_large_segment);
	tcase_add_test(tc, first_block_may_be_lost);
	tcase_add_test(tc, another_form_is_left_alone);
	tcase_add_test(tc, results_outlive_what_cannot_be_read);
	tcase_add_loop_test(tc, bad_block_hides_no_other, 0, 8);
	tcase_add_test(tc, rest_behind_a_bad_block_is_kept);
	tcase_add_test(tc, want_of_descriptors_is_waited_out);
	tcase_add_test(tc, large_damage_is_one_stretch);
	tcase_add_loop_test(tc, want_of_memory_is_no_damage, 0, 3);
	tcase_add_loop_test(tc, end_before_later_records_is_damage, 0, 2);
	tcase_add_test(tc, end_is_behind_what_is_torn);
	tcase_add_test(tc, likeness_in_old_octets_is_nothing);
	tcase_add_test(tc, end_is_behind_the_first_block);
	tcase_add_test(tc, spare_may_be_taken_away);
	tcase_add_test(tc, spare_is_known_after_a_failure);
	tcase_add_test(tc, any_size_is_written_anew);
	tcase_add_test(tc, leftover_takes_no_space);
	tcase_add_test(tc, pieces_go_with_their_message);
	tcase_add_test(tc, view_keeps_its_segments);
	tcase_add_test(tc, piece_that_is_missing_is_told);
	return run_case("segment", tc);
}
