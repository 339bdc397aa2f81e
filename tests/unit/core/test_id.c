/* SPDX-License-Identifier: Apache-2.0 */
#include "core/id.h"

#include "tests/support/run.h"

#define MS INT64_C(1000000)

static const struct {
	struct id   id;
	const char *text;
} text_cases[] = {
	{ { 0, 0 }, "00000000000000000000000000" },
	{ { 0, 1 }, "00000000000000000000000001" },
	{ { 0, 31 }, "0000000000000000000000000z" },
	{ { UINT64_MAX, UINT64_MAX }, "7zzzzzzzzzzzzzzzzzzzzzzzzz" },
	{ { 1, 0 }, "0000000000000g000000000000" },
	{ { 0x0123456789abcdef, 0xfedcba9876543210 }, "014d2pf2dbsqqzxq5tk1v58cgg" },
};

START_TEST(is_written_and_read)
{
	char	  text[ID_TEXT_LEN + 1];
	struct id back;

	ck_assert_str_eq(id_format(text_cases[_i].id, text), text_cases[_i].text);
	ck_assert(id_parse(span_of(text), &back));
	ck_assert(id_equal(back, text_cases[_i].id));
	for (size_t i = 0; i < ID_TEXT_LEN; i++)
		if (text[i] >= 'a')
			text[i] = (char)(text[i] - 'a' + 'A');
	ck_assert(id_parse(span_of(text), &back));
	ck_assert(id_equal(back, text_cases[_i].id));
} END_TEST

START_TEST(reads_look_alikes_and_refuses_the_rest)
{
	static const char *const bad[] = {
		"", "0", "0000000000000000000000000", "000000000000000000000000000", "80000000000000000000000000",
		"z0000000000000000000000000", "0000000000000000000000000u", "0000000000000000000000000U",
		"0000000000000000000000000-", "000000000000 0000000000000", "0000000000000000000000000\xc3",
	};
	struct id a, b;

	ck_assert(id_parse(SPAN_LITERAL("oOiIlL0000000000000000000o"), &a));
	ck_assert(id_parse(SPAN_LITERAL("00111100000000000000000000"), &b));
	ck_assert(id_equal(a, b));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		ck_assert_msg(!id_parse(span_of(bad[i]), &a), "%s", bad[i]);
	ck_assert(!id_parse(SPAN_LITERAL("0000000000000000000000000\0"), &a));
	ck_assert(id_equal(a, b));
} END_TEST

/* The clock stands, goes back, jumps: names only ever get later, and so does their text. */
START_TEST(never_goes_back)
{
	static const int64_t clock[] = { 5 * MS, 5 * MS, 5 * MS + 1, 4 * MS, 0, -7 * MS, INT64_MIN, 6 * MS,
					 6 * MS + 999999, 7 * MS, 1764000000000 * MS, 1763999999999 * MS, INT64_MAX };
	struct id_source     source = { 0 };
	struct id	     last = { 0, 0 };
	char		     before[ID_TEXT_LEN + 1], after[ID_TEXT_LEN + 1];

	for (size_t i = 0; i < COUNT_OF(clock); i++) {
		struct id id = id_next(&source, clock[i], UINT64_MAX - i);

		ck_assert_int_eq(id_compare(last, id), -1);
		ck_assert_int_eq(id_compare(id, last), 1);
		ck_assert_int_eq(id_compare(id, id), 0);
		ck_assert_int_lt(strcmp(id_format(last, before), id_format(id, after)), 0);
		ck_assert_uint_eq(id.low, UINT64_MAX - i);
		last = id;
	}
} END_TEST

START_TEST(a_full_millisecond_borrows_the_next)
{
	struct id_source source = { 0 };
	struct id	 id = id_next(&source, 5 * MS, 0);

	ck_assert_uint_eq(id_time_ms(id), 5);
	for (unsigned i = 0; i < 65535; i++)
		id = id_next(&source, 5 * MS, 0);
	ck_assert_uint_eq(id_time_ms(id), 5);
	ck_assert_uint_eq(id_time_ms(id_next(&source, 5 * MS, 0)), 6);
	ck_assert_uint_eq(id_time_ms(id_next(&source, 9 * MS, 0)), 9);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("id");

	tcase_add_loop_test(tc, is_written_and_read, 0, COUNT_OF(text_cases));
	tcase_add_test(tc, reads_look_alikes_and_refuses_the_rest);
	tcase_add_test(tc, never_goes_back);
	tcase_add_test(tc, a_full_millisecond_borrows_the_next);
	return run_case("core/id", tc);
}
