/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/reply.h"

#include "tests/support/run.h"

static const struct {
	const char	      *label, *bytes;
	enum smtp_reply_result want;
	unsigned	       code, class, subject, detail;
	const char	      *text;
} replies[] = {
	{ "plain", "250 Ok\r\n", SMTP_REPLY_DONE, 250, 0, 0, 0, "Ok" },
	{ "enhanced", "550 5.1.1 No such user\r\n", SMTP_REPLY_DONE, 550, 5, 1, 1, "No such user" },
	{ "enhanced of another class", "450 5.1.1 x\r\n", SMTP_REPLY_DONE, 450, 0, 0, 0, "5.1.1 x" },
	{ "several lines", "550-5.7.1 one\r\n550 5.7.1 two\r\n", SMTP_REPLY_DONE, 550, 5, 7, 1, "one two" },
	{ "code alone", "354\r\n", SMTP_REPLY_DONE, 354, 0, 0, 0, "" },
	{ "bare LF", "250 Ok\n", SMTP_REPLY_DONE, 250, 0, 0, 0, "Ok" },
	{ "controls", "250 a\x1b[2Jb\r\n", SMTP_REPLY_DONE, 250, 0, 0, 0, "a?[2Jb" },
	{ "codes differ", "250-a\r\n251 b\r\n", SMTP_REPLY_BROKEN, 0, 0, 0, 0, NULL },
	{ "not a reply", "HTTP/1.1 400 Bad Request\r\n", SMTP_REPLY_BROKEN, 0, 0, 0, 0, NULL },
	{ "code of two", "25 Ok\r\n", SMTP_REPLY_BROKEN, 0, 0, 0, 0, NULL },
	{ "code above", "650 Ok\r\n", SMTP_REPLY_BROKEN, 0, 0, 0, 0, NULL },
	{ "not whole", "250-Ok\r\n250", SMTP_REPLY_MORE, 0, 0, 0, 0, NULL },
};

static enum smtp_reply_result
feed(struct smtp_reply *r, struct span bytes, size_t step, struct smtp_offers *offers)
{
	enum smtp_reply_result got = SMTP_REPLY_MORE;

	smtp_reply_begin(r, offers);
	while (bytes.len && got == SMTP_REPLY_MORE) {
		size_t used;

		got = smtp_reply_feed(r, span_first(bytes, step), &used);
		bytes = span_from(bytes, used);
	}
	return got;
}

START_TEST(reply_is_read)
{
	struct span bytes = span_of(replies[_i].bytes);

	for (size_t step = 1; step <= bytes.len; step++) {
		static struct smtp_reply r;
		enum smtp_reply_result	 got = feed(&r, bytes, step, NULL);

		ck_assert_msg(got == replies[_i].want, "%s by %zu: got %d", replies[_i].label, step, got);
		if (got != SMTP_REPLY_DONE)
			continue;
		ck_assert_uint_eq(r.code, replies[_i].code);
		ck_assert_uint_eq(r.enhanced.class, replies[_i].class);
		ck_assert_uint_eq(r.enhanced.subject, replies[_i].subject);
		ck_assert_uint_eq(r.enhanced.detail, replies[_i].detail);
		ck_assert_msg(span_equal(span_make(r.text, r.text_len), span_of(replies[_i].text)), "%s: %.*s",
			      replies[_i].label, (int)r.text_len, r.text);
	}
}
END_TEST

START_TEST(offers_are_understood)
{
	static struct smtp_reply r;
	struct smtp_offers	 o;

	ck_assert_int_eq(feed(&r,
			      SPAN_LITERAL("250-PIPELINING.example greets you\r\n250-size 1000\r\n250-CHUNKING\r\n"
					   "250-XYZ\r\n250 LIMITS RCPTMAX=20 MAILMAX=5 X=9\r\n"),
			      7, &o),
			 SMTP_REPLY_DONE);
	ck_assert_uint_eq(o.bits, SMTP_OFFER_SIZE | SMTP_OFFER_CHUNKING | SMTP_OFFER_LIMITS);
	ck_assert_uint_eq(o.size_max, 1000);
	ck_assert_uint_eq(o.recipients_max, 20);
	ck_assert_uint_eq(o.transactions_max, 5);
}
END_TEST

START_TEST(endless_replies_end)
{
	static struct smtp_reply r;
	size_t			 used, octets = 0;
	enum smtp_reply_result	 got = SMTP_REPLY_MORE;

	smtp_reply_begin(&r, NULL);
	got = smtp_reply_feed(&r, SPAN_LITERAL("220 "), &used);
	for (; got == SMTP_REPLY_MORE; octets++)
		got = smtp_reply_feed(&r, SPAN_LITERAL("a"), &used);
	ck_assert_int_eq(got, SMTP_REPLY_BROKEN);
	ck_assert_uint_le(octets, SMTP_REPLY_OCTETS_MAX);

	smtp_reply_begin(&r, NULL);
	for (got = SMTP_REPLY_MORE; got == SMTP_REPLY_MORE;)
		got = smtp_reply_feed(&r, SPAN_LITERAL("220-a\r\n"), &used);
	ck_assert_int_eq(got, SMTP_REPLY_BROKEN);
	ck_assert_uint_eq(r.lines, SMTP_REPLY_LINES_MAX);
}
END_TEST

START_TEST(replies_are_written)
{
	char   buffer[SMTP_REPLY_LINE_MAX], text[2000];
	size_t n = smtp_reply_write(buffer, 550, "5.1.1", SPAN_LITERAL("a\r\nb\xff"));

	ck_assert(span_equal(span_make(buffer, n), SPAN_LITERAL("550 5.1.1 a??b?\r\n")));
	n = smtp_reply_write_line(buffer, 250, true, SPAN_LITERAL("SIZE 10"));
	ck_assert(span_equal(span_make(buffer, n), SPAN_LITERAL("250-SIZE 10\r\n")));
	memset(text, 'x', sizeof(text));
	n = smtp_reply_write(buffer, 550, NULL, span_make(text, sizeof(text)));
	ck_assert_uint_eq(n, SMTP_REPLY_LINE_MAX);
	ck_assert_mem_eq(buffer + n - 3, "x\r\n", 3);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("reply");

	tcase_add_loop_test(tc, reply_is_read, 0, COUNT_OF(replies));
	tcase_add_test(tc, offers_are_understood);
	tcase_add_test(tc, endless_replies_end);
	tcase_add_test(tc, replies_are_written);
	return run_case("smtp/reply", tc);
}
