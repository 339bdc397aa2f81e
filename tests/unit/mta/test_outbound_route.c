/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/outbound/route.h"

#include "tests/support/run.h"

#define LABEL63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static const char yaml[] = "hostname: Mail.Us.Example\n"
			   "outbound: {port: 2525}\n"
			   "routes:\n"
			   "  example.net: [smtp:one.example:25, \"smtp:[192.0.2.7]:26\"]\n"
			   "  .inner.example: smtp:two.example:25\n"
			   "  by-mx.example: mx\n"
			   "  mail.us.example: smtp:three.example:25\n";

static const struct {
	const char     *label, *mailbox;
	enum route_kind kind;
	const char     *name;
} cases[] = {
	{ "a domain", "user@example.org", ROUTE_MX, "example.org" },
	{ "in any case", "User@EXAMPLE.Org", ROUTE_MX, "example.org" },
	{ "U-labels", "user@b\xc3\xbc" "cher.example", ROUTE_MX, "xn--bcher-kva.example" },
	{ "A-labels", "user@XN--bcher-kva.example", ROUTE_MX, "xn--bcher-kva.example" },
	{ "quoted at sign", "\"a@example.net\"@example.org", ROUTE_MX, "example.org" },
	{ "routed", "user@example.net", ROUTE_STATIC, "route example.net" },
	{ "routed in any case", "user@Example.NET", ROUTE_STATIC, "route example.net" },
	{ "below a routed suffix", "user@a.b.inner.example", ROUTE_STATIC, "route .inner.example" },
	{ "two domains of a suffix share it", "user@c.inner.example", ROUTE_STATIC, "route .inner.example" },
	{ "below a routed name", "user@sub.example.net", ROUTE_MX, "sub.example.net" },
	{ "routed to its MX", "user@by-mx.example", ROUTE_MX, "by-mx.example" },
	{ "no domain: ours", "postmaster", ROUTE_STATIC, "route mail.us.example" },
	{ "address", "user@[192.0.2.1]", ROUTE_LITERAL, "[192.0.2.1]" },
	{ "address of six", "user@[IPv6:2001:DB8::0:1]", ROUTE_LITERAL, "[2001:db8::1]" },
	{ "no address", "user@[300.1.1.1]", ROUTE_NOWHERE, "" },
	{ "address without end", "user@[192.0.2.1", ROUTE_NOWHERE, "" },
	{ "empty domain", "user@", ROUTE_NOWHERE, "" },
	{ "label too long", "user@" LABEL63 "x.example", ROUTE_NOWHERE, "" },
	{ "two dots", "user@a..example", ROUTE_NOWHERE, "" },
	{ "nothing", "", ROUTE_STATIC, "route mail.us.example" },
};

START_TEST(a_route)
{
	struct settings_error error;
	struct settings	     *s = settings_parse(span_of(yaml), "test", &error);
	struct route	      r;

	ck_assert_msg(s != NULL, "%s", error.message);
	route_find(s, span_of(cases[_i].mailbox), &r);
	ck_assert_msg(r.kind == cases[_i].kind && span_equal(r.name, span_of(cases[_i].name)), "%s: kind %d, %.*s",
		      cases[_i].label, r.kind, (int)r.name.len, r.name.data);
	ck_assert((r.hops != NULL) == (r.kind == ROUTE_STATIC));
	if (r.kind == ROUTE_LITERAL)
		ck_assert_uint_eq(r.address.port, 2525);
	settings_unref(s);
} END_TEST

START_TEST(owners)
{
	unsigned counts[7] = { 0 };
	char	 name[32];

	for (unsigned i = 0; i < 7000; i++) {
		unsigned owner;

		(void)snprintf(name, sizeof(name), "d%u.example", i);
		owner = route_owner(span_of(name), 7);
		ck_assert_uint_lt(owner, 7);
		ck_assert_uint_eq(owner, route_owner(span_of(name), 7));
		ck_assert_uint_eq(route_owner(span_of(name), 1), 0);
		counts[owner]++;
	}
	for (unsigned i = 0; i < 7; i++)
		ck_assert_msg(counts[i] > 700, "core %u owns %u of 7000", i, counts[i]);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("routes");

	tcase_add_loop_test(tc, a_route, 0, COUNT_OF(cases));
	tcase_add_test(tc, owners);
	return run_case("outbound route", tc);
}
