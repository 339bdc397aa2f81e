/* SPDX-License-Identifier: Apache-2.0 */
#include "core/list.h"

#include "tests/support/run.h"

struct item {
	struct list_node node;
	char		 name;
};

static struct item items[6];
static struct list one, two;

static void
fill(void)
{
	list_init(&one);
	list_init(&two);
	for (size_t i = 0; i < COUNT_OF(items); i++) {
		list_node_init(&items[i].node);
		items[i].name = (char)('a' + i);
	}
}

/* The names forwards, and the same backwards. */
static void
check_list(const struct list *l, const char *want)
{
	char   got[16] = "";
	size_t n = 0;

	LIST_FOR_EACH(l, it)
		got[n++] = LIST_ENTRY(it, struct item, node)->name;
	ck_assert_str_eq(got, want);
	for (const struct list_node *it = l->head.prev; it != &l->head; it = it->prev)
		ck_assert_int_eq(LIST_ENTRY(it, struct item, node)->name, want[--n]);
	ck_assert_uint_eq(n, 0);
	ck_assert(list_empty(l) == (*want == 0));
}

START_TEST(keeps_order)
{
	check_list(&one, "");
	list_append(&one, &items[1].node);
	list_append(&one, &items[2].node);
	list_prepend(&one, &items[0].node);
	check_list(&one, "abc");
	ck_assert(list_linked(&items[1].node));
	list_remove(&items[1].node);
	ck_assert(!list_linked(&items[1].node));
	list_remove(&items[1].node); /* harmless */
	check_list(&one, "ac");
	ck_assert_ptr_eq(list_take_first(&one), &items[0].node);
	ck_assert_ptr_eq(list_take_first(&one), &items[2].node);
	ck_assert_ptr_null(list_take_first(&one));
	check_list(&one, "");
} END_TEST

START_TEST(the_walk_allows_removing)
{
	for (size_t i = 0; i < COUNT_OF(items); i++)
		list_append(&one, &items[i].node);
	LIST_FOR_EACH(&one, it)
		if (LIST_ENTRY(it, struct item, node)->name % 2)
			list_remove(it);
	check_list(&one, "bdf");
	LIST_FOR_EACH(&one, it) {
		list_remove(it);
		list_append(&two, it);
	}
	check_list(&one, "");
	check_list(&two, "bdf");
} END_TEST

START_TEST(splices_behind)
{
	list_splice(&one, &two);
	check_list(&one, "");
	list_append(&two, &items[0].node);
	list_append(&two, &items[1].node);
	list_splice(&one, &two);
	check_list(&one, "ab");
	check_list(&two, "");
	list_append(&two, &items[2].node);
	list_splice(&one, &two);
	list_splice(&one, &two);
	check_list(&one, "abc");
	check_list(&two, "");
} END_TEST

START_TEST(a_node_is_in_one_list_only)
{
	list_append(&one, &items[0].node);
	list_append(&two, &items[0].node); /* stops */
} END_TEST

int
main(void)
{
	TCase *tc = case_new("list");

	tcase_add_checked_fixture(tc, fill, NULL);
	tcase_add_test(tc, keeps_order);
	tcase_add_test(tc, the_walk_allows_removing);
	tcase_add_test(tc, splices_behind);
	tcase_add_test_raise_signal(tc, a_node_is_in_one_list_only, 6 /* SIGABRT */);
	return run_case("core/list", tc);
}
