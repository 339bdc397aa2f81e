/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/outbound/backlog.h"

#include "tests/support/run.h"

static struct queue_message messages[4];

static void
add(struct backlog *b, unsigned message, uint32_t from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		ck_assert_int_eq(backlog_add(b, &messages[message], from + i), 0);
}

/* The next group is of this message and has these recipients. */
static void
take(struct backlog *b, unsigned max, unsigned message, uint32_t from, unsigned want)
{
	uint32_t recipients[1000];
	unsigned count;

	ck_assert_ptr_eq(backlog_take(b, recipients, max, &count), &messages[message]);
	ck_assert_uint_eq(count, want);
	for (unsigned i = 0; i < count; i++)
		ck_assert_uint_eq(recipients[i], from + i);
}

static void
check_empty(struct backlog *b)
{
	uint32_t recipient;
	unsigned count = 7;

	ck_assert_ptr_null(backlog_take(b, &recipient, 1, &count));
	ck_assert_uint_eq(count, 0);
	ck_assert_uint_eq(b->count, 0);
}

START_TEST(in_order_and_together)
{
	struct backlog b = { 0 };

	check_empty(&b);
	add(&b, 0, 0, 3);
	add(&b, 1, 7, 1);
	add(&b, 0, 3, 2);
	take(&b, 1000, 0, 0, 3); /* what is behind another message waits its turn */
	take(&b, 1000, 1, 7, 1);
	take(&b, 1, 0, 3, 1);
	take(&b, 1000, 0, 4, 1);
	check_empty(&b);
	backlog_fini(&b);
} END_TEST

/* Round and round, at every fill: nothing is lost where the ring wraps or grows. */
START_TEST(round_and_round)
{
	struct backlog b = { 0 };
	uint32_t       in = 0, out = 0;

	for (unsigned fill = 1; fill < 40; fill++)
		for (unsigned turn = 0; turn < 50; turn++) {
			for (; in - out < fill; in++)
				add(&b, in % 2, in + 1, 1);
			take(&b, 1, out % 2, out + 1, 1);
			out++;
		}
	while (out < in) {
		take(&b, 1, out % 2, out + 1, 1);
		out++;
	}
	check_empty(&b);
	backlog_fini(&b);
} END_TEST

START_TEST(large_and_back)
{
	struct backlog b = { 0 };

	add(&b, 3, 0, 100000);
	for (uint32_t at = 0; at < 100000; at += 1000)
		take(&b, 1000, 3, at, 1000);
	check_empty(&b);
	ck_assert_ptr_null(b.ring); /* what was large gives its memory back */
	add(&b, 3, 0, 10);
	take(&b, 1000, 3, 0, 10);
	backlog_fini(&b);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("backlog");

	tcase_add_test(tc, in_order_and_together);
	tcase_add_test(tc, round_and_round);
	tcase_add_test(tc, large_and_back);
	return run_case("outbound backlog", tc);
}
