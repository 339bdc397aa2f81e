/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/policy/clients.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tests/support/run.h"

static const uint8_t key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static struct endpoint
at(const char *text)
{
	struct endpoint e = { .port = 0 };

	ck_assert(endpoint_parse(span_of(text), 0, &e));
	return e;
}

/* The second client comes while the first has one session and each may have one. */
static const struct {
	const char *label, *first, *second;
	bool	    let_in;
} pair_cases[] = {
	{ "the same address", "192.0.2.1", "192.0.2.1", false },
	{ "the same address, another port", "192.0.2.1:1000", "192.0.2.1:2000", false },
	{ "next address", "192.0.2.1", "192.0.2.2", true },
	{ "IPv4 differs in its first octet", "192.0.2.1", "193.0.2.1", true },
	{ "IPv6: same /64", "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", false },
	{ "IPv6: next /64", "2001:db8::1", "2001:db8:0:1::1", true },
	{ "IPv4 written as IPv6", "192.0.2.1", "::ffff:192.0.2.1", false },
	{ "IPv4 is no /64 of IPv6", "0.0.0.1", "::1", true },
};

START_TEST(clients_apart_and_together)
{
	struct clients *c = clients_new(1000000, key);
	struct endpoint first = at(pair_cases[_i].first), second = at(pair_cases[_i].second);

	ck_assert(clients_enter(c, &first, 1));
	ck_assert_msg(clients_enter(c, &second, 1) == pair_cases[_i].let_in, "%s", pair_cases[_i].label);
	if (pair_cases[_i].let_in)
		clients_leave(c, &second);
	clients_leave(c, &first);
	ck_assert_msg(clients_enter(c, &second, 1), "%s: after all left", pair_cases[_i].label);
	clients_free(c);
} END_TEST

START_TEST(the_limit_is_exact_and_may_change)
{
	struct clients *c = clients_new(10, key);
	struct endpoint e = at("198.51.100.7");

	ck_assert(!clients_enter(c, &e, 0));
	for (unsigned i = 0; i < 5; i++)
		ck_assert(clients_enter(c, &e, 5));
	ck_assert(!clients_enter(c, &e, 5));
	ck_assert(clients_enter(c, &e, 6));
	ck_assert(!clients_enter(c, &e, 3));
	for (unsigned i = 0; i < 4; i++)
		clients_leave(c, &e);
	ck_assert(clients_enter(c, &e, 3));
	ck_assert(!clients_enter(c, &e, 3));
	clients_free(c);
} END_TEST

/* As full as it may be, with one session for each client: few meet somebody. */
START_TEST(few_meet)
{
	enum { SESSIONS = 20000 };
	struct clients *c = clients_new(SESSIONS, key);
	unsigned	refused = 0;

	for (unsigned i = 0; i < SESSIONS; i++) {
		uint8_t		ip[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
		struct endpoint e = endpoint_from_ipv4(ip, 0);

		refused += !clients_enter(c, &e, 1);
	}
	/* 131072 buckets, 20000 thrown in: 1426 meetings expected, deviation about 37. */
	ck_assert_msg(refused > 1000 && refused < 1900, "%u", refused);
	clients_free(c);
} END_TEST

START_TEST(another_key_another_table)
{
	static const uint8_t other[16] = { 1 };
	struct clients	    *c[2] = { clients_new(0, key), clients_new(0, other) };
	unsigned	     met[2] = { 0, 0 }, both = 0;
	struct endpoint	     victim = at("203.0.113.1");

	for (unsigned t = 0; t < 2; t++)
		ck_assert(clients_enter(c[t], &victim, 1));
	for (unsigned i = 0; i < 65536; i++) {
		uint8_t		ip[4] = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i };
		struct endpoint e = endpoint_from_ipv4(ip, 0);
		bool		meets[2];

		for (unsigned t = 0; t < 2; t++) {
			meets[t] = !clients_enter(c[t], &e, 1);
			met[t] += meets[t];
			if (!meets[t])
				clients_leave(c[t], &e);
		}
		both += meets[0] && meets[1];
	}
	/* Of 1024 buckets: 64 neighbours with either key, none or so with both. */
	ck_assert_uint_gt(met[0], 0);
	ck_assert_uint_gt(met[1], 0);
	ck_assert_uint_le(both, 4);
	clients_free(c[0]);
	clients_free(c[1]);
} END_TEST

/* --- threads: the limit holds at every instant, and nothing is left behind ------------------------------------ */

enum { THREADS = 4, ROUNDS = 50000, LIMIT = 3 };

struct crowd {
	struct clients	 *clients;
	struct endpoint	  peer;
	_Atomic(unsigned) inside, most;
	_Atomic(uint64_t) entered;
};

static void *
come_and_go(void *arg)
{
	struct crowd *crowd = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned inside, most;

		if (!clients_enter(crowd->clients, &crowd->peer, LIMIT))
			continue;
		inside = atomic_fetch_add(&crowd->inside, 1) + 1;
		most = atomic_load(&crowd->most);
		while (inside > most && !atomic_compare_exchange_weak(&crowd->most, &most, inside))
			;
		atomic_fetch_add(&crowd->entered, 1);
		atomic_fetch_sub(&crowd->inside, 1);
		clients_leave(crowd->clients, &crowd->peer);
	}
	return NULL;
}

START_TEST(cores_agree)
{
	struct crowd crowd = { .clients = clients_new(100, key), .peer = at("2001:db8::25") };
	pthread_t    threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, &crowd), 0);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_le(atomic_load(&crowd.most), LIMIT);
	ck_assert_uint_gt(atomic_load(&crowd.entered), 0);
	for (unsigned i = 0; i < LIMIT; i++)
		ck_assert(clients_enter(crowd.clients, &crowd.peer, LIMIT));
	ck_assert(!clients_enter(crowd.clients, &crowd.peer, LIMIT));
	clients_free(crowd.clients);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("clients");

	tcase_add_loop_test(tc, clients_apart_and_together, 0, COUNT_OF(pair_cases));
	tcase_add_test(tc, the_limit_is_exact_and_may_change);
	tcase_add_test(tc, few_meet);
	tcase_add_test(tc, another_key_another_table);
	tcase_add_test(tc, cores_agree);
	tcase_set_timeout(tc, 120);
	return run_case("mta/policy/clients", tc);
}
