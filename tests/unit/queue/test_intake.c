/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on their way in: where pieces begin, how it may end early, and that the memory budget is whole after each. */
#include "tests/unit/queue/queue_rig.h"

#include <errno.h>

#include "queue/limits.h"
#include "tests/support/run.h"

enum { INLINE = 8 << 10 };

static void
open_small(void)
{
	rig_open();
	rig.params.segment_octets = 1 << 20;
	rig.params.inline_octets_max = INLINE;
	rig_start();
}

static const struct {
	const char *label;
	size_t	    size;
	unsigned    pieces;
} size_cases[] = {
	{ "nothing", 0, 0 },
	{ "one octet", 1, 0 },
	{ "the largest inside its record", INLINE, 0 },
	{ "the smallest in pieces", INLINE + 1, 1 },
	{ "one piece, full", QUEUE_PIECE_OCTETS, 1 },
	{ "one octet in a piece of its own", QUEUE_PIECE_OCTETS + 1, 2 },
	{ "two pieces, full", 2 * QUEUE_PIECE_OCTETS, 2 },
	{ "more than may be in flight", 7 * QUEUE_PIECE_OCTETS + 3, 8 },
};

/* In the turn in which it is on disk, not at the end of some tick of a clock. */
START_TEST(due_at_once)
{
	for (unsigned i = 0; i < 20; i++) {
		(void)rig_put(i, 100);
		ck_assert_uint_eq(rig.due, i + 1);
	}
}
END_TEST

START_TEST(sizes_come_back)
{
	struct id	   id = rig_put((unsigned)_i, size_cases[_i].size);
	struct queue_view *view = queue_view_ref(queue_find(rig.queue, id));

	if (view) {
		ck_assert_msg(view->piece_count == size_cases[_i].pieces, "%s: %u pieces", size_cases[_i].label,
			      view->piece_count);
		queue_view_unref(rig.queue, view);
	}
	ck_assert_int_eq(rig_check(id, (unsigned)_i, size_cases[_i].size), 0);
	rig_restart();
	ck_assert_uint_eq(rig.what.messages, 1);
	ck_assert_uint_eq(rig.reactor.memory.used, 0);
	ck_assert_int_eq(rig_check(id, (unsigned)_i, size_cases[_i].size), 0);
}
END_TEST

/* One octet at a time gives the same message. */
START_TEST(octets_come_one_by_one)
{
	struct rig_intake s;

	ck_assert_int_eq(rig_intake_open(&s, 3, 0), 0);
	for (size_t i = 0; i < INLINE + 100; i++) {
		char c = rig_text(3, i);

		ck_assert_int_eq(queue_intake_append(&s.in, span_make(&c, 1)), 0);
	}
	ck_assert_int_eq(queue_intake_append(&s.in, span_make(NULL, 0)), 0);
	rig_intake_commit(&s, NULL);
	rig_turn_until(&s.done);
	ck_assert_int_eq(s.result, 0);
	ck_assert_int_eq(rig_check(s.in.id, 3, INLINE + 100), 0);
}
END_TEST

/* --- an early end ---------------------------------------------------------------------------------------- */

enum moment { JUST_OPENED, SOME_TEXT, PIECES_IN_FLIGHT, PIECES_WRITTEN, AFTER_ERROR };

static const struct {
	const char *label;
	enum moment when;
} abort_cases[] = {
	{ "just opened", JUST_OPENED },
	{ "some text", SOME_TEXT },
	{ "pieces in flight", PIECES_IN_FLIGHT },
	{ "pieces written", PIECES_WRITTEN },
	{ "after an error", AFTER_ERROR },
};

START_TEST(abort_leaves_nothing)
{
	uint64_t	  before = rig.reactor.memory.used;
	struct rig_intake s;
	struct id	  id;
	char		 *text = calloc(1, 3 * QUEUE_PIECE_OCTETS);

	ck_assert_int_eq(rig_intake_open(&s, 1, 0), 0);
	id = s.in.id;
	switch (abort_cases[_i].when) {
	case JUST_OPENED:
		break;
	case SOME_TEXT:
		ck_assert_int_eq(queue_intake_append(&s.in, span_make(text, 5000)), 0);
		break;
	case PIECES_IN_FLIGHT:
		ck_assert_int_eq(queue_intake_append(&s.in, span_make(text, 3 * QUEUE_PIECE_OCTETS)), -EAGAIN);
		break;
	case PIECES_WRITTEN:
		ck_assert_int_eq(queue_intake_append(&s.in, span_make(text, 3 * QUEUE_PIECE_OCTETS)), -EAGAIN);
		rig_turn_until(&s.ready);
		for (unsigned i = 0; i < 20; i++)
			rig_turn();
		break;
	case AFTER_ERROR:
		rig.reactor.memory.max = rig.reactor.memory.used + 1000;
		ck_assert_int_eq(queue_intake_append(&s.in, span_make(text, 100000)), -ENOMEM);
		ck_assert_int_eq(queue_intake_append(&s.in, span_make(text, 1)), -ENOMEM);
		rig.reactor.memory.max = 256 << 20;
		break;
	}
	queue_intake_abort(&s.in);
	queue_intake_abort(&s.in); /* harmless */
	memset(&s, 0xa5, sizeof(s)); /* no handler may come back to it */
	for (unsigned i = 0; i < 50 && rig.reactor.memory.used != before; i++)
		rig_turn();
	ck_assert_msg(rig.reactor.memory.used == before, "%s", abort_cases[_i].label);
	rig_restart();
	ck_assert_uint_eq(rig.what.messages, 0);
	ck_assert_uint_eq(rig.what.damaged, 0);
	ck_assert_ptr_null(queue_find(rig.queue, id));
	free(text);
}
END_TEST

