/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sink_tally.h"

#include <pthread.h>

#include "tests/support/run.h"

#define MS UINT64_C(1000000)

static struct sink_behaviour *behaviour;
static struct sink_tallies *tallies;

static void
begin(void)
{
	behaviour = sink_behaviour_new();
	tallies = sink_tallies_new(behaviour, true);
	ck_assert_ptr_nonnull(tallies);
}

static void
end(void)
{
	sink_tallies_free(tallies);
	sink_behaviour_free(behaviour);
}

static const struct {
	const char *label, *mailbox, *want;
} names[] = {
	{ "plain", "a@example.org", "example.org" },
	{ "capitals", "a@EXAMPLE.Org", "example.org" },
	{ "an at sign in quotes", "\"a@b\"@example.org", "example.org" },
	{ "a literal", "a@[192.0.2.1]", "[192.0.2.1]" },
	{ "UTF-8", "a@b\xc3\xbc" "cher.example", "b\xc3\xbc" "cher.example" },
	{ "no domain", "postmaster", "no domain" },
	{ "nothing behind the sign", "a@", "no domain" },
	{ "empty", "", "no domain" },
	{ "a quote", "a@ex\"ample.org", "no domain" },
	{ "a backslash", "a@ex\\ample.org", "no domain" },
	{ "a comma", "a@ex,ample.org", "no domain" },
	{ "a line end", "a@ex\nample.org", "no domain" },
	{ "no UTF-8", "a@b\xfc" "cher.example", "no domain" },
};

START_TEST(mailboxes_have_a_tally)
{
	struct sink_tally *tally = sink_tallies_find(tallies, span_of(names[_i].mailbox));

	ck_assert_msg(span_equal(span_make(tally->name, tally->name_len), span_of(names[_i].want)), "%s: %.*s",
		      names[_i].label, (int)tally->name_len, tally->name);
	ck_assert_ptr_eq(sink_tallies_find(tallies, span_of(names[_i].mailbox)), tally);
} END_TEST

START_TEST(domains_are_bounded)
{
	char mailbox[64];
	struct sink_tally *first = sink_tallies_find(tallies, SPAN_LITERAL("a@first.example")), *last = NULL;

	for (unsigned i = 0; i < SINK_DOMAINS_MAX + 10; i++) {
		(void)snprintf(mailbox, sizeof(mailbox), "a@d%u.example", i);
		last = sink_tallies_find(tallies, span_of(mailbox));
	}
	ck_assert(span_equal(span_make(last->name, last->name_len), SPAN_LITERAL("other domains")));
	ck_assert_ptr_eq(sink_tallies_find(tallies, SPAN_LITERAL("b@first.example")), first);
} END_TEST

enum { THREADS = 4, DOMAINS = 1000, ROUNDS = 20 };

static void *
count_all(void *arg)
{
	char mailbox[64];

	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < DOMAINS; i++) {
			(void)snprintf(mailbox, sizeof(mailbox), "a@d%u.example", i);
			sink_tally_add(tallies, sink_tallies_find(tallies, span_of(mailbox)), SINK_COUNT_MESSAGES, 1);
		}
	}
	return arg;
}

/* What the exporter sees while others count is neither lost nor seen twice. */
START_TEST(threads_share_the_tallies)
{
	pthread_t threads[THREADS];
	uint64_t exported = 0;
	unsigned domains = 0;

	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count_all, NULL), 0);
	for (unsigned looks = 0; looks <= 100; looks++) {
		struct sink_tally *tally, *next;

		if (looks == 100) {
			for (unsigned i = 0; i < THREADS; i++)
				(void)pthread_join(threads[i], NULL);
		}
		for (tally = sink_tallies_changed(tallies); tally; tally = next) {
			uint64_t now;

			next = sink_tally_changed_next(tally);
			now = tally->counts[SINK_COUNT_MESSAGES];
			exported += now - tally->exported[SINK_COUNT_MESSAGES];
			domains += tally->exported[SINK_COUNT_MESSAGES] == 0 && now;
			tally->exported[SINK_COUNT_MESSAGES] = now;
		}
	}
	ck_assert_uint_eq(exported, THREADS * DOMAINS * ROUNDS);
	ck_assert_uint_eq(domains, DOMAINS);
} END_TEST

