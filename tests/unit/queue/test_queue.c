/* SPDX-License-Identifier: Apache-2.0 */
/* A shard on real files, with sizes as in service: in, out, and over a restart. */
#include "tests/unit/queue/queue_rig.h"

#include "tests/support/run.h"

enum { SMALL = 1000, LARGE = 3000000 };

static void
open_usual(void)
{
	rig_open();
	rig.params.segment_octets = 4 << 20;
	rig.params.spool_octets_max = 256 << 20;
	rig.params.inline_octets_max = 64 * 1024;
	rig.params.cache_octets_max = 1 << 20;
	rig_start();
}

START_TEST(survives_a_restart)
{
	struct id small = rig_put(1, SMALL), large = rig_put(2, LARGE), done = rig_put(3, 10), half = rig_put(4, 20);

	ck_assert_uint_ge(rig.due, 1);
	ck_assert_int_eq(rig_check(small, 1, SMALL), 0);
	ck_assert_int_eq(rig_check(large, 2, LARGE), 0);
	rig_settle(done, 0, QUEUE_DELIVERED, NULL);
	rig_settle(done, 1, QUEUE_FAILED, NULL);
	ck_assert_ptr_null(queue_find(rig.queue, done));
	rig_settle(half, 0, QUEUE_DELIVERED, NULL);
	rig_settle(half, 1, QUEUE_WAITING, NULL);
	queue_act(rig.queue, queue_find(rig.queue, small), QUEUE_HOLD, NULL);
	rig_restart();
	ck_assert_uint_eq(rig.what.messages, 3);
	ck_assert_uint_eq(rig.what.damaged, 0);
	ck_assert_uint_eq(rig.what.torn_octets, 0);
	ck_assert_int_eq(rig_check(small, 1, SMALL), 0);
	ck_assert_int_eq(rig_check(large, 2, LARGE), 0);
	ck_assert_ptr_null(queue_find(rig.queue, done));
	ck_assert_uint_eq(queue_find(rig.queue, half)->open, 1);
	ck_assert_uint_eq(queue_find(rig.queue, half)->recipients[1].attempts, 1);
	ck_assert_uint_eq(queue_find(rig.queue, small)->held, 1);
}
END_TEST

/* The first attempt finds it in memory; what is put off is read back, and whole, when its time has come. */
START_TEST(leaves_memory_when_put_off)
{
	struct id	      id = rig_put(1, SMALL);
	struct queue_message *m = queue_find(rig.queue, id);
	struct queue_view    *view = queue_view_ref(m);

	ck_assert_ptr_nonnull(view);
	ck_assert_uint_ge(view->body.len, SMALL);
	rig_settle(id, 0, QUEUE_WAITING, NULL);
	ck_assert_ptr_null(queue_view_ref(m));
	ck_assert_uint_ge(view->body.len, SMALL); /* held: still there for who holds it */
	queue_view_unref(rig.queue, view);
	ck_assert_int_eq(rig_check(id, 1, SMALL), 0);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("files");

	tcase_add_checked_fixture(tc, open_usual, rig_close);
	tcase_add_test(tc, survives_a_restart);
	tcase_add_test(tc, leaves_memory_when_put_off);
	return run_case("queue", tc);
}
