/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/command.h"

#include "tests/support/run.h"

static const struct {
	const char		*label, *line;
	enum smtp_command_result want;
	enum smtp_verb		 verb;
} commands[] = {
	{ "EHLO", "EHLO mx.example", SMTP_COMMAND_OK, SMTP_VERB_EHLO },
	{ "ehlo", "ehlo [192.0.2.1]", SMTP_COMMAND_OK, SMTP_VERB_EHLO },
	{ "EHLO alone", "EHLO", SMTP_COMMAND_NO_ARGUMENT, SMTP_VERB_EHLO },
	{ "EHLO with a comment", "EHLO a(b)", SMTP_COMMAND_BAD_NAME, SMTP_VERB_EHLO },
	{ "EHLO two words", "EHLO a b", SMTP_COMMAND_BAD_NAME, SMTP_VERB_EHLO },
	{ "HELO with underscore", "HELO my_pc", SMTP_COMMAND_OK, SMTP_VERB_HELO },
	{ "null sender", "MAIL FROM:<>", SMTP_COMMAND_OK, SMTP_VERB_MAIL },
	{ "space after colon", "MAIL FROM: <a@b.example>", SMTP_COMMAND_OK, SMTP_VERB_MAIL },
	{ "spaces behind", "MAIL FROM:<a@b.example>  ", SMTP_COMMAND_OK, SMTP_VERB_MAIL },
	{ "lower case", "mail from:<a@b.example> size=10 body=8bitmime", SMTP_COMMAND_OK, SMTP_VERB_MAIL },
	{ "no FROM", "MAIL <a@b.example>", SMTP_COMMAND_BAD_FORM, SMTP_VERB_MAIL },
	{ "MAIL alone", "MAIL", SMTP_COMMAND_NO_ARGUMENT, SMTP_VERB_MAIL },
	{ "postmaster as sender", "MAIL FROM:<postmaster>", SMTP_COMMAND_BAD_SENDER, SMTP_VERB_MAIL },
	{ "no space before parameter", "MAIL FROM:<a@b.example>SIZE=1", SMTP_COMMAND_BAD_SENDER, SMTP_VERB_MAIL },
	{ "SIZE twice", "MAIL FROM:<> SIZE=1 SIZE=1", SMTP_COMMAND_BAD_PARAMETER, SMTP_VERB_MAIL },
	{ "SIZE without value", "MAIL FROM:<> SIZE", SMTP_COMMAND_BAD_PARAMETER, SMTP_VERB_MAIL },
	{ "SIZE negative", "MAIL FROM:<> SIZE=-1", SMTP_COMMAND_BAD_PARAMETER, SMTP_VERB_MAIL },
	{ "BODY wrong", "MAIL FROM:<> BODY=9BIT", SMTP_COMMAND_BAD_PARAMETER, SMTP_VERB_MAIL },
	{ "SMTPUTF8 with value", "MAIL FROM:<> SMTPUTF8=1", SMTP_COMMAND_BAD_PARAMETER, SMTP_VERB_MAIL },
	{ "ENVID not xtext", "MAIL FROM:<> ENVID=a+2", SMTP_COMMAND_BAD_PARAMETER, SMTP_VERB_MAIL },
	{ "DSN", "MAIL FROM:<> RET=HDRS ENVID=a+2Bb", SMTP_COMMAND_OK, SMTP_VERB_MAIL },
	{ "AUTH=", "MAIL FROM:<> AUTH=<>", SMTP_COMMAND_UNKNOWN_PARAMETER, SMTP_VERB_MAIL },
	{ "unknown", "MAIL FROM:<> MAGIC", SMTP_COMMAND_UNKNOWN_PARAMETER, SMTP_VERB_MAIL },
	{ "RCPT", "RCPT TO:<a@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b.example", SMTP_COMMAND_OK,
	  SMTP_VERB_RCPT },
	{ "null recipient", "RCPT TO:<>", SMTP_COMMAND_BAD_RECIPIENT, SMTP_VERB_RCPT },
	{ "NOTIFY=NEVER and more", "RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", SMTP_COMMAND_BAD_PARAMETER,
	  SMTP_VERB_RCPT },
	{ "ORCPT without type", "RCPT TO:<a@b.example> ORCPT=a", SMTP_COMMAND_BAD_PARAMETER, SMTP_VERB_RCPT },
	{ "SIZE on RCPT", "RCPT TO:<a@b.example> SIZE=1", SMTP_COMMAND_UNKNOWN_PARAMETER, SMTP_VERB_RCPT },
	{ "DATA", "DATA", SMTP_COMMAND_OK, SMTP_VERB_DATA },
	{ "DATA x", "DATA x", SMTP_COMMAND_EXTRA_ARGUMENT, SMTP_VERB_DATA },
	{ "BDAT", "BDAT 1000", SMTP_COMMAND_OK, SMTP_VERB_BDAT },
	{ "BDAT LAST", "BDAT 0 LAST", SMTP_COMMAND_OK, SMTP_VERB_BDAT },
	{ "BDAT FIRST", "BDAT 0 FIRST", SMTP_COMMAND_BAD_FORM, SMTP_VERB_BDAT },
	{ "BDAT too large", "BDAT 99999999999999999999", SMTP_COMMAND_BAD_FORM, SMTP_VERB_BDAT },
	{ "BDAT alone", "BDAT", SMTP_COMMAND_NO_ARGUMENT, SMTP_VERB_BDAT },
	{ "QUIT", "QUIT ", SMTP_COMMAND_OK, SMTP_VERB_QUIT },
	{ "VRFY alone", "VRFY", SMTP_COMMAND_NO_ARGUMENT, SMTP_VERB_VRFY },
	{ "NOOP with text", "NOOP anything goes", SMTP_COMMAND_OK, SMTP_VERB_NOOP },
	{ "unknown verb", "XYZZY", SMTP_COMMAND_UNKNOWN, SMTP_VERB_COUNT },
	{ "empty line", "", SMTP_COMMAND_UNKNOWN, SMTP_VERB_COUNT },
	{ "HTTP", "POST / HTTP/1.1", SMTP_COMMAND_FOREIGN, SMTP_VERB_COUNT },
	{ "HTTP, header", "Host: mx.example", SMTP_COMMAND_FOREIGN, SMTP_VERB_COUNT },
	{ "text of a message", "Subject: hello", SMTP_COMMAND_FOREIGN, SMTP_VERB_COUNT },
	{ "a colon alone", ": x", SMTP_COMMAND_UNKNOWN, SMTP_VERB_COUNT },
	{ "TLS", "\x16\x03\x01", SMTP_COMMAND_FOREIGN, SMTP_VERB_COUNT },
};