/* Aborted with pieces in flight, and the shard closed in the same turn. */
START_TEST(close_waits_for_pieces)
{
	struct rig_intake s;
	char		 *text = calloc(1, QUEUE_PIECE_OCTETS);

	ck_assert_int_eq(rig_intake_open(&s, 1, 0), 0);
	ck_assert_int_eq(queue_intake_append(&s.in, span_make(text, QUEUE_PIECE_OCTETS)), 0);
	queue_intake_abort(&s.in);
	rig_restart();
	ck_assert_uint_eq(rig.what.messages, 0);
	free(text);
}
END_TEST

/* A commit without memory for its envelope is refused, and later. */
START_TEST(commit_without_memory_is_refused)
{
	struct rig_intake s;
	size_t		  size = _i ? 2 * QUEUE_PIECE_OCTETS : 100;

	ck_assert_int_eq(rig_intake_open(&s, 1, size), 0);
	ck_assert_int_eq(rig_intake_fill(&s), 0);
	rig.reactor.memory.max = rig.reactor.memory.used;
	rig_intake_commit(&s, NULL);
	rig_turn_until(&s.done);
	ck_assert_int_eq(s.result, -ENOMEM);
	rig.reactor.memory.max = 256 << 20;
	rig_restart();
	ck_assert_uint_eq(rig.what.messages, 0);
}
END_TEST

START_TEST(refused_while_reading_and_closing)
{
	struct rig_intake s;

	rig_stop();
	rig_begin();
	ck_assert_int_eq(rig_intake_open(&s, 1, 1), -EBUSY);
	rig_turn_until(&rig.recovered);
	ck_assert_int_eq(rig_intake_open(&s, 1, 1), 0);
	queue_close(rig.queue);
	ck_assert_int_eq(queue_refusal(rig.queue), -EBUSY);
	queue_intake_abort(&s.in);
	rig_turn_until(&rig.closed);
	queue_free(rig.queue);
	rig_start();
}
END_TEST

/* Closed in the middle of reading its past, at each turn. */
START_TEST(reading_can_be_broken_off)
{
	struct id id = rig_put(0, 3000);

	for (unsigned turns = 0; turns < 40; turns++) {
		rig_stop();
		rig_begin();
		for (unsigned i = 0; i < turns && !rig.recovered; i++)
			rig_turn();
	}
	rig_restart();
	ck_assert_int_eq(rig_check(id, 0, 3000), 0);
}
END_TEST

/* --- settlement ------------------------------------------------------------------------------------------ */

/* A report and the failures it tells of: both or neither. */
START_TEST(report_and_failures_are_one)
{
	struct id		about = rig_put(0, 100);
	struct queue_message   *m = queue_find(rig.queue, about);
	struct queue_result	r[2] = { { .recipient = 0, .state = QUEUE_FAILED, .code = 550 },
					 { .recipient = 1, .state = QUEUE_WAITING, .due_ms = 5, .delayed = true } };
	struct queue_settlement settle = { .message = m, .results = r, .count = 2 };
	struct rig_intake	s;
	size_t			size = _i ? INLINE * 2 : 200;

	ck_assert(queue_take(rig.queue, m, 0));
	ck_assert(queue_take(rig.queue, m, 1));
	ck_assert_int_eq(rig_intake_open(&s, 1, size), 0);
	ck_assert_int_eq(rig_intake_fill(&s), 0);
	rig_intake_commit(&s, &settle);
	ck_assert_uint_eq(m->open, 2); /* not before it is on disk */
	rig_turn_until(&s.done);
	ck_assert_int_eq(s.result, 0);
	ck_assert_uint_eq(m->open, 1);
	ck_assert_uint_eq(m->in_hand, 0);
	rig_restart();
	m = queue_find(rig.queue, about);
	ck_assert_uint_eq(rig.what.messages, 2);
	ck_assert_uint_eq(m->open, 1);
	ck_assert_uint_eq(m->recipients[0].state, QUEUE_FAILED);
	ck_assert_uint_eq(m->recipients[0].code, 550);
	ck_assert_uint_eq(m->recipients[1].delayed, 1);
	ck_assert_int_eq(rig_check(s.in.id, 1, size), 0);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("files");

	tcase_add_checked_fixture(tc, open_small, rig_close);
	tcase_add_loop_test(tc, sizes_come_back, 0, COUNT_OF(size_cases));
	tcase_add_test(tc, due_at_once);
	tcase_add_test(tc, octets_come_one_by_one);
	tcase_add_loop_test(tc, abort_leaves_nothing, 0, COUNT_OF(abort_cases));
	tcase_add_test(tc, close_waits_for_pieces);
	tcase_add_loop_test(tc, commit_without_memory_is_refused, 0, 2);
	tcase_add_test(tc, refused_while_reading_and_closing);
	tcase_add_test(tc, reading_can_be_broken_off);
	tcase_add_loop_test(tc, report_and_failures_are_one, 0, 2);
	return run_case("intake", tc);
}