START_TEST(connections_beyond_the_limit)
{
	struct sink_tally *tally = sink_tallies_find(tallies, SPAN_LITERAL("a@example.org"));
	const struct sink_limit limit = { .max = 2 };

	ck_assert_uint_eq(sink_tally_enter(tallies, tally, &limit), 0);
	ck_assert_uint_eq(sink_tally_enter(tallies, tally, &limit), 0);
	ck_assert_uint_eq(sink_tally_enter(tallies, tally, &limit), 1);
	ck_assert_uint_eq(sink_tally_enter(tallies, tally, &limit), 2);
	sink_tally_leave(tally);
	sink_tally_leave(tally);
	sink_tally_leave(tally);
	ck_assert_uint_eq(sink_tally_enter(tallies, tally, &limit), 0);
	ck_assert_uint_eq(tally->open_max, 4);
	ck_assert_uint_eq(tally->counts[SINK_COUNT_CONNECTIONS], 5);
} END_TEST

static const struct {
	const char *label;
	uint32_t    max, burst;
	uint64_t    every_ms; /* a message */
	unsigned    count, taken;
} rates[] = {
	{ "at the rate", 100, 1, 10, 1000, 1000 },
	{ "slower", 100, 1, 11, 1000, 1000 },
	{ "twice as fast", 100, 1, 5, 1000, 500 },
	{ "ten times as fast", 100, 1, 1, 1000, 100 },
	{ "all at once", 100, 1, 0, 50, 1 },
	{ "all at once, a burst allowed", 100, 20, 0, 50, 20 },
	{ "twice as fast, a burst allowed", 100, 20, 5, 1000, 519 },
};

START_TEST(rates_hold)
{
	struct sink_tally *tally = sink_tallies_find(tallies, SPAN_LITERAL("a@example.org"));
	const struct sink_limit limit = { .max = rates[_i].max, .burst = rates[_i].burst, .period_ns = 1000 * MS };
	uint64_t now = 12345 * MS, worst = 0;
	unsigned taken = 0;

	for (unsigned i = 0; i < rates[_i].count; i++, now += rates[_i].every_ms * MS) {
		uint64_t over = sink_tally_rate(tally, &limit, now);

		taken += over == 0;
		worst = MAX_OF(worst, over);
	}
	ck_assert_msg(taken == rates[_i].taken, "%s: %u taken", rates[_i].label, taken);
	ck_assert_msg(worst == rates[_i].count - taken, "%s: %llu too many", rates[_i].label, (unsigned long long)worst);
	/* After a rest, a burst again. */
	now += 1000 * MS * rates[_i].count;
	ck_assert_uint_eq(sink_tally_rate(tally, &limit, now), 0);
} END_TEST

START_TEST(summaries_name_the_busiest)
{
	char mailbox[64], *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	for (unsigned i = 0; i < 5; i++) {
		(void)snprintf(mailbox, sizeof(mailbox), "a@d%u.example", i);
		sink_tally_add(tallies, sink_tallies_find(tallies, span_of(mailbox)), SINK_COUNT_MESSAGES, 10 + i);
	}
	sink_tally_over(sink_tallies_find(tallies, SPAN_LITERAL("a@d0.example")), SINK_LIMIT_RATE, 7);
	ck_assert_int_eq(sink_tallies_print(to, tallies, 2, true), 0);
	(void)fclose(to);
	ck_assert_ptr_nonnull(strstr(text, "\"domain_count\": 5, \"domains\": {\"d4.example\": {\"messages\": 14,"));
	ck_assert_ptr_nonnull(strstr(text, "\"d3.example\": {\"messages\": 13,"));
	ck_assert_ptr_null(strstr(text, "d2.example"));
	ck_assert_ptr_nonnull(strstr(text, "\"other domains\": {\"messages\": 33,"));
	ck_assert_ptr_nonnull(strstr(text, "\"over_rate\": 1, \"over_rate_worst\": 7"));
	free(text);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("sink_tally");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, mailboxes_have_a_tally, 0, COUNT_OF(names));
	tcase_add_test(tc, domains_are_bounded);
	tcase_add_test(tc, threads_share_the_tallies);
	tcase_add_test(tc, connections_beyond_the_limit);
	tcase_add_loop_test(tc, rates_hold, 0, COUNT_OF(rates));
	tcase_add_test(tc, summaries_name_the_busiest);
	return run_case("bench/sink_tally", tc);
}