START_TEST(command_parses)
{
	struct smtp_command	 c;
	enum smtp_command_result got = smtp_command_parse(span_of(commands[_i].line), &c);

	ck_assert_msg(got == commands[_i].want, "%s: got %d", commands[_i].label, got);
	ck_assert_msg(c.verb == commands[_i].verb, "%s: verb %d", commands[_i].label, c.verb);
	ck_assert_uint_ge(smtp_command_replies[got].code, 250);
}
END_TEST

START_TEST(parameters_arrive)
{
	struct smtp_command c;
	char		    text[64];

	ck_assert_int_eq(smtp_command_parse(SPAN_LITERAL("MAIL FROM:<a@b.example> SIZE=99999999999999999999 "
							 "BODY=BINARYMIME SMTPUTF8 RET=FULL ENVID=x+3Dy"),
					    &c),
			 SMTP_COMMAND_OK);
	ck_assert_uint_gt(c.mail.size, UINT64_C(1) << 60);
	ck_assert_int_eq(c.mail.body, SMTP_BODY_BINARYMIME);
	ck_assert(c.mail.smtputf8);
	ck_assert_int_eq(c.mail.ret, SMTP_RET_FULL);
	ck_assert(span_equal(c.mail.envid, SPAN_LITERAL("x+3Dy")));
	ck_assert_uint_eq(smtp_xtext_decode(c.mail.envid, text), 3);
	ck_assert_mem_eq(text, "x=y", 3);
	ck_assert_uint_eq(smtp_xtext_encode(SPAN_LITERAL("x=y +\xff"), text), 3 + 2 + 3 + 3 + 3);
	ck_assert_mem_eq(text, "x+3Dy+20+2B+FF", 14);

	ck_assert_int_eq(smtp_command_parse(SPAN_LITERAL("RCPT TO:<a@b.example> NOTIFY=success,FAILURE"), &c),
			 SMTP_COMMAND_OK);
	ck_assert_uint_eq(c.rcpt.notify, SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE);

	ck_assert_int_eq(smtp_command_parse(SPAN_LITERAL("BDAT 86 last"), &c), SMTP_COMMAND_OK);
	ck_assert_uint_eq(c.bdat.size, 86);
	ck_assert(c.bdat.last);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("command");

	tcase_add_loop_test(tc, command_parses, 0, COUNT_OF(commands));
	tcase_add_test(tc, parameters_arrive);
	return run_case("smtp/command", tc);
}
