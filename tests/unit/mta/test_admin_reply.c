/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/admin/reply.h"

#include "tests/support/run.h"

static const struct {
	const char *text, *want;
} texts[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "\"\\\x1b\r\n", "\\\"\\\\\\u001B\\r\\n" },
	{ "b\xc3\xbc" "cher", "b\xc3\xbc" "cher" },
	{ "\xff", "\xef\xbf\xbd" },
	{ "a\xc3", "a\xef\xbf\xbd" },
	{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* a surrogate */
	{ "\xc0\xafz", "\xef\xbf\xbd\xef\xbf\xbdz" },
};

START_TEST(text_of_any_kind)
{
	struct reply r = { 0 };
	char	     want[128];

	reply_add(&r, "x", reply_text(span_of(texts[_i].text)));
	(void)snprintf(want, sizeof(want), "{\"x\":\"%s\"}\n", texts[_i].want);
	ck_assert(!r.failed);
	ck_assert_msg(span_equal(span_make(r.text, r.len), span_of(want)), "%.*s", (int)r.len, r.text);
	reply_reset(&r);
}
END_TEST

START_TEST(nul_is_text_too)
{
	struct reply r = { 0 };

	reply_add(&r, "x", reply_text(span_make("a\0b", 3)));
	ck_assert(span_equal(span_make(r.text, r.len), SPAN_LITERAL("{\"x\":\"a\\u0000b\"}\n")));
	reply_reset(&r);
}
END_TEST

START_TEST(lines_are_moved_in_order)
{
	struct reply a = { 0 }, b = { 0 };

	for (unsigned i = 0; i < 3; i++) {
		reply_add(&b, "n", json_integer((json_int_t)i));
		reply_move(&a, &b);
		ck_assert_uint_eq(b.len, 0);
	}
	reply_move(&a, &b); /* nothing */
	reply_error(&b, "code", "why");
	reply_move(&a, &b);
	ck_assert(span_equal(span_make(a.text, a.len),
			     SPAN_LITERAL("{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"error\":\"code\",\"why\":\"why\"}\n")));
	reply_reset(&a);
	reply_reset(&b);
}
END_TEST

START_TEST(without_memory_nothing_counts)
{
	struct reply a = { 0 }, b = { 0 };

	reply_add(&b, "n", NULL);
	ck_assert(b.failed);
	reply_move(&a, &b);
	ck_assert(a.failed);
	reply_reset(&a);
	reply_reset(&b);
	ck_assert(!a.failed && !b.failed);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("reply");

	tcase_add_loop_test(tc, text_of_any_kind, 0, COUNT_OF(texts));
	tcase_add_test(tc, nul_is_text_too);
	tcase_add_test(tc, lines_are_moved_in_order);
	tcase_add_test(tc, without_memory_nothing_counts);
	return run_case("mta/admin/reply", tc);
}
