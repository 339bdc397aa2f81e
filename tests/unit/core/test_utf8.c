/* SPDX-License-Identifier: Apache-2.0 */
#include "core/utf8.h"

#include "tests/support/run.h"

static const struct {
	const char *label, *text;
	size_t	    want; /* octets of the first character */
} cases[] = {
	{ "ASCII", "a", 1 },
	{ "DEL", "\x7f", 1 },
	{ "first of two", "\xc2\x80", 2 },
	{ "last of two", "\xdf\xbf", 2 },
	{ "first of three", "\xe0\xa0\x80", 3 },
	{ "before the surrogates", "\xed\x9f\xbf", 3 },
	{ "behind the surrogates", "\xee\x80\x80", 3 },
	{ "last of three", "\xef\xbf\xbf", 3 },
	{ "first of four", "\xf0\x90\x80\x80", 4 },
	{ "the last of all", "\xf4\x8f\xbf\xbf", 4 },
	{ "more behind it", "\xc3\xa9t\xc3\xa9", 2 },
	{ "nothing", "", 0 },
	{ "continuation alone", "\x80", 0 },
	{ "continuation alone, last", "\xbf", 0 },
	{ "slash in two", "\xc0\xaf", 0 },
	{ "overlong two", "\xc1\xbf", 0 },
	{ "overlong three", "\xe0\x9f\xbf", 0 },
	{ "overlong four", "\xf0\x8f\xbf\xbf", 0 },
	{ "first surrogate", "\xed\xa0\x80", 0 },
	{ "last surrogate", "\xed\xbf\xbf", 0 },
	{ "beyond U+10FFFF", "\xf4\x90\x80\x80", 0 },
	{ "five octets", "\xf8\x88\x80\x80\x80", 0 },
	{ "FE", "\xfe", 0 },
	{ "FF", "\xff", 0 },
	{ "cut after one of two", "\xc3", 0 },
	{ "cut after two of three", "\xe2\x82", 0 },
	{ "cut after three of four", "\xf0\x9f\x98", 0 },
	{ "ASCII for a continuation", "\xc3(", 0 },
	{ "lead for a continuation", "\xe2\x82\xc3", 0 },
};

START_TEST(knows_well_formed_characters)
{
	/* Exactly as large as it is, so that a sanitizer sees a step beyond. */
	size_t	    len = strlen(cases[_i].text);
	char	   *text = malloc(len + !len);
	struct span s = span_make(text, len);

	memcpy(text, cases[_i].text, len);
	ck_assert_msg(utf8_length(s) == cases[_i].want, "%s", cases[_i].label);
	ck_assert_msg(utf8_valid(s) == (cases[_i].want > 0 || len == 0), "%s", cases[_i].label);
	free(text);
} END_TEST

static size_t
encode(uint32_t c, unsigned char out[4])
{
	if (c < 0x80) {
		out[0] = (unsigned char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (unsigned char)(0xc0 | c >> 6);
		out[1] = (unsigned char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (unsigned char)(0xe0 | c >> 12);
		out[1] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (unsigned char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (unsigned char)(0xf0 | c >> 18);
	out[1] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (unsigned char)(0x80 | (c & 0x3f));
	return 4;
}

START_TEST(knows_every_character)
{
	size_t wrong = 0;

	for (uint32_t c = 0; c < 0x110000; c++) {
		unsigned char b[4];
		size_t	      n = encode(c, b);
		size_t	      want = c >= 0xd800 && c < 0xe000 ? 0 : n;

		wrong += utf8_length(span_make(b, n)) != want;
	}
	ck_assert_uint_eq(wrong, 0);
} END_TEST

/* Of all pairs of octets only those can be two characters, or one, that the definition makes. */
START_TEST(knows_every_pair)
{
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++) {
			unsigned char pair[2] = { (unsigned char)a, (unsigned char)b };
			bool	      want = (a < 0x80 && b < 0x80) || (a >= 0xc2 && a < 0xe0 && b >= 0x80 && b < 0xc0);

			ck_assert_msg(utf8_valid(span_make(pair, 2)) == want, "%02x %02x", a, b);
		}
} END_TEST

int
main(void)
{
	TCase *tc = case_new("utf8");

	tcase_add_loop_test(tc, knows_well_formed_characters, 0, COUNT_OF(cases));
	tcase_add_test(tc, knows_every_character);
	tcase_add_test(tc, knows_every_pair);
	return run_case("core/utf8", tc);
}
