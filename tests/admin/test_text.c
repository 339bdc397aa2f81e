/* SPDX-License-Identifier: Apache-2.0 */
/* What ringpostctl makes of numbers and of foreign text. */
#include "tools/ringpostctl.h"

#include "tests/support/run.h"

#define S   INT64_C(1000)
#define MIN (60 * S)
#define H   (60 * MIN)
#define D   (24 * H)

static const struct {
	int64_t	    ms;
	const char *brief, *full;
} durations[] = {
	{ -5, "0 s", "0 s" },
	{ 999, "0 s", "0 s" },
	{ S, "1 s", "1 s" },
	{ 59 * S, "59 s", "59 s" },
	{ MIN, "60 s", "1 min 0 s" },
	{ 2 * MIN - 1, "119 s", "1 min 59 s" },
	{ 2 * MIN, "2 min", "2 min 0 s" },
	{ H, "60 min", "1 h 0 min" },
	{ 3 * H + 12 * MIN, "3 h", "3 h 12 min" },
	{ D + 23 * H, "47 h", "1 d 23 h" },
	{ 400 * D, "400 d", "400 d 0 h" },
	{ INT64_MAX, "106751991167 d", "106751991167 d 7 h" },
};

START_TEST(time_that_passes)
{
	char buffer[TEXT_MAX];

	ck_assert_str_eq(duration_short(durations[_i].ms, buffer), durations[_i].brief);
	ck_assert_str_eq(duration(durations[_i].ms, buffer), durations[_i].full);
}
END_TEST

static const struct {
	int64_t	    n;
	const char *want;
} sizes[] = {
	{ 0, "0" },
	{ 1023, "1023" },
	{ 1024, "1.0 K" },
	{ 4300, "4.2 K" },
	{ 10 * 1024 - 30, "10 K" },
	{ 17 * 1048576, "17 M" },
	{ 1048576 - 1, "1.0 M" },
	{ INT64_C(1) << 30, "1.0 G" },
	{ INT64_MAX, "8192 P" },
};

START_TEST(sizes_in_few_letters)
{
	char buffer[TEXT_MAX];

	ck_assert_str_eq(octets(sizes[_i].n, buffer), sizes[_i].want);
}
END_TEST

START_TEST(moments)
{
	char buffer[TEXT_MAX];

	ck_assert_str_eq(moment(1795558509914, buffer), "2026-11-24 22:15:09 UTC");
	ck_assert_str_eq(moment(0, buffer), "1970-01-01 00:00:00 UTC");
	(void)moment(INT64_MAX, buffer); /* whatever it says, it has an end */
	ck_assert_uint_lt(strlen(buffer), TEXT_MAX);
}
END_TEST

static const struct {
	const char *text, *want;
} foreign[] = {
	{ "plain text, b\xc3\xbc" "cher", "plain text, b\xc3\xbc" "cher" },
	{ "\x1b[31mred\x1b[0m", "?[31mred?[0m" },
	{ "a\r\nb\tc\x7f", "a??b?c?" },
	{ "\xc2\x9b" "31m", "?31m" },			    /* CSI in one character */
	{ "\xe2\x80\xae" "gpj.exe", "?gpj.exe" },	    /* from right to left */
	{ "\xe2\x81\xa6x\xe2\x81\xa9", "?x?" },
	{ "\xff\xc3", "??" },
	{ "\xe2\x82\xac 5", "\xe2\x82\xac 5" },
};

START_TEST(text_that_a_terminal_would_obey)
{
	FILE  *real = stdout;
	char  *out = NULL;
	size_t len = 0;

	stdout = open_memstream(&out, &len);
	ck_assert_ptr_nonnull(stdout);
	print_foreign(foreign[_i].text);
	(void)fclose(stdout);
	stdout = real;
	ck_assert_str_eq(out, foreign[_i].want);
	free(out);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("text");

	tcase_add_loop_test(tc, time_that_passes, 0, COUNT_OF(durations));
	tcase_add_loop_test(tc, sizes_in_few_letters, 0, COUNT_OF(sizes));
	tcase_add_test(tc, moments);
	tcase_add_loop_test(tc, text_that_a_terminal_would_obey, 0, COUNT_OF(foreign));
	return run_case("tools/ringpostctl_text", tc);
}
