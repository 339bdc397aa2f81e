/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/trace.h"

#include <time.h>

#include "tests/support/run.h"

START_TEST(date_is_rfc5322)
{
	char buffer[SMTP_DATE_MAX];

	ck_assert_str_eq(smtp_date(0, buffer), "Thu, 01 Jan 1970 00:00:00 +0000");
	ck_assert_str_eq(smtp_date(1795521197, buffer), "Tue, 24 Nov 2026 11:53:17 +0000");
	ck_assert_str_eq(smtp_date(-1, buffer), "Thu, 01 Jan 1970 00:00:00 +0000");
	ck_assert_str_eq(smtp_date(SMTP_SECONDS_MAX, buffer), "Fri, 31 Dec 9999 23:59:59 +0000");
	ck_assert_str_eq(smtp_date(INT64_MAX, buffer), "Fri, 31 Dec 9999 23:59:59 +0000");
}
END_TEST

/* Every day from 1970 to 2500, as the C library has it. */
START_TEST(each_day_has_its_date)
{
	for (time_t day = 0; day < 530 * 366; day++) {
		time_t	  t = day * 86400 + day % 86400;
		char	  want[SMTP_DATE_MAX], got[SMTP_DATE_MAX];
		struct tm tm;

		ck_assert_ptr_nonnull(gmtime_r(&t, &tm));
		ck_assert_uint_gt(strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S +0000", &tm), 0);
		ck_assert_str_eq(smtp_date(t, got), want);
	}
}
END_TEST

START_TEST(field_is_whole)
{
	const uint8_t	  ip[4] = { 192, 0, 2, 1 };
	struct endpoint	  client = endpoint_from_ipv4(ip, 1234);
	struct smtp_trace t = {
		.helo = SPAN_LITERAL("mx.example"),
		.client = &client,
		.hostname = SPAN_LITERAL("us.example"),
		.esmtp = true,
		.id = "06x",
		.recipient = SPAN_LITERAL("a@b.example"),
		.seconds = 0,
	};
	char   buffer[SMTP_TRACE_MAX];
	size_t n = smtp_trace_write(&t, buffer);

	ck_assert(span_equal(span_make(buffer, n),
			     SPAN_LITERAL("Received: from mx.example ([192.0.2.1])\r\n\tby us.example with ESMTP id 06x"
					  "\r\n\tfor <a@b.example>;\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n")));
}
END_TEST

/* The field has as many lines as we gave it, whatever a client calls itself. */
START_TEST(nothing_is_injected)
{
	const uint8_t	  ip[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	struct endpoint	  client = endpoint_from_ipv6(ip, 1234);
	char		  helo[255];
	char		  buffer[SMTP_TRACE_MAX];
	size_t		  n, ends = 0;

	for (size_t i = 0; i < sizeof(helo); i++)
		helo[i] = (char)i;
	n = smtp_trace_write(&(struct smtp_trace){ .helo = span_make(helo, sizeof(helo)),
						   .client = &client,
						   .hostname = SPAN_LITERAL("us.example"),
						   .id = "06x" },
			     buffer);
	for (size_t i = 0; i < n; i++) {
		ck_assert((buffer[i] >= 32 && buffer[i] < 127) || strchr("\r\n\t", buffer[i]) != NULL);
		ends += buffer[i] == '\n';
		if (buffer[i] == '\n' && i + 1 < n)
			ck_assert_int_eq(buffer[i + 1], '\t');
	}
	ck_assert_uint_eq(ends, 3);
	ck_assert_ptr_nonnull(memmem(buffer, n, "([IPv6:2001:db8::1])", 20));
}
END_TEST

static const struct {
	const char *label, *helo;
	bool	    utf8;
	const char *want;
} names[] = {
	{ "plain", "mx.example", true, "from mx.example (" },
	{ "UTF-8 in a message that may have it", "b\xc3\xbc" "cher.example", true, "from b\xc3\xbc" "cher.example (" },
	{ "UTF-8 in another", "b\xc3\xbc" "cher.example", false, "from b??cher.example (" },
	{ "Latin-1 in either", "b\xfc" "cher.example", true, "from b?cher.example (" },
};

START_TEST(names_fit_the_message)
{
	const uint8_t	ip[4] = { 192, 0, 2, 1 };
	struct endpoint client = endpoint_from_ipv4(ip, 1234);
	char		buffer[SMTP_TRACE_MAX];
	size_t		n = smtp_trace_write(&(struct smtp_trace){ .helo = span_of(names[_i].helo),
								   .client = &client,
								   .hostname = SPAN_LITERAL("us.example"),
								   .utf8 = names[_i].utf8,
								   .id = "06x" },
					     buffer);

	ck_assert_msg(memmem(buffer, n, names[_i].want, strlen(names[_i].want)) != NULL, "%s: %.*s",
		      names[_i].label, (int)n, buffer);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("trace");

	tcase_add_test(tc, date_is_rfc5322);
	tcase_add_test(tc, each_day_has_its_date);
	tcase_add_test(tc, field_is_whole);
	tcase_add_test(tc, nothing_is_injected);
	tcase_add_loop_test(tc, names_fit_the_message, 0, COUNT_OF(names));
	return run_case("smtp/trace", tc);
}
