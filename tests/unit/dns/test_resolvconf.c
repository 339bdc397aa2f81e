/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/resolvconf.h"

#include "tests/support/run.h"

enum { MAX = 3 };

static const struct {
	const char *label, *text;
	const char *want[MAX + 1];
} cases[] = {
	{ "empty", "", { NULL } },
	{ "one", "nameserver 192.0.2.1\n", { "192.0.2.1:53" } },
	{ "no line end", "nameserver 192.0.2.1", { "192.0.2.1:53" } },
	{ "both families, in order", "nameserver 2001:db8::1\nnameserver 192.0.2.1\n",
	  { "[2001:db8::1]:53", "192.0.2.1:53" } },
	{ "other lines", "# nameserver 192.0.2.9\n; nameserver 192.0.2.9\nsearch example.com\noptions edns0\n"
			 "nameserver\t192.0.2.1\t# ours\ndomain example.com\n", { "192.0.2.1:53" } },
	{ "CR at line ends", "nameserver 192.0.2.1\r\nnameserver 192.0.2.2\r\n", { "192.0.2.1:53", "192.0.2.2:53" } },
	{ "keyword not at the beginning", " nameserver 192.0.2.1\n", { NULL } },
	{ "another keyword", "nameservers 192.0.2.1\nNAMESERVER 192.0.2.1\n", { NULL } },
	{ "no address", "nameserver\nnameserver \nnameserver dns.example\n", { NULL } },
	{ "a port", "nameserver 192.0.2.1:5353\n", { NULL } },
	{ "a zone", "nameserver fe80::1%eth0\nnameserver 192.0.2.1\n", { "192.0.2.1:53" } },
	{ "too many", "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
	  { "192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53" } },
	{ "blank lines", "\n\n \nnameserver   192.0.2.1  \n\n", { "192.0.2.1:53" } },
	{ "octets that are no text", "nameserver \xff\x01\nnameserver 192.0.2.1\n", { "192.0.2.1:53" } },
};

START_TEST(servers)
{
	struct endpoint out[MAX + 1];
	char		text[ENDPOINT_TEXT_MAX];
	unsigned	count = dns_resolvconf_read(span_of(cases[_i].text), out, MAX), want = 0;

	while (cases[_i].want[want])
		want++;
	ck_assert_msg(count == want, "%s: %u", cases[_i].label, count);
	for (unsigned i = 0; i < count; i++)
		ck_assert_str_eq(endpoint_format(&out[i], text), cases[_i].want[i]);
}
END_TEST

START_TEST(the_machine_itself)
{
	struct endpoint out[2];
	char		text[ENDPOINT_TEXT_MAX];

	ck_assert_uint_eq(dns_resolvconf_default(out), 2);
	ck_assert_str_eq(endpoint_format(&out[0], text), "127.0.0.1:53");
	ck_assert_str_eq(endpoint_format(&out[1], text), "[::1]:53");
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("resolvconf");

	tcase_add_loop_test(tc, servers, 0, COUNT_OF(cases));
	tcase_add_test(tc, the_machine_itself);
	return run_case("dns/resolvconf", tc);
}
