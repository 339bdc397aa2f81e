/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/name.h"

#include "tests/support/run.h"

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define LABEL63 X60 "xxx"
#define NAME250 LABEL63 "." LABEL63 "." LABEL63 "." X10 X10 X10 X10 X10 "yyyyyyyy"

_Static_assert(sizeof(NAME250) - 1 == 250, "so that the edge is where it should be");

static const struct {
	const char *label, *text, *want; /* NULL: no host name */
} cases[] = {
	{ "plain", "example.com", "example.com" },
	{ "upper case", "EXAMPLE.Com", "example.com" },
	{ "final dot", "example.com.", "example.com" },
	{ "two final dots", "example.com..", NULL },
	{ "one label", "localhost", "localhost" },
	{ "empty", "", NULL },
	{ "a dot", ".", NULL },
	{ "first label empty", ".example", NULL },
	{ "label empty", "a..b", NULL },
	{ "underscore, hyphen, digits", "_a-1.4x", "_a-1.4x" },
	{ "an A-label", "xn--bcher-kva.example", "xn--bcher-kva.example" },
	{ "UTF-8", "b\xc3\xbc" "cher.example", NULL },
	{ "space", "a b", NULL },
	{ "a control character", "a\x01", NULL },
	{ "escape", "a\\.b", NULL },
	{ "address", "192.0.2.1", NULL },
	{ "address with a dot", "192.0.2.1.", NULL },
	{ "number at the end", "example.1", NULL },
	{ "number before the end", "1.example", "1.example" },
	{ "literal", "[192.0.2.1]", NULL },
	{ "IPv6", "2001:db8::1", NULL },
	{ "label of 63", LABEL63 ".a", LABEL63 ".a" },
	{ "label of 64", LABEL63 "x.a", NULL },
	{ "253 octets", NAME250 ".aa", NAME250 ".aa" },
	{ "253 octets and a dot", NAME250 ".aa.", NAME250 ".aa" },
	{ "254 octets", NAME250 ".aaa", NULL },
};

START_TEST(read_from_text)
{
	char   out[DNS_NAME_TEXT_MAX];
	size_t len = dns_name_read(span_of(cases[_i].text), out);

	ck_assert_msg(len == (cases[_i].want ? strlen(cases[_i].want) : 0), "%s: %zu octets", cases[_i].label, len);
	ck_assert_msg(len == 0 || memcmp(out, cases[_i].want, len) == 0, "%s", cases[_i].label);
}
END_TEST

START_TEST(to_the_wire_and_back)
{
	uint8_t wire[DNS_NAME_WIRE_MAX];
	char	out[DNS_NAME_TEXT_MAX];
	size_t	len, octets;

	if (cases[_i].want == NULL)
		return;
	octets = dns_name_to_wire(span_of(cases[_i].want), wire);
	ck_assert_uint_eq(octets, strlen(cases[_i].want) + 2);
	ck_assert(dns_name_from_wire(span_make(wire, octets), out, &len));
	ck_assert_msg(span_equal(span_make(out, len), span_of(cases[_i].want)), "%s", cases[_i].label);
}
END_TEST

static const struct {
	const char *label;
	struct span wire;
	const char *want; /* NULL: no host name */
} wire_cases[] = {
	{ "root", { "\0", 1 }, "" },
	{ "nothing", { "", 0 }, NULL },
	{ "upper case", { "\1A\2Bc\0", 6 }, "a.bc" },
	{ "a dot inside a label", { "\3a.b\0", 5 }, NULL },
	{ "a NUL inside a label", { "\3a\0b\0", 5 }, NULL },
	{ "a label longer than what is there", { "\5ab\0", 4 }, NULL },
	{ "a label up to the end", { "\2ab", 3 }, NULL },
	{ "a pointer", { "\1a\xc0\0", 4 }, NULL },
	{ "an address", { "\003192\1\060\1\062\1\061\0", 11 }, NULL },
	{ "a slash", { "\3a/b\0", 5 }, NULL },
};

START_TEST(read_from_the_wire)
{
	char   out[DNS_NAME_TEXT_MAX];
	size_t len;
	bool   got = dns_name_from_wire(wire_cases[_i].wire, out, &len);

	ck_assert_msg(got == (wire_cases[_i].want != NULL), "%s", wire_cases[_i].label);
	if (got)
		ck_assert_msg(span_equal(span_make(out, len), span_of(wire_cases[_i].want)), "%s", wire_cases[_i].label);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("name");

	tcase_add_loop_test(tc, read_from_text, 0, COUNT_OF(cases));
	tcase_add_loop_test(tc, to_the_wire_and_back, 0, COUNT_OF(cases));
	tcase_add_loop_test(tc, read_from_the_wire, 0, COUNT_OF(wire_cases));
	return run_case("dns/name", tc);
}
