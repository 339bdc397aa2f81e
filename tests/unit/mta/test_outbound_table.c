/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/outbound/table.h"

#include "tests/support/run.h"

enum { MEMBERS = 5000 };

struct member {
	struct table_node node;
	unsigned	  seen;
	char		  name[24];
};

static struct member members[MEMBERS];

static void
make(unsigned i)
{
	(void)snprintf(members[i].name, sizeof(members[i].name), "host-%u.example", i);
	members[i].node.name = span_of(members[i].name);
}

static void
see(void *arg, struct table_node *node)
{
	(void)arg;
	CONTAINER_OF(node, struct member, node)->seen++;
}

static void
see_and_remove(void *arg, struct table_node *node)
{
	see(arg, node);
	table_remove(arg, node);
}

static void
check_found(const struct table *t, unsigned from, unsigned to)
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		bool want = i >= from && i < to;

		ck_assert_msg((table_find(t, span_of(members[i].name)) == &members[i].node) == want, "%s",
			      members[i].name);
	}
}

START_TEST(members_are_found)
{
	struct table t;

	ck_assert_int_eq(table_init(&t, (uint64_t)_i * UINT64_C(0x123456789)), 0);
	for (unsigned i = 0; i < MEMBERS; i++) {
		make(i);
		ck_assert_ptr_null(table_find(&t, span_of(members[i].name)));
		table_add(&t, &members[i].node);
	}
	ck_assert_uint_eq(t.count, MEMBERS);
	check_found(&t, 0, MEMBERS);
	for (unsigned i = 0; i < MEMBERS / 2; i++)
		table_remove(&t, &members[i].node);
	check_found(&t, MEMBERS / 2, MEMBERS);
	table_walk(&t, see, NULL);
	table_walk(&t, see_and_remove, &t);
	for (unsigned i = 0; i < MEMBERS; i++)
		ck_assert_uint_eq(members[i].seen, i < MEMBERS / 2 ? 0 : 2);
	ck_assert_uint_eq(t.count, 0);
	table_fini(&t);
} END_TEST

START_TEST(hashes)
{
	/* Length and every octet count; zeros at the end are octets. */
	static const struct span names[] = {
		{ "", 0 }, { "a", 1 }, { "b", 1 }, { "a\0", 2 }, { "a\0\0\0\0\0\0\0\0", 9 }, { "abcdefgh", 8 },
		{ "abcdefghi", 9 }, { "abcdefgi", 8 },
	};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(table_hash(0, names[i]), table_hash(0, names[j]));
	ck_assert_uint_ne(table_hash(1, names[5]), table_hash(2, names[5]));
} END_TEST

int
main(void)
{
	TCase *tc = case_new("table");

	tcase_add_loop_test(tc, members_are_found, 0, 3);
	tcase_add_test(tc, hashes);
	return run_case("outbound table", tc);
}
