/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/cache.h"

#include "dns/limits.h"
#include "tests/support/run.h"

#define SECOND UINT64_C(1000000000)
#define START  (1000 * SECOND)

static const struct dns_secret secret = { { 1, 2 } };

static struct budget	memory;
static struct dns_cache cache;

static void
open_cache(uint64_t octets)
{
	memory = (struct budget){ .max = 1 << 20 };
	ck_assert_int_eq(dns_cache_init(&cache, &memory, octets, 3600), 0);
}

static void
close_cache(void)
{
	ck_assert_uint_eq(memory.used, cache.octets);
	dns_cache_fini(&cache);
	ck_assert_uint_eq(memory.used, 0);
}

static struct dns_key
key(const char *name, enum dns_type type)
{
	return dns_key_make(&secret, span_of(name), type);
}

static void
keep(const char *name, enum dns_type type, enum dns_status status, uint32_t ttl_s)
{
	struct dns_key	   k = key(name, type);
	struct dns_answer *a = dns_answer_new(status, ttl_s, status == DNS_OK, "\300\0\2\1", status == DNS_OK ? 4 : 0);

	dns_cache_keep(&cache, &k, a, START);
	dns_answer_put(a);
}

static bool
is_kept(const char *name, enum dns_type type, uint64_t now_ns)
{
	struct dns_key	   k = key(name, type);
	struct dns_answer *a = dns_cache_find(&cache, &k, now_ns);

	dns_answer_put(a);
	return a != NULL;
}

static const struct {
	const char     *label;
	enum dns_status status;
	uint32_t	ttl_s, want_s;
} ttl_cases[] = {
	{ "as it is", DNS_OK, 300, 300 },
	{ "none", DNS_OK, 0, DNS_TTL_MIN_S },
	{ "long", DNS_OK, 86400, 3600 },
	{ "longest", DNS_OK, INT32_MAX, 3600 },
	{ "negative", DNS_NXDOMAIN, 900, 900 },
	{ "negative without SOA", DNS_NONE, 0, DNS_TTL_MIN_S },
	{ "failure", DNS_FAILED, 300, DNS_FAILURE_S },
	{ "null MX", DNS_NULL_MX, 600, 600 },
};

START_TEST(time_to_live)
{
	uint64_t until = START + ttl_cases[_i].want_s * SECOND;

	open_cache(1 << 20);
	keep("a.example", DNS_TYPE_A, ttl_cases[_i].status, ttl_cases[_i].ttl_s);
	ck_assert_msg(is_kept("a.example", DNS_TYPE_A, until - 1), "%s: gone too early", ttl_cases[_i].label);
	ck_assert_msg(!is_kept("a.example", DNS_TYPE_A, until), "%s: kept too long", ttl_cases[_i].label);
	ck_assert_uint_eq(cache.octets, 0);
	close_cache();
}
END_TEST

START_TEST(negative_times_have_a_bound)
{
	open_cache(1 << 20);
	dns_cache_configure(&cache, 1 << 20, 86400);
	keep("a.example", DNS_TYPE_A, DNS_NXDOMAIN, 86400);
	keep("b.example", DNS_TYPE_A, DNS_OK, 86400);
	ck_assert(!is_kept("a.example", DNS_TYPE_A, START + DNS_NEGATIVE_MAX_S * SECOND));
	ck_assert(is_kept("b.example", DNS_TYPE_A, START + 86399 * SECOND));
	close_cache();
}
END_TEST

START_TEST(name_and_type_are_the_key)
{
	open_cache(1 << 20);
	keep("a.example", DNS_TYPE_A, DNS_OK, 60);
	ck_assert(is_kept("a.example", DNS_TYPE_A, START));
	ck_assert(!is_kept("a.example", DNS_TYPE_AAAA, START));
	ck_assert(!is_kept("a.exampl", DNS_TYPE_A, START));
	ck_assert(!is_kept("b.example", DNS_TYPE_A, START));
	close_cache();
}
END_TEST

START_TEST(the_newer_answer_replaces)
{
	struct dns_key	   k = key("a.example", DNS_TYPE_A);
	struct dns_answer *a;

	open_cache(1 << 20);
	keep("a.example", DNS_TYPE_A, DNS_OK, 60);
	keep("a.example", DNS_TYPE_A, DNS_NXDOMAIN, 60);
	ck_assert_uint_eq(cache.table.count, 1);
	a = dns_cache_find(&cache, &k, START);
	ck_assert_int_eq(a->status, DNS_NXDOMAIN);
	/* Who holds it may go on reading when the cache has forgotten it. */
	dns_cache_clear(&cache);
	ck_assert_int_eq(a->status, DNS_NXDOMAIN);
	dns_answer_put(a);
	close_cache();
}
END_TEST

static const char *
numbered(unsigned i)
{
	static char name[32];

	(void)snprintf(name, sizeof(name), "n%u.example", i);
	return name;
}

START_TEST(bounded_by_octets)
{
	enum { COUNT = 5000, OCTETS = 64 * 1024 };
	unsigned kept = 0;

	open_cache(OCTETS);
	for (unsigned i = 0; i < COUNT; i++) {
		keep(numbered(i), DNS_TYPE_A, DNS_OK, 60);
		ck_assert_uint_le(cache.octets, OCTETS);
		/* The first one is in use all the time. */
		ck_assert(is_kept(numbered(0), DNS_TYPE_A, START));
	}
	for (unsigned i = 0; i < COUNT; i++)
		if (is_kept(numbered(i), DNS_TYPE_A, START)) {
			ck_assert(i == 0 || i > COUNT - cache.table.count);
			kept++;
		}
	ck_assert_uint_eq(kept, cache.table.count);
	ck_assert_uint_gt(kept, 100);
	dns_cache_configure(&cache, 1024, 3600);
	ck_assert_uint_le(cache.octets, 1024);
	ck_assert_uint_gt(cache.table.count, 0);
	dns_cache_configure(&cache, 0, 3600);
	ck_assert_uint_eq(cache.octets, 0);
	keep("a.example", DNS_TYPE_A, DNS_OK, 60);
	ck_assert_uint_eq(cache.octets, 0);
	close_cache();
}
END_TEST

START_TEST(bounded_by_the_memory_of_the_core)
{
	open_cache(1 << 20);
	memory.max = 1024;
	for (unsigned i = 0; i < 100; i++)
		keep(numbered(i), DNS_TYPE_A, DNS_OK, 60);
	ck_assert_uint_le(memory.used, 1024);
	ck_assert_uint_gt(cache.table.count, 0);
	close_cache();
}
END_TEST

START_TEST(the_secret_decides)
{
	const struct dns_secret other = { { 1, 3 } };
	unsigned		same = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct span name = span_of(numbered(i));

		same += (dns_key_make(&secret, name, DNS_TYPE_A).hash & 0xff) ==
			(dns_key_make(&other, name, DNS_TYPE_A).hash & 0xff);
	}
	ck_assert_uint_lt(same, 50);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("cache");

	tcase_add_loop_test(tc, time_to_live, 0, COUNT_OF(ttl_cases));
	tcase_add_test(tc, negative_times_have_a_bound);
	tcase_add_test(tc, name_and_type_are_the_key);
	tcase_add_test(tc, the_newer_answer_replaces);
	tcase_add_test(tc, bounded_by_octets);
	tcase_add_test(tc, bounded_by_the_memory_of_the_core);
	tcase_add_test(tc, the_secret_decides);
	return run_case("dns/cache", tc);
}
