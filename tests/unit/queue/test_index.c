/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/index.h"

#include "tests/support/run.h"

enum { COUNT = 20000 };

static struct queue_message messages[COUNT];
static uint8_t		    seen[COUNT];

static struct id
id_of(uint64_t i)
{
	/* Well spread, as chance would have it, and the same in each run. */
	return (struct id){ i, (i + 1) * UINT64_C(0x9e3779b97f4a7c15) };
}

START_TEST(found_while_it_grows_and_shrinks)
{
	struct queue_index x;

	ck_assert_int_eq(queue_index_init(&x), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		messages[i].id = id_of(i);
		ck_assert_ptr_null(queue_index_find(&x, messages[i].id));
		queue_index_insert(&x, &messages[i]);
		ck_assert_ptr_eq(queue_index_find(&x, messages[i].id), &messages[i]);
		if (i % 3 == 0)
			queue_index_remove(&x, &messages[i]);
	}
	for (unsigned i = 0; i < COUNT; i++)
		ck_assert_ptr_eq(queue_index_find(&x, messages[i].id), i % 3 ? &messages[i] : NULL);
	ck_assert_uint_eq(x.count, COUNT - (COUNT + 2) / 3);
	queue_index_fini(&x);
}
END_TEST

static bool
mark(void *arg, struct queue_message *m)
{
	unsigned *visits = arg;

	seen[m - messages]++;
	(*visits)++;
	return true;
}

/* Who is there from beginning to end is seen once, although the table grows during the walk. */
START_TEST(walk_shows_each_once)
{
	struct queue_index x;
	uint64_t	   cursor = 0;
	unsigned	   visits = 0, next = COUNT / 4;
	bool		   more = true;

	ck_assert_int_eq(queue_index_init(&x), 0);
	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < COUNT / 4; i++) {
		messages[i].id = id_of(i);
		queue_index_insert(&x, &messages[i]);
	}
	while (more) {
		more = queue_index_walk(&x, &cursor, 50, mark, &visits);
		for (unsigned i = 0; i < 100 && next < COUNT; i++, next++) {
			messages[next].id = id_of(next);
			queue_index_insert(&x, &messages[next]);
		}
	}
	for (unsigned i = 0; i < COUNT / 4; i++)
		ck_assert_msg(seen[i] == 1, "message %u was seen %u times", i, seen[i]);
	ck_assert_uint_ge(visits, COUNT / 4);
	queue_index_fini(&x);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("index");

	tcase_add_test(tc, found_while_it_grows_and_shrinks);
	tcase_add_test(tc, walk_shows_each_once);
	return run_case("queue/index", tc);
}
