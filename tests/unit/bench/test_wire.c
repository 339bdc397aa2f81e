/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/wire.h"

#include "tests/support/run.h"

static const struct {
	const char	*label, *bytes;
	enum wire_result want;
	unsigned	 code;
	size_t		 len;
	const char	*text;
} reply_cases[] = {
	{ "one line", "250 ok\r\n", WIRE_OK, 250, 8, "ok" },
	{ "code alone", "250\r\n", WIRE_OK, 250, 5, "" },
	{ "two lines", "250-a\r\n250 b c\r\n354 x\r\n", WIRE_OK, 250, 16, "b c" },
	{ "LF alone is let pass", "250 ok\n", WIRE_OK, 250, 7, "ok" },
	{ "nothing yet", "", WIRE_MORE, 0, 0, NULL },
	{ "not whole", "250 ok\r", WIRE_MORE, 0, 0, NULL },
	{ "last line missing", "250-a\r\n250-b\r\n", WIRE_MORE, 0, 0, NULL },
	{ "codes differ", "250-a\r\n354 b\r\n", WIRE_BROKEN, 0, 0, NULL },
	{ "no code", "hello\r\n", WIRE_BROKEN, 0, 0, NULL },
	{ "two digits", "25 ok\r\n", WIRE_BROKEN, 0, 0, NULL },
	{ "1xx", "150 ok\r\n", WIRE_BROKEN, 0, 0, NULL },
	{ "6xx", "650 ok\r\n", WIRE_BROKEN, 0, 0, NULL },
	{ "no space", "250ok\r\n", WIRE_BROKEN, 0, 0, NULL },
	{ "empty line", "\r\n", WIRE_BROKEN, 0, 0, NULL },
};

START_TEST(replies_parse)
{
	struct wire_reply r;
	enum wire_result got = wire_reply_parse(span_of(reply_cases[_i].bytes), &r);

	ck_assert_msg(got == reply_cases[_i].want, "%s: got %d", reply_cases[_i].label, got);
	if (got != WIRE_OK)
		return;
	ck_assert_uint_eq(r.code, reply_cases[_i].code);
	ck_assert_uint_eq(r.len, reply_cases[_i].len);
	ck_assert(span_equal(r.text, span_of(reply_cases[_i].text)));
} END_TEST

START_TEST(offers_are_seen)
{
	struct wire_offers o;

	wire_ehlo_parse(SPAN_LITERAL("250-PIPELINING\r\n250-size 100\r\n250 chunking\r\n"), &o);
	ck_assert(!o.pipelining && o.size && o.chunking && !o.eight_bit);
	wire_ehlo_parse(SPAN_LITERAL("250 mx\r\n"), &o);
	ck_assert(!o.pipelining && !o.size && !o.chunking && !o.eight_bit);
} END_TEST

static const struct {
	const char *line;
	bool want;
} auth_cases[] = {
	{ "250-mx\r\n250 AUTH PLAIN\r\n", true },
	{ "250-mx\r\n250 auth login cram-md5 plain\r\n", true },
	{ "250-mx\r\n250 AUTH LOGIN PLAINER\r\n", false },
	{ "250-mx\r\n250 AUTH\r\n", false },
	{ "250-mx\r\n250 AUTHX PLAIN\r\n", false },
};

START_TEST(auth_is_seen)
{
	struct wire_offers o;

	wire_ehlo_parse(span_of(auth_cases[_i].line), &o);
	ck_assert_msg(o.auth_plain == auth_cases[_i].want, "%s", auth_cases[_i].line);
} END_TEST

