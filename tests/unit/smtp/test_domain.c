/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/domain.h"

#include "tests/support/run.h"

#define X63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *label, *name;
	bool	    valid;
} names[] = {
	{ "plain", "mx.example", true },
	{ "one label", "localhost", true },
	{ "digits", "127.0.0.1", true }, /* a name by syntax; nobody can own it */
	{ "label of 63", X63 ".example", true },
	{ "label of 64", "a" X63 ".example", false },
	{ "name of 255", X63 "." X63 "." X63 "." X63, true },
	{ "name of 256", X63 "." X63 "." X63 "." X63 ".", false },
	{ "hyphen inside", "a-b.example", true },
	{ "hyphen in front", "-a.example", false },
	{ "hyphen behind", "a-.example", false },
	{ "underscore", "_dmarc.example", true },
	{ "empty", "", false },
	{ "dot alone", ".", false },
	{ "dot in front", ".example", false },
	{ "dot behind", "example.", false },
	{ "two dots", "a..example", false },
	{ "space", "a b", false },
	{ "colon", "a:25", false },
	{ "star", "*.example", false },
	{ "UTF-8", "b\xc3\xbc" "cher.example", true },
	{ "UTF-8 cut off", "b\xc3", false },
};

START_TEST(names_are_judged)
{
	ck_assert_msg(smtp_domain_valid(span_of(names[_i].name)) == names[_i].valid, "%s", names[_i].label);
}
END_TEST

static const struct {
	const char *label, *name, *want; /* want "": none */
} normal[] = {
	{ "any case", "MX.Example.ORG", "mx.example.org" },
	{ "capital U-label", "B\xc3\x9c" "CHER.example", "xn--bcher-kva.example" },
	{ "decomposed", "bu\xcc\x88" "cher.example", "xn--bcher-kva.example" },
	{ "A-label stays", "XN--BCHER-KVA.example", "xn--bcher-kva.example" },
	{ "full-width dot", "a\xef\xbc\x8e" "b.example", "a.b.example" },
	{ "refused by IDNA", "a\xc2\x9e" "p0", "" },
	{ "not a name", "a..b", "" },
};

START_TEST(names_have_one_form)
{
	char	    buffer[SMTP_DOMAIN_MAX + 1];
	struct span got = smtp_domain_normal(span_of(normal[_i].name), buffer);

	ck_assert_msg(span_equal(got, span_of(normal[_i].want)), "%s: got %s", normal[_i].label, buffer);
	ck_assert_msg(strlen(buffer) == got.len, "%s: left %s", normal[_i].label, buffer);
}
END_TEST

START_TEST(name_ends_where_none_can_go_on)
{
	ck_assert_uint_eq(smtp_domain_length(SPAN_LITERAL("mx.example> SIZE=1")), 10);
	ck_assert_uint_eq(smtp_domain_length(SPAN_LITERAL("a_b-c.d,@e")), 7);
	ck_assert_uint_eq(smtp_domain_length(SPAN_LITERAL(">")), 0);
	ck_assert_uint_eq(smtp_domain_length(SPAN_LITERAL("")), 0);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("domain");

	tcase_add_loop_test(tc, names_are_judged, 0, COUNT_OF(names));
	tcase_add_loop_test(tc, names_have_one_form, 0, COUNT_OF(normal));
	tcase_add_test(tc, name_ends_where_none_can_go_on);
	return run_case("smtp/domain", tc);
}
