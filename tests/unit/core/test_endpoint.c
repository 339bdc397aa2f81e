/* SPDX-License-Identifier: Apache-2.0 */
#include "core/endpoint.h"

#include <netinet/in.h>

#include "tests/support/run.h"

static const struct {
	const char *label, *text, *want; /* NULL: refused */
} parse_cases[] = {
	{ "IPv4", "192.0.2.1", "192.0.2.1:25" },
	{ "IPv4 and port", "192.0.2.1:2525", "192.0.2.1:2525" },
	{ "port 0", "192.0.2.1:0", "192.0.2.1:0" },
	{ "largest port", "192.0.2.1:65535", "192.0.2.1:65535" },
	{ "port with zeros in front", "192.0.2.1:00025", "192.0.2.1:25" },
	{ "IPv6 bare", "2001:db8::1", "[2001:db8::1]:25" },
	{ "IPv6 in brackets", "[2001:db8::1]", "[2001:db8::1]:25" },
	{ "IPv6 and port", "[2001:db8::1]:587", "[2001:db8::1]:587" },
	{ "any IPv6", "[::]:25", "[::]:25" },
	{ "any IPv4", "0.0.0.0", "0.0.0.0:25" },
	{ "longest form", "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
	  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ "mapped is IPv4", "::ffff:192.0.2.1", "192.0.2.1:25" },
	{ "IPv4 in brackets", "[192.0.2.1]:26", "192.0.2.1:26" },
	{ "empty", "", NULL },
	{ "empty brackets", "[]", NULL },
	{ "open bracket", "[2001:db8::1", NULL },
	{ "closing bracket alone", "2001:db8::1]", NULL },
	{ "text behind brackets", "[::1]25", NULL },
	{ "no port behind colon", "192.0.2.1:", NULL },
	{ "no port behind brackets", "[::1]:", NULL },
	{ "port too large", "192.0.2.1:65536", NULL },
	{ "port of six digits", "192.0.2.1:000025", NULL },
	{ "sign", "192.0.2.1:+25", NULL },
	{ "blank before port", "192.0.2.1: 25", NULL },
	{ "hexadecimal port", "192.0.2.1:0x19", NULL },
	{ "octal octet", "192.0.02.1", NULL },
	{ "three octets", "192.0.2", NULL },
	{ "octet of 256", "192.0.2.256", NULL },
	{ "blank in front", " 192.0.2.1", NULL },
	{ "name", "mail.example.net", NULL },
	{ "name and port", "localhost:25", NULL },
	{ "two runs of zeros", "2001::db8::1", NULL },
	{ "zone", "fe80::1%eth0", NULL },
	{ "far too long", "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", NULL },
};

START_TEST(parses)
{
	struct endpoint e, untouched;
	char		text[ENDPOINT_TEXT_MAX];
	bool		got;

	memset(&e, 0x5a, sizeof(e));
	untouched = e;
	got = endpoint_parse(span_of(parse_cases[_i].text), 25, &e);
	ck_assert_msg(got == (parse_cases[_i].want != NULL), "%s", parse_cases[_i].label);
	if (!got) {
		ck_assert_int_eq(memcmp(&e, &untouched, sizeof(e)), 0);
		return;
	}
	ck_assert_msg(strcmp(endpoint_format(&e, text), parse_cases[_i].want) == 0, "%s: %s",
		      parse_cases[_i].label, text);
} END_TEST

START_TEST(a_nul_inside_is_no_end)
{
	struct endpoint e;

	ck_assert(!endpoint_parse(SPAN_LITERAL("192.0.2.1\0"), 25, &e));
	ck_assert(!endpoint_parse(SPAN_LITERAL("192.0.2.1\0:25"), 25, &e));
	ck_assert(!endpoint_parse(SPAN_LITERAL("[::1\0]:25"), 25, &e));
} END_TEST