/* RFC 4616 section 4, the first example without its authorization identity; and the other lengths of base64. */
START_TEST(auth_is_said)
{
	char out[WIRE_AUTH_LINE_MAX], name[WIRE_AUTH_MAX];

	wire_auth_plain(SPAN_LITERAL("tim"), SPAN_LITERAL("tanstaaftanstaaf"), out);
	ck_assert_str_eq(out, "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
	wire_auth_plain(SPAN_LITERAL("a"), SPAN_LITERAL(""), out);
	ck_assert_str_eq(out, "AUTH PLAIN AGEA\r\n");
	wire_auth_plain(SPAN_LITERAL("a"), SPAN_LITERAL("b"), out);
	ck_assert_str_eq(out, "AUTH PLAIN AGEAYg==\r\n");
	wire_auth_plain(SPAN_LITERAL("a"), SPAN_LITERAL("bc"), out);
	ck_assert_str_eq(out, "AUTH PLAIN AGEAYmM=\r\n");
	memset(name, 'x', sizeof(name));
	wire_auth_plain(span_make(name, sizeof(name)), SPAN_LITERAL(""), out);
	ck_assert_uint_lt(strlen(out), sizeof(out));
} END_TEST

static const struct {
	const char    *line;
	enum wire_verb verb;
	const char    *path;
	uint64_t       size;
	bool	       last;
} command_cases[] = {
	{ "MAIL FROM:<a@x>\r\n", WIRE_MAIL, "a@x", 0, false },
	{ "mail from:<> SIZE=77 BODY=8BITMIME\r\n", WIRE_MAIL, "", 77, false },
	{ "MAIL FROM: <a@x>\r\n", WIRE_MAIL, "a@x", 0, false },
	{ "MAIL FROM:<\"a>b\"@x> SIZE=1\r\n", WIRE_MAIL, "\"a>b\"@x", 1, false },
	{ "MAIL FROM:<\"a\\\">\"@x>\r\n", WIRE_MAIL, "\"a\\\">\"@x", 0, false },
	{ "MAIL FROM:a@x\r\n", WIRE_WRONG, NULL, 0, false },
	{ "MAIL TO:<a@x>\r\n", WIRE_WRONG, NULL, 0, false },
	{ "MAIL FROM:<a@x> SIZE=x\r\n", WIRE_WRONG, NULL, 0, false },
	{ "RCPT TO:<a@x> NOTIFY=NEVER\r\n", WIRE_RCPT, "a@x", 0, false },
	{ "RCPT TO:<>\r\n", WIRE_WRONG, NULL, 0, false },
	{ "BDAT 10\r\n", WIRE_BDAT, "", 10, false },
	{ "bdat 0 last\r\n", WIRE_BDAT, "", 0, true },
	{ "BDAT 10 FIRST\r\n", WIRE_WRONG, NULL, 0, false },
	{ "BDAT\r\n", WIRE_WRONG, NULL, 0, false },
	{ "BDAT -1 LAST\r\n", WIRE_WRONG, NULL, 0, false },
	{ "EHLO x\r\n", WIRE_EHLO, "", 0, false },
	{ "DATA\r\n", WIRE_DATA, "", 0, false },
	{ "QUIT\n", WIRE_QUIT, "", 0, false },
	{ "QUITE\r\n", WIRE_OTHER, "", 0, false },
	{ "\r\n", WIRE_OTHER, "", 0, false },
};

START_TEST(commands_parse)
{
	struct wire_command c;

	wire_command_parse(span_of(command_cases[_i].line), &c);
	ck_assert_msg(c.verb == command_cases[_i].verb, "%s: verb %d", command_cases[_i].line, c.verb);
	if (c.verb == WIRE_WRONG)
		return;
	ck_assert(span_equal(c.path, span_of(command_cases[_i].path)));
	ck_assert_uint_eq(c.size, command_cases[_i].size);
	ck_assert(c.last == command_cases[_i].last);
} END_TEST

static const struct {
	const char	     *label, *wire;
	enum wire_text_result want;
	const char	     *text, *after;
} text_cases[] = {
	{ "empty", ".\r\n", WIRE_TEXT_END, "", "" },
	{ "plain", "a\r\nb\r\n.\r\nQUIT\r\n", WIRE_TEXT_END, "a\r\nb\r\n", "QUIT\r\n" },
	{ "stuffed", "..\r\n...a\r\n.\r\n", WIRE_TEXT_END, ".\r\n..a\r\n", "" },
	{ "a dot that was not doubled", ".a\r\n.\r\n", WIRE_TEXT_END, "a\r\n", "" },
	{ "dot within", "a.\r\n.\r\n", WIRE_TEXT_END, "a.\r\n", "" },
	{ "empty lines", "\r\n\r\n.\r\n", WIRE_TEXT_END, "\r\n\r\n", "" },
	{ "not whole", "a\r\n.", WIRE_TEXT_MORE, "a\r\n", "" },
	{ "LF . CRLF", "a\n.\r\n", WIRE_TEXT_BROKEN, NULL, NULL },
	{ "CRLF . LF", "a\r\n.\n", WIRE_TEXT_BROKEN, NULL, NULL },
	{ "CRLF . CR x", "a\r\n.\rx", WIRE_TEXT_BROKEN, NULL, NULL },
	{ "lone CR", "a\rb\r\n.\r\n", WIRE_TEXT_BROKEN, NULL, NULL },
	{ "CR CR LF", "a\r\r\n.\r\n", WIRE_TEXT_BROKEN, NULL, NULL },
};

/* The same text and the same verdict however it is cut. */
START_TEST(texts_decode)
{
	struct span wire = span_of(text_cases[_i].wire);

	for (size_t step = 1; step <= wire.len; step++) {
		enum wire_text_result result = WIRE_TEXT_MORE;
		struct wire_text t;
		char got[64];
		size_t got_len = 0, at = 0;

		wire_text_init(&t);
		while (at < wire.len && result == WIRE_TEXT_MORE) {
			struct span rest = span_first(span_from(wire, at), step), piece;
			size_t len = rest.len;

			do {
				result = wire_text_next(&t, &rest, &piece);
				memcpy(got + got_len, piece.data, piece.len);
				got_len += piece.len;
			} while (result == WIRE_TEXT_PIECE);
			at += len - rest.len;
		}
		ck_assert_msg(result == text_cases[_i].want, "%s, step %zu: got %d", text_cases[_i].label, step,
			      result);
		if (result == WIRE_TEXT_BROKEN)
			continue;
		ck_assert_msg(span_equal(span_make(got, got_len), span_of(text_cases[_i].text)),
			      "%s, step %zu: \"%.*s\"", text_cases[_i].label, step, (int)got_len, got);
		ck_assert(span_equal(span_from(wire, at), span_of(text_cases[_i].after)));
	}
} END_TEST

START_TEST(nul_is_no_text)
{
	struct span rest = SPAN_LITERAL("a\0b\r\n.\r\n"), piece;
	struct wire_text t;

	wire_text_init(&t);
	ck_assert_int_eq(wire_text_next(&t, &rest, &piece), WIRE_TEXT_BROKEN);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("wire");

	tcase_add_loop_test(tc, replies_parse, 0, COUNT_OF(reply_cases));
	tcase_add_test(tc, offers_are_seen);
	tcase_add_loop_test(tc, auth_is_seen, 0, COUNT_OF(auth_cases));
	tcase_add_test(tc, auth_is_said);
	tcase_add_loop_test(tc, commands_parse, 0, COUNT_OF(command_cases));
	tcase_add_loop_test(tc, texts_decode, 0, COUNT_OF(text_cases));
	tcase_add_test(tc, nul_is_no_text);
	return run_case("bench/wire", tc);
}
