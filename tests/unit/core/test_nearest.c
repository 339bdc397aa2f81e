/* SPDX-License-Identifier: Apache-2.0 */
#include "core/nearest.h"

#include "tests/support/run.h"

static const struct {
	const char *label, *a, *b;
	unsigned    want;
} distances[] = {
	{ "same", "delay", "delay", 0 },
	{ "nothing", "", "", 0 },
	{ "one empty", "", "abc", 3 },
	{ "wrong letter", "delay", "relay", 1 },
	{ "missing letter", "dely", "delay", 1 },
	{ "further letter", "dellay", "delay", 1 },
	{ "swapped letters", "dealy", "delay", 1 },
	{ "two slips", "dealyy", "delay", 2 },
	{ "nothing in common", "abc", "xyz", 3 },
	{ "as the two differ", "kitten", "sitting", 3 },
};

START_TEST(distance_is_symmetric)
{
	struct span a = span_of(distances[_i].a), b = span_of(distances[_i].b);

	ck_assert_msg(nearest_distance(a, b) == distances[_i].want, "%s: %u", distances[_i].label,
		      nearest_distance(a, b));
	ck_assert_uint_eq(nearest_distance(b, a), distances[_i].want);
} END_TEST

START_TEST(long_words_are_cut)
{
	char a[3 * NEAREST_WORD_MAX], b[3 * NEAREST_WORD_MAX];

	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	ck_assert_uint_eq(nearest_distance(span_make(a, sizeof(a)), span_make(b, sizeof(b))), NEAREST_WORD_MAX);
} END_TEST

static const struct {
	const char *label, *word, *want; /* NULL: none */
} words[] = {
	{ "itself", "reset", "reset" },
	{ "a slip", "resett", "reset" },
	{ "the nearer of two", "refute", "refuse" },
	{ "too far", "postpone", NULL },
	{ "empty", "", NULL },
	{ "case is a letter too", "Hang", "hang" },
};

START_TEST(the_word_that_was_meant)
{
	static const char *const list[] = { "refuse", "reset", "hang", "leave", NULL };
	const char *got = nearest_word(span_of(words[_i].word), list);

	ck_assert_msg((got == NULL) == (words[_i].want == NULL) && (!got || strcmp(got, words[_i].want) == 0),
		      "%s: got %s", words[_i].label, got ? got : "none");
} END_TEST

int
main(void)
{
	TCase *tc = case_new("nearest");

	tcase_add_loop_test(tc, distance_is_symmetric, 0, COUNT_OF(distances));
	tcase_add_test(tc, long_words_are_cut);
	tcase_add_loop_test(tc, the_word_that_was_meant, 0, COUNT_OF(words));
	return run_case("core/nearest", tc);
}