static const struct {
	const char *label, *prefix, *address;
	bool	    inside;
} match_cases[] = {
	{ "first of a net", "192.0.2.0/24", "192.0.2.0", true },
	{ "last of a net", "192.0.2.0/24", "192.0.2.255", true },
	{ "one behind", "192.0.2.0/24", "192.0.3.0", false },
	{ "odd bits in", "10.32.0.0/11", "10.63.255.255", true },
	{ "odd bits out", "10.32.0.0/11", "10.64.0.0", false },
	{ "one address", "192.0.2.1", "192.0.2.1", true },
	{ "another address", "192.0.2.1", "192.0.2.3", false },
	{ "/31", "192.0.2.2/31", "192.0.2.3", true },
	{ "all of IPv4", "0.0.0.0/0", "255.255.255.255", true },
	{ "all of IPv4 is no IPv6", "0.0.0.0/0", "2001:db8::1", false },
	{ "all of IPv6 holds IPv4 too", "::/0", "192.0.2.1", true },
	{ "IPv6", "2001:db8::/32", "2001:db8:ffff::1", true },
	{ "IPv6 out", "2001:db8::/32", "2001:db9::1", false },
	{ "IPv6 in brackets", "[2001:db8::]/33", "2001:db8:7fff::", true },
	{ "IPv6 odd bits out", "[2001:db8::]/33", "2001:db8:8000::", false },
	{ "/128", "::1/128", "::1", true },
	{ "/127 out", "::2/127", "::1", false },
};

START_TEST(matches)
{
	struct endpoint_prefix p;
	struct endpoint	       e;

	ck_assert(endpoint_prefix_parse(span_of(match_cases[_i].prefix), &p));
	ck_assert(endpoint_parse(span_of(match_cases[_i].address), 0, &e));
	ck_assert_msg(endpoint_prefix_match(&p, &e) == match_cases[_i].inside, "%s", match_cases[_i].label);
} END_TEST

START_TEST(refuses_prefixes_that_mean_nothing)
{
	static const char *const bad[] = {
		"", "/", "/8", "192.0.2.0/33", "::/129", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/ 24", "192.0.2.1/24",
		"10.16.0.0/11", "2001:db8::1/64", "192.0.2.0/24/24", "192.0.2.0:25/24", "[::]:25/0", "[/8", "[]/8",
		"example.net/24", "192.0.2.0/024000",
	};
	struct endpoint_prefix p;

	for (size_t i = 0; i < COUNT_OF(bad); i++)
		ck_assert_msg(!endpoint_prefix_parse(span_of(bad[i]), &p), "%s", bad[i]);
} END_TEST

START_TEST(goes_to_the_kernel_and_back)
{
	static const char *const texts[] = { "192.0.2.1:25", "[2001:db8::1]:65535", "[fe80::1]:1", "0.0.0.0:0" };
	struct sockaddr_storage	 address;
	struct endpoint		 e, back;

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		ck_assert(endpoint_parse(span_of(texts[i]), 0, &e));
		if (!endpoint_is_ipv4(&e))
			e.scope_id = 7;
		ck_assert_uint_eq(endpoint_to_sockaddr(&e, &address),
				  endpoint_is_ipv4(&e) ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		ck_assert(endpoint_from_sockaddr(&address, &back));
		ck_assert(endpoint_same_ip(&e, &back) && e.port == back.port);
	}
	address.ss_family = AF_UNIX;
	ck_assert(!endpoint_from_sockaddr(&address, &back));
} END_TEST

START_TEST(knows_loopback)
{
	static const struct {
		const char *text;
		bool	    want;
	} cases[] = { { "127.0.0.1", true }, { "127.255.255.255", true }, { "::1", true }, { "::ffff:127.0.0.1", true },
		      { "128.0.0.1", false }, { "::", false }, { "::2", false }, { "0.0.0.0", false } };
	struct endpoint e;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		ck_assert(endpoint_parse(span_of(cases[i].text), 0, &e));
		ck_assert_msg(endpoint_is_loopback(&e) == cases[i].want, "%s", cases[i].text);
	}
} END_TEST

int
main(void)
{
	TCase *tc = case_new("endpoint");

	tcase_add_loop_test(tc, parses, 0, COUNT_OF(parse_cases));
	tcase_add_test(tc, a_nul_inside_is_no_end);
	tcase_add_loop_test(tc, matches, 0, COUNT_OF(match_cases));
	tcase_add_test(tc, refuses_prefixes_that_mean_nothing);
	tcase_add_test(tc, goes_to_the_kernel_and_back);
	tcase_add_test(tc, knows_loopback);
	return run_case("core/endpoint", tc);
}
