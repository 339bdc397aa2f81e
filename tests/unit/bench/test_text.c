/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/text.h"

#include "bench/checksum.h"
#include "tests/support/run.h"

#define ID_LINE "X-Ringpost-Bench-Id: 5d0c93aa-17\r\n"

static const struct {
	const char *label, *text;
	const char *id;	     /* "": none */
	const char *counted; /* from where on, as the tail of text; NULL: all */
} cases[] = {
	{ "id first", ID_LINE "Subject: x\r\n\r\nbody\r\n", "5d0c93aa-17", NULL },
	{ "id behind trace fields", "Received: from a\r\n\tby b;\r\n now\r\n" ID_LINE "\r\nbody\r\n",
	  "5d0c93aa-17", ID_LINE "\r\nbody\r\n" },
	{ "no header at all", "\r\nbody\r\n", "", NULL },
	{ "no id", "Subject: x\r\n\r\nbody\r\n", "", NULL },
	{ "id in the body only", "Subject: x\r\n\r\n" ID_LINE, "", NULL },
	{ "id within a line", "Subject: " ID_LINE "\r\nbody\r\n", "", NULL },
	{ "lower case", "x-ringpost-bench-id: 5d0c93aa-17\r\n\r\n", "5d0c93aa-17", NULL },
	{ "too long to be ours", "X-Ringpost-Bench-Id: 5d0c93aa-17000000000000000000\r\n\r\n", "", NULL },
	{ "never ends", "Subject: x", "", NULL },
	{ "empty", "", "", NULL },
	{ "id line without end of header", "A: b\r\n" ID_LINE, "5d0c93aa-17", ID_LINE },
};

/* The same account however the text is cut. */
START_TEST(accounts_are_kept)
{
	struct span text = span_of(cases[_i].text);
	struct span counted = cases[_i].counted ? span_of(cases[_i].counted) : text;

	for (size_t step = 1; step <= text.len + 1; step++) {
		struct text_account a = { 0 };

		for (size_t at = 0; at < text.len; at += step)
			text_feed(&a, span_first(span_from(text, at), step));
		text_end(&a);
		ck_assert_msg(span_equal(span_make(a.id, a.id_len), span_of(cases[_i].id)), "%s, step %zu: id",
			      cases[_i].label, step);
		ck_assert_msg(a.size == counted.len, "%s, step %zu: size %llu", cases[_i].label, step,
			      (unsigned long long)a.size);
		ck_assert_msg(a.crc == checksum_add(0, counted), "%s, step %zu: sum", cases[_i].label, step);
		text_reset(&a);
	}
} END_TEST

static const struct {
	const char *label, *text;
	uint64_t    want;
} time_cases[] = {
	{ "behind the id", ID_LINE "X-Ringpost-Bench-Time: 00000001234567890123\r\n\r\n", 1234567890123 },
	{ "in lower case", ID_LINE "x-ringpost-bench-time: 00000001234567890123\r\n\r\n", 1234567890123 },
	{ "the largest", ID_LINE "X-Ringpost-Bench-Time: 18446744073709551615\r\n", UINT64_MAX },
	{ "beyond the largest", ID_LINE "X-Ringpost-Bench-Time: 18446744073709551616\r\n", 0 },
	{ "far beyond", ID_LINE "X-Ringpost-Bench-Time: 99999999999999999999\r\n", 0 },
	{ "too short", ID_LINE "X-Ringpost-Bench-Time: 1234567890123\r\n\r\n", 0 },
	{ "no digits", ID_LINE "X-Ringpost-Bench-Time: 0000000123456789012x\r\n\r\n", 0 },
	{ "cut off", ID_LINE "X-Ringpost-Bench-Time: 0000", 0 },
	{ "nothing behind the id", ID_LINE, 0 },
	{ "another field between", ID_LINE "A: b\r\nX-Ringpost-Bench-Time: 00000001234567890123\r\n", 0 },
	{ "without an id", "X-Ringpost-Bench-Time: 00000001234567890123\r\n\r\n", 0 },
	{ "in the body", ID_LINE "\r\nX-Ringpost-Bench-Time: 00000001234567890123\r\n", 0 },
};

START_TEST(times_are_read)
{
	struct span text = span_of(time_cases[_i].text);

	for (size_t step = 1; step <= text.len; step++) {
		struct text_account a = { 0 };

		for (size_t at = 0; at < text.len; at += step)
			text_feed(&a, span_first(span_from(text, at), step));
		text_end(&a);
		ck_assert_msg(a.time_ns == time_cases[_i].want, "%s, step %zu: %llu", time_cases[_i].label, step,
			      (unsigned long long)a.time_ns);
		text_reset(&a);
	}
} END_TEST

START_TEST(endless_header_is_given_up)
{
	struct text_account a = { 0 };
	struct span line = SPAN_LITERAL("X-Padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
	uint64_t fed = 0;

	for (; fed < TEXT_HEADER_MAX * 2; fed += line.len)
		text_feed(&a, line);
	text_feed(&a, SPAN_LITERAL(ID_LINE "\r\n"));
	text_end(&a);
	ck_assert_uint_eq(a.id_len, 0);
	ck_assert_uint_eq(a.size, fed + sizeof(ID_LINE) + 1);
	ck_assert_uint_le(a.undecided.cap, TEXT_HEADER_MAX * 2 + 8192);
	text_reset(&a);
} END_TEST

#define STATUS "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\n"

static const struct {
	const char *label, *text;
	const char *recipients; /* NULL: no report */
} report_cases[] = {
	{ "one", STATUS "Final-Recipient: rfc822; a@x\r\nAction: failed\r\nStatus: 5.0.0\r\n\r\n" ID_LINE, "a@x" },
	{ "two", STATUS "Final-Recipient: rfc822;a@x\r\nAction: failed\r\n\r\nFinal-Recipient: rfc822;b@x\r\n"
	  "Action: Failed\r\n\r\n" ID_LINE, "a@x,b@x" },
	{ "delayed only", STATUS "Final-Recipient: rfc822; a@x\r\nAction: delayed\r\n\r\n" ID_LINE, NULL },
	{ "one of two failed", STATUS "Final-Recipient: rfc822; a@x\r\nAction: delayed\r\n\r\n"
	  "Final-Recipient: rfc822; b@x\r\nAction: failed\r\n\r\n" ID_LINE, "b@x" },
	{ "message not returned", STATUS "Final-Recipient: rfc822; a@x\r\nAction: failed\r\n", NULL },
	{ "not a report", "Final-Recipient: rfc822; a@x\r\nAction: failed\r\n" ID_LINE, NULL },
	{ "empty", "", NULL },
};

START_TEST(reports_parse)
{
	struct ledger_text recipients = { 0 };
	struct span id;
	bool got = text_report_parse(span_of(report_cases[_i].text), &id, &recipients);

	ck_assert_msg(got == (report_cases[_i].recipients != NULL), "%s: verdict", report_cases[_i].label);
	if (got) {
		ck_assert(span_equal(id, SPAN_LITERAL("5d0c93aa-17")));
		ck_assert_msg(span_equal(span_make(recipients.data, recipients.len),
					 span_of(report_cases[_i].recipients)), "%s: recipients",
			      report_cases[_i].label);
	}
	free(recipients.data);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("text");

	tcase_add_loop_test(tc, accounts_are_kept, 0, COUNT_OF(cases));
	tcase_add_loop_test(tc, times_are_read, 0, COUNT_OF(time_cases));
	tcase_add_test(tc, endless_header_is_given_up);
	tcase_add_loop_test(tc, reports_parse, 0, COUNT_OF(report_cases));
	return run_case("bench/text", tc);
}
