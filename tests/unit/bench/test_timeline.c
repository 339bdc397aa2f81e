/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/timeline.h"

#include "tests/support/run.h"

#define SECOND UINT64_C(1000000000)
#define START (1000 * SECOND)

static struct timeline t, other;

static void
begin(void)
{
	memset(&t, 0, sizeof(t));
	memset(&other, 0, sizeof(other));
	timeline_begin(&t, START);
	timeline_begin(&other, START);
}

static void
end(void)
{
	timeline_free(&t);
	timeline_free(&other);
}

START_TEST(what_happens_lands_in_its_second)
{
	timeline_sessions(&t, START, 3);
	timeline_message(&t, START + SECOND / 2, 100, 5000);
	timeline_message(&t, START + SECOND - 1, 100, 5000);
	timeline_message(&t, START + SECOND, 7, 0); /* exactly at the border: the next one */
	timeline_sessions(&t, START + SECOND, -1);
	timeline_error(&t, START + 4 * SECOND + 1); /* seconds 2 and 3 go by without anything */
	timeline_end(&t, START + 4 * SECOND + 2);
	ck_assert_uint_eq(t.count, 5);
	ck_assert_uint_eq(t.steps[0].messages, 2);
	ck_assert_uint_eq(t.steps[0].octets, 200);
	ck_assert_uint_eq(t.steps[0].sessions, 3);
	ck_assert_uint_eq(t.steps[0].slot_count, 1);
	ck_assert_uint_eq(t.steps[0].slots[0].count, 2);
	ck_assert_uint_eq(t.steps[1].messages, 1);
	ck_assert_uint_eq(t.steps[1].slot_count, 0);
	ck_assert_uint_eq(t.steps[2].messages, 0);
	ck_assert_uint_eq(t.steps[3].sessions, 2);
	ck_assert_uint_eq(t.steps[3].errors, 0);
	ck_assert_uint_eq(t.steps[4].errors, 1);
} END_TEST

START_TEST(cores_add_up)
{
	timeline_sessions(&t, START, 1);
	timeline_sessions(&other, START, 2);
	timeline_message(&t, START + SECOND, 10, 5000);
	timeline_message(&other, START + SECOND, 10, 9000);
	timeline_message(&other, START + 2 * SECOND, 10, 5000);
	timeline_end(&t, START + SECOND);
	timeline_end(&other, START + 2 * SECOND);
	timeline_merge(&t, &other);
	ck_assert_uint_eq(t.count, 3);
	ck_assert_uint_eq(t.steps[0].sessions, 3);
	ck_assert_uint_eq(t.steps[1].messages, 2);
	ck_assert_uint_eq(t.steps[1].slot_count, 2);
	ck_assert_uint_eq(t.steps[2].messages, 1);
} END_TEST

/* Nothing is lost or moved when seconds are put together. */
START_TEST(a_long_run_takes_longer_steps)
{
	uint64_t messages = 0;

	timeline_sessions(&t, START, 1);
	for (uint64_t s = 0; s < 3 * TIMELINE_STEPS_MAX; s++) {
		timeline_message(&t, START + s * SECOND, s, 1000 + s);
		timeline_sessions(&t, START + s * SECOND, 1);
	}
	timeline_end(&t, START + 3 * TIMELINE_STEPS_MAX * SECOND - 1);
	ck_assert_uint_eq(t.width_s, 4);
	ck_assert_uint_eq(t.count, 3 * TIMELINE_STEPS_MAX / 4);
	for (unsigned i = 0; i < t.count; i++) {
		ck_assert_uint_eq(t.steps[i].messages, 4);
		ck_assert_uint_eq(t.steps[i].octets, 4 * (4 * i) + 6);
		ck_assert_uint_eq(t.steps[i].sessions, 1 + 4 * (i + 1));
		messages += t.steps[i].messages;
	}
	ck_assert_uint_eq(messages, 3 * TIMELINE_STEPS_MAX);
	/* One that kept short steps is put into long ones. */
	timeline_message(&other, START + 5 * SECOND, 1000, 1000);
	timeline_sessions(&other, START + 6 * SECOND, 10);
	timeline_end(&other, START + 7 * SECOND);
	timeline_merge(&t, &other);
	ck_assert_uint_eq(t.steps[1].messages, 5);
	ck_assert_uint_eq(t.steps[1].sessions, 9 + 10);
	timeline_free(&t);
	timeline_begin(&t, START);
	timeline_merge(&t, &other);
	ck_assert_uint_eq(t.count, 8);
} END_TEST

START_TEST(none_is_kept_unless_begun)
{
	static struct timeline none;

	timeline_message(&none, START, 1, 1);
	timeline_message(&none, START + SECOND, 1, 1);
	timeline_end(&none, START + SECOND);
	timeline_merge(&t, &none);
	ck_assert_uint_eq(none.count, 0);
	ck_assert_uint_eq(t.count, 0);
	timeline_free(&none);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("timeline");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, what_happens_lands_in_its_second);
	tcase_add_test(tc, cores_add_up);
	tcase_add_test(tc, a_long_run_takes_longer_steps);
	tcase_add_test(tc, none_is_kept_unless_begun);
	return run_case("bench/timeline", tc);
}
