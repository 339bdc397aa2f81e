/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"

#include "tests/support/run.h"

static const struct {
	const char *label;
	size_t	    size;
} sizes[] = {
	{ "nothing", 0 },	 { "one octet", 1 },		    { "a unit", 16 },
	{ "a unit and one", 17 }, { "nearly the first chunk", 1000 }, { "more than the first chunk", 1025 },
	{ "a large chunk", 65536 }, { "more than any chunk", 200000 },
};

START_TEST(gives_aligned_memory_of_any_size)
{
	struct arena a;
	char	    *got[10];

	arena_init(&a, 4 << 20);
	for (size_t i = 0; i < COUNT_OF(got); i++) {
		got[i] = arena_alloc(&a, sizes[_i].size);
		ck_assert_msg(got[i] != NULL, "%s", sizes[_i].label);
		ck_assert_uint_eq((uintptr_t)got[i] % _Alignof(max_align_t), 0);
		memset(got[i], (int)i, sizes[_i].size);
	}
	for (size_t i = 0; i < COUNT_OF(got); i++)
		for (size_t at = 0; at < sizes[_i].size; at += 7)
			ck_assert_int_eq(got[i][at], i);
	arena_reset(&a);
	ck_assert_uint_eq(a.held, 0);
} END_TEST

START_TEST(stops_at_its_limit)
{
	static const size_t limits[] = { 0, 1, 100, 1024, 5000, 100000 };

	for (size_t i = 0; i < COUNT_OF(limits); i++)
		for (size_t size = 1; size < 3000; size = size * 3 + 1) {
			struct arena a;
			size_t	     given = 0;

			arena_init(&a, limits[i]);
			for (void *p; (p = arena_alloc(&a, size)); given += size) {
				memset(p, 0x5a, size);
				ck_assert_uint_le(a.held, limits[i]);
			}
			ck_assert_uint_le(given, limits[i]);
			/* What lies idle is a header, an end that did not fit and the rounding. */
			ck_assert(limits[i] < 5000 || size < 16 || given * 2 >= limits[i]);
			ck_assert_ptr_null(arena_alloc(&a, limits[i] + 1));
			arena_reset(&a);
		}
} END_TEST

START_TEST(says_no_to_sizes_that_wrap)
{
	static const size_t huge[] = { SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 16 };
	struct arena	    a;

	arena_init(&a, SIZE_MAX);
	for (size_t i = 0; i < COUNT_OF(huge); i++)
		ck_assert_ptr_null(arena_alloc(&a, huge[i]));
	arena_reset(&a);
} END_TEST

START_TEST(copies_with_a_nul_behind)
{
	struct arena a;
	struct span  copy;

	arena_init(&a, 2000);
	copy = arena_copy(&a, SPAN_LITERAL("user@example.net"));
	ck_assert(span_equal(copy, SPAN_LITERAL("user@example.net")));
	ck_assert_int_eq(copy.data[copy.len], 0);
	copy = arena_copy(&a, span_make(NULL, 0));
	ck_assert_ptr_nonnull(copy.data);
	ck_assert_uint_eq(copy.len, 0);
	copy = arena_copy(&a, span_make("", 3000));
	ck_assert_ptr_null(copy.data);
	ck_assert_uint_eq(copy.len, 0);
	arena_reset(&a);
	copy = arena_copy(&a, SPAN_LITERAL("again"));
	ck_assert_str_eq(copy.data, "again");
	arena_reset(&a);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("arena");

	tcase_add_loop_test(tc, gives_aligned_memory_of_any_size, 0, COUNT_OF(sizes));
	tcase_add_test(tc, stops_at_its_limit);
	tcase_add_test(tc, says_no_to_sizes_that_wrap);
	tcase_add_test(tc, copies_with_a_nul_behind);
	return run_case("core/arena", tc);
}
