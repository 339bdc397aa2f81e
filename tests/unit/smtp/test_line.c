/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/line.h"

#include "tests/support/run.h"

enum { LIMIT = 16 };

static const struct {
	const char	     *label;
	struct span	      bytes;
	enum smtp_line_result want;
	const char	     *line; /* of an OK one */
	size_t		      used;
} lines[] = {
	{ "plain", { "NOOP\r\nQUIT\r\n", 12 }, SMTP_LINE_OK, "NOOP", 6 },
	{ "empty", { "\r\n", 2 }, SMTP_LINE_OK, "", 2 },
	{ "bare LF is no end", { "A\nB\r\n", 5 }, SMTP_LINE_BARE, NULL, 5 },
	{ "bare CR is no end", { "A\rB\r\n", 5 }, SMTP_LINE_BARE, NULL, 5 },
	{ "LF CR", { "A\n\rB\r\n", 6 }, SMTP_LINE_BARE, NULL, 6 },
	{ "CR CR LF", { "A\r\r\n", 4 }, SMTP_LINE_BARE, NULL, 4 },
	{ "NUL", { "A\0B\r\n", 5 }, SMTP_LINE_NUL, NULL, 5 },
	{ "just fits", { "12345678901234\r\n", 16 }, SMTP_LINE_OK, "12345678901234", 16 },
	{ "one too many", { "123456789012345\r\n", 17 }, SMTP_LINE_TOO_LONG, NULL, 17 },
	{ "many too many", { "123456789012345678901234567890123\r\n", 35 }, SMTP_LINE_TOO_LONG, NULL, 35 },
};

/* However the bytes are cut, the result is the same, and never more than LIMIT of them are kept. */
START_TEST(line_is_found)
{
	for (size_t step = 1; step <= lines[_i].bytes.len; step++) {
		struct smtp_line_reader reader = { 0 };
		size_t			shown = 0, dropped = 0, used;
		struct span		line;
		enum smtp_line_result	got;

		do {
			shown = MIN_OF(shown + step, lines[_i].bytes.len);
			got = smtp_line_next(&reader,
					     span_make(lines[_i].bytes.data + dropped, shown - dropped), LIMIT,
					     &line, &used);
			dropped += used;
			if (got == SMTP_LINE_MORE)
				ck_assert_uint_lt(shown - dropped, LIMIT);
		} while (got == SMTP_LINE_MORE && shown < lines[_i].bytes.len);
		ck_assert_msg(got == lines[_i].want, "%s by %zu: got %d", lines[_i].label, step, got);
		ck_assert_msg(dropped == lines[_i].used, "%s by %zu: used %zu", lines[_i].label, step, dropped);
		if (got == SMTP_LINE_OK)
			ck_assert(span_equal(line, span_of(lines[_i].line)));
	}
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("line");

	tcase_add_loop_test(tc, line_is_found, 0, COUNT_OF(lines));
	return run_case("smtp/line", tc);
}
