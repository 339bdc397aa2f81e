/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/order.h"

#include "tests/support/run.h"

static struct dns_chance
chance_of(unsigned seed)
{
	struct dns_chance c;

	for (unsigned i = 0; i < COUNT_OF(c.of); i++)
		c.of[i] = (uint16_t)((seed = seed * 1103515245u + 12345u) >> 16);
	return c;
}

/* Twelve exchangers of three preferences; who comes first among equals changes, the preference does not. */
START_TEST(hosts)
{
	uint8_t		   octets[12 * 4];
	struct dns_answer *a;
	unsigned	   firsts = 0;

	for (unsigned i = 0; i < 12; i++) {
		octets[4 * i] = 0;
		octets[4 * i + 1] = (uint8_t)(i / 4);
		octets[4 * i + 2] = 1;
		octets[4 * i + 3] = (uint8_t)('a' + i);
	}
	a = dns_answer_new(DNS_OK, 60, 12, octets, sizeof(octets));
	for (unsigned seed = 0; seed < 200; seed++) {
		struct dns_chance chance = chance_of(seed);
		struct dns_hosts  out;
		unsigned	  seen = 0;

		dns_order_hosts(a, &chance, &out);
		ck_assert_uint_eq(out.count, 12);
		ck_assert(!out.implicit);
		for (unsigned i = 0; i < 12; i++) {
			ck_assert_uint_eq(out.host[i].preference, i / 4);
			seen |= 1u << (out.host[i].name.data[0] - 'a');
			ck_assert_uint_eq((unsigned)(out.host[i].name.data[0] - 'a') / 4, i / 4);
		}
		ck_assert_uint_eq(seen, 0xfff);
		firsts |= 1u << (out.host[4].name.data[0] - 'a');
	}
	ck_assert_uint_eq(firsts, 0xf0);
	dns_answer_put(a);
}
END_TEST

static const struct {
	const char *label;
	unsigned    ipv4, ipv6, want;
	const char *families; /* of the first ones */
} address_cases[] = {
	{ "in turn", 3, 2, 5, "64644" },
	{ "more IPv6", 1, 3, 4, "6466" },
	{ "IPv4 only", 2, 0, 2, "44" },
	{ "IPv6 only", 0, 2, 2, "66" },
	{ "none", 0, 0, 0, "" },
	{ "more than fit: both have a share", 32, 32, 32, "6464" },
};

START_TEST(addresses)
{
	uint8_t		     octets[32 * 16];
	struct dns_answer   *a, *aaaa;
	struct dns_addresses out;
	struct dns_chance    chance = chance_of((unsigned)_i);
	unsigned	     ipv4 = 0;

	for (unsigned i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i / 4 + 1);
	a = dns_answer_new(DNS_OK, 60, address_cases[_i].ipv4, octets, address_cases[_i].ipv4 * 4);
	aaaa = dns_answer_new(DNS_OK, 60, address_cases[_i].ipv6, octets, address_cases[_i].ipv6 * 16);
	/* An answer that is missing is like one without records. */
	dns_order_addresses(address_cases[_i].ipv4 ? a : NULL, address_cases[_i].ipv6 ? aaaa : NULL, &chance, &out);
	ck_assert_msg(out.count == address_cases[_i].want, "%s: %u", address_cases[_i].label, out.count);
	for (size_t i = 0; i < strlen(address_cases[_i].families); i++)
		ck_assert_msg(endpoint_is_ipv4(&out.at[i]) == (address_cases[_i].families[i] == '4'), "%s",
			      address_cases[_i].label);
	for (unsigned i = 0; i < out.count; i++) {
		ipv4 += endpoint_is_ipv4(&out.at[i]);
		for (unsigned j = 0; j < i; j++)
			ck_assert(!endpoint_same_ip(&out.at[i], &out.at[j]));
	}
	if (address_cases[_i].want == 32)
		ck_assert_uint_eq(ipv4, 16);
	dns_answer_put(a);
	dns_answer_put(aaaa);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("order");

	tcase_add_test(tc, hosts);
	tcase_add_loop_test(tc, addresses, 0, COUNT_OF(address_cases));
	return run_case("dns/order", tc);
}
