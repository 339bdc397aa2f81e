/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/parameters.h"

#include "tests/support/run.h"

#define TEN(s)	   s s s s s s s s s s
#define HUNDRED(s) TEN(TEN(s))

static const struct {
	const char		   *label, *text;
	enum smtp_parameters_result want;
} mail[] = {
	{ "none", "", SMTP_PARAMETERS_OK },
	{ "spaces", "   ", SMTP_PARAMETERS_OK },
	{ "all", " SIZE=1 BODY=7BIT SMTPUTF8 RET=FULL ENVID=x", SMTP_PARAMETERS_OK },
	{ "any case", " size=1 body=BinaryMime smtputf8 ret=hdrs", SMTP_PARAMETERS_OK },
	{ "several spaces", " SIZE=1   BODY=7BIT ", SMTP_PARAMETERS_OK },
	{ "SIZE of 20 digits", " SIZE=99999999999999999999", SMTP_PARAMETERS_OK },
	{ "SIZE of 21 digits", " SIZE=000000000000000000001", SMTP_PARAMETERS_SYNTAX },
	{ "SIZE in hexadecimal", " SIZE=0x10", SMTP_PARAMETERS_SYNTAX },
	{ "two equals signs", " SIZE=1=2", SMTP_PARAMETERS_SYNTAX },
	{ "ENVID of 100", " ENVID=" HUNDRED("x"), SMTP_PARAMETERS_OK },
	{ "ENVID of 101", " ENVID=x" HUNDRED("x"), SMTP_PARAMETERS_SYNTAX },
	{ "ENVID empty", " ENVID=", SMTP_PARAMETERS_SYNTAX },
	{ "ENVID with half an escape", " ENVID=x+4", SMTP_PARAMETERS_SYNTAX },
	{ "ENVID with small digits", " ENVID=x+4a", SMTP_PARAMETERS_SYNTAX },
	{ "name begins with a hyphen", " -SIZE=1", SMTP_PARAMETERS_SYNTAX },
	{ "name with an underscore", " X_Y=1", SMTP_PARAMETERS_SYNTAX },
	{ "no name", " =1", SMTP_PARAMETERS_SYNTAX },
	{ "control in a value", " ENVID=x\x01", SMTP_PARAMETERS_SYNTAX },
	{ "tab between", " SIZE=1\tBODY=7BIT", SMTP_PARAMETERS_SYNTAX },
	{ "unknown", " X-Y=1", SMTP_PARAMETERS_UNKNOWN },
	{ "of RCPT", " NOTIFY=NEVER", SMTP_PARAMETERS_UNKNOWN },
	{ "the first that is wrong counts", " SIZE=x MAGIC", SMTP_PARAMETERS_SYNTAX },
};

START_TEST(mail_parameters)
{
	struct smtp_mail_parameters p;
	enum smtp_parameters_result got = smtp_mail_parameters_parse(span_of(mail[_i].text), &p);

	ck_assert_msg(got == mail[_i].want, "%s: got %d", mail[_i].label, got);
}
END_TEST

