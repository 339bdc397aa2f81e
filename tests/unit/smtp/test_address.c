/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/address.h"

#include "mta/smtp/domain.h"
#include "tests/support/run.h"

#define X64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char	     *label, *text;
	enum smtp_path_result want;
	const char	     *local, *domain; /* NULL: not looked at */
	const char	     *rest;
} paths[] = {
	{ "plain", "<a@b.example>", SMTP_PATH_OK, "a", "b.example", "" },
	{ "null", "<> SIZE=1", SMTP_PATH_OK, "", "", " SIZE=1" },
	{ "postmaster", "<Postmaster>", SMTP_PATH_OK, "Postmaster", "", "" },
	{ "no domain", "<root>", SMTP_PATH_SYNTAX, NULL, NULL, NULL },
	{ "case kept", "<John.Doe+Tag@Example.ORG>", SMTP_PATH_OK, "John.Doe+Tag", "Example.ORG", "" },
	{ "quoted", "<\"a b\\\"<>@\"@b.example>", SMTP_PATH_OK, "\"a b\\\"<>@\"", "b.example", "" },
	{ "quoted, open", "<\"a b@b.example>", SMTP_PATH_SYNTAX, NULL, NULL, NULL },
	{ "quoted, control", "<\"a\tb\"@b.example>", SMTP_PATH_SYNTAX, NULL, NULL, NULL },
	{ "dots in a row", "<a..b.@b.example>", SMTP_PATH_OK, "a..b.", "b.example", "" },
	{ "source route", "<@x.example,@y.example:a@b.example>", SMTP_PATH_OK, "a", "b.example", "" },
	{ "source route, broken", "<@x.example,a@b.example>", SMTP_PATH_SYNTAX, NULL, NULL, NULL },
	{ "source route, endless", "<@x.example,@", SMTP_PATH_SYNTAX, NULL, NULL, NULL },
	{ "literal", "<a@[192.0.2.1]>", SMTP_PATH_OK, "a", "[192.0.2.1]", "" },
	{ "literal, IPv6", "<a@[IPv6:2001:db8::1]>", SMTP_PATH_OK, "a", "[IPv6:2001:db8::1]", "" },
	{ "literal, IPv6 without its tag", "<a@[2001:db8::1]>", SMTP_PATH_BAD_DOMAIN, NULL, NULL, NULL },
	{ "literal, IPv4 with a tag", "<a@[IPv6:192.0.2.1]>", SMTP_PATH_BAD_DOMAIN, NULL, NULL, NULL },
	{ "literal, general", "<a@[X-NEW:1]>", SMTP_PATH_BAD_DOMAIN, NULL, NULL, NULL },
	{ "literal with port", "<a@[192.0.2.1:25]>", SMTP_PATH_BAD_DOMAIN, NULL, NULL, NULL },
	{ "literal, open", "<a@[192.0.2.1>", SMTP_PATH_BAD_DOMAIN, NULL, NULL, NULL },
	{ "no brackets", "a@b.example", SMTP_PATH_NO_BRACKETS, NULL, NULL, NULL },
	{ "empty", "", SMTP_PATH_NO_BRACKETS, NULL, NULL, NULL },
	{ "not closed", "<a@b.example", SMTP_PATH_SYNTAX, NULL, NULL, NULL },
	{ "space inside", "<a b@b.example>", SMTP_PATH_SYNTAX, NULL, NULL, NULL },
	{ "two at", "<a@b@c.example>", SMTP_PATH_SYNTAX, NULL, NULL, NULL },
	{ "empty domain", "<a@>", SMTP_PATH_BAD_DOMAIN, NULL, NULL, NULL },
	{ "final dot", "<a@b.example.>", SMTP_PATH_BAD_DOMAIN, NULL, NULL, NULL },
	{ "hyphen in front", "<a@-b.example>", SMTP_PATH_BAD_DOMAIN, NULL, NULL, NULL },
	{ "underscore", "<a@b_c.example>", SMTP_PATH_OK, "a", "b_c.example", "" },
	{ "local part of 64", "<" X64 "@b.example>", SMTP_PATH_OK, X64, NULL, "" },
	{ "local part of 65", "<a" X64 "@b.example>", SMTP_PATH_TOO_LONG, NULL, NULL, NULL },
	{ "label of 64", "<a@" X64 ".example>", SMTP_PATH_BAD_DOMAIN, NULL, NULL, NULL },
	{ "UTF-8", "<j\xc3\xb6rg@b\xc3\xbc" "cher.example>", SMTP_PATH_OK, "j\xc3\xb6rg",
	  "b\xc3\xbc" "cher.example", "" },
	{ "Latin-1", "<j\xf6rg@b.example>", SMTP_PATH_SYNTAX, NULL, NULL, NULL },
	{ "overlong UTF-8", "<j\xc0\xaf@b.example>", SMTP_PATH_SYNTAX, NULL, NULL, NULL },
};

START_TEST(path_parses)
{
	struct smtp_path      path;
	size_t		      used;
	struct span	      text = span_of(paths[_i].text);
	enum smtp_path_result got = smtp_path_parse(text, &path, &used);

	ck_assert_msg(got == paths[_i].want, "%s: got %d", paths[_i].label, got);
	if (got != SMTP_PATH_OK)
		return;
	ck_assert_msg(span_equal(path.local, span_of(paths[_i].local)), "%s", paths[_i].label);
	if (paths[_i].domain)
		ck_assert_msg(span_equal(path.domain, span_of(paths[_i].domain)), "%s", paths[_i].label);
	ck_assert_msg(span_equal(span_from(text, used), span_of(paths[_i].rest)), "%s", paths[_i].label);
	ck_assert_msg(path.utf8 == (strchr(paths[_i].text, 0xc3) != NULL), "%s", paths[_i].label);
}
END_TEST

static const struct {
	const char *label, *name, *want; /* want "": none */
} names[] = {
	{ "lower case", "MX.Example.ORG", "mx.example.org" },
	{ "U-label", "B\xc3\xbc" "cher.example", "xn--bcher-kva.example" },
	{ "sharp s stays itself", "stra\xc3\x9f" "e.example", "xn--strae-oqa.example" },
	{ "one label", "localhost", "localhost" },
	{ "empty label", "a..b", "" },
	{ "not UTF-8", "b\xfc" "cher.example", "" },
	{ "space", "a b.example", "" },
};

START_TEST(domain_normalises)
{
	char	    buffer[SMTP_DOMAIN_MAX + 1];
	struct span got = smtp_domain_normal(span_of(names[_i].name), buffer);

	ck_assert_msg(span_equal(got, span_of(names[_i].want)), "%s: got %s", names[_i].label, buffer);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("address");

	tcase_add_loop_test(tc, path_parses, 0, COUNT_OF(paths));
	tcase_add_loop_test(tc, domain_normalises, 0, COUNT_OF(names));
	return run_case("smtp/address", tc);
}