static const struct {
	const char		   *label, *text;
	enum smtp_parameters_result want;
	unsigned		    notify;
} rcpt[] = {
	{ "none", "", SMTP_PARAMETERS_OK, 0 },
	{ "NEVER", " NOTIFY=NEVER", SMTP_PARAMETERS_OK, SMTP_NOTIFY_NEVER },
	{ "all but NEVER", " NOTIFY=success,Failure,DELAY", SMTP_PARAMETERS_OK,
	  SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY },
	{ "one twice", " NOTIFY=DELAY,DELAY", SMTP_PARAMETERS_OK, SMTP_NOTIFY_DELAY },
	{ "NEVER in company", " NOTIFY=DELAY,NEVER", SMTP_PARAMETERS_SYNTAX, 0 },
	{ "comma at the end", " NOTIFY=DELAY,", SMTP_PARAMETERS_SYNTAX, 0 },
	{ "no word", " NOTIFY=", SMTP_PARAMETERS_SYNTAX, 0 },
	{ "NOTIFY twice", " NOTIFY=DELAY NOTIFY=DELAY", SMTP_PARAMETERS_SYNTAX, 0 },
	{ "ORCPT", " ORCPT=rfc822;a+2Bb@c.example", SMTP_PARAMETERS_OK, 0 },
	{ "ORCPT of 500", " ORCPT=rfc822;xxx" HUNDRED("xxxx") TEN("xxxxxxxxx"), SMTP_PARAMETERS_OK, 0 },
	{ "ORCPT of 501", " ORCPT=rfc822;xxxx" HUNDRED("xxxx") TEN("xxxxxxxxx"), SMTP_PARAMETERS_SYNTAX, 0 },
	{ "ORCPT without type", " ORCPT=;a", SMTP_PARAMETERS_SYNTAX, 0 },
	{ "ORCPT without address", " ORCPT=rfc822;", SMTP_PARAMETERS_SYNTAX, 0 },
	{ "ORCPT, UTF-8", " ORCPT=utf-8;j\xc3\xb6rg@c.example", SMTP_PARAMETERS_OK, 0 },
	{ "ORCPT, UTF-8 in another type", " ORCPT=rfc822;j\xc3\xb6rg@c.example", SMTP_PARAMETERS_SYNTAX, 0 },
	{ "ORCPT, Latin-1", " ORCPT=utf-8;j\xf6rg@c.example", SMTP_PARAMETERS_SYNTAX, 0 },
};

START_TEST(rcpt_parameters)
{
	struct smtp_rcpt_parameters p;
	enum smtp_parameters_result got = smtp_rcpt_parameters_parse(span_of(rcpt[_i].text), &p);

	ck_assert_msg(got == rcpt[_i].want, "%s: got %d", rcpt[_i].label, got);
	if (got == SMTP_PARAMETERS_OK)
		ck_assert_msg(p.notify == rcpt[_i].notify, "%s: notify %u", rcpt[_i].label, p.notify);
}
END_TEST

static const struct {
	const char *label, *text;
	bool	    plain;
	size_t	    room;
	const char *want;
} ascii[] = {
	{ "nothing", "", true, 10, "" },
	{ "ASCII", "joe@c.example", true, 100, "joe@c.example" },
	{ "what has a meaning", "\"a\\ b\"+=@c.example", true, 100, "\"a\\x{5C}\\x{20}b\"\\x{2B}\\x{3D}@c.example" },
	{ "the same, encoded before", "a\\x{20}+=b", false, 100, "a\\x{20}+=b" },
	{ "two octets", "j\xc3\xb6rg", true, 100, "j\\x{F6}rg" },
	{ "three octets", "\xe2\x82\xac", false, 100, "\\x{20AC}" },
	{ "four octets", "\xf4\x8f\xbf\xbf", true, 100, "\\x{10FFFF}" },
	{ "no UTF-8", "a\xf6" "b\xc3", true, 100, "a?b?" },
	{ "as long as the room", "a\xc3\xb6", true, 7, "a\\x{F6}" },
	{ "longer", "a\xc3\xb6", true, 6, "a" },
	{ "no room", "abc", false, 0, "" },
};

START_TEST(utf8_in_ascii)
{
	char   out[128];
	size_t len = smtp_utf8_ascii(span_of(ascii[_i].text), ascii[_i].plain, out, ascii[_i].room);

	ck_assert_msg(span_equal(span_make(out, len), span_of(ascii[_i].want)), "%s: %.*s", ascii[_i].label, (int)len, out);
}
END_TEST

/* However many are said, each is looked at once: the 33rd word is refused, known or not. */
START_TEST(parameters_have_an_end)
{
	struct smtp_mail_parameters p;

	ck_assert_int_eq(smtp_mail_parameters_parse(SPAN_LITERAL(" SIZE=1" HUNDRED(" SIZE=1")), &p),
			 SMTP_PARAMETERS_SYNTAX);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("parameters");

	tcase_add_loop_test(tc, mail_parameters, 0, COUNT_OF(mail));
	tcase_add_loop_test(tc, rcpt_parameters, 0, COUNT_OF(rcpt));
	tcase_add_loop_test(tc, utf8_in_ascii, 0, COUNT_OF(ascii));
	tcase_add_test(tc, parameters_have_an_end);
	return run_case("smtp/parameters", tc);
}
