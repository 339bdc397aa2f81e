/* SPDX-License-Identifier: Apache-2.0 */
/* Weighted lists, and what is drawn from them: sizes and mailboxes. */
#include "bench/weighted.h"

#include <math.h>
#include <unistd.h>

#include "bench/chance.h"
#include "bench/mailboxes.h"
#include "bench/sizes.h"
#include "tests/support/run.h"

static char why[WEIGHTED_WHY_MAX];

static struct weighted
list(const char *text)
{
	struct weighted w;

	ck_assert_msg(weighted_parse(&w, span_of(text), "list", why) == 0, "%s", why);
	return w;
}

/* A file that the caller unlinks. */
static const char *
file(const char *text)
{
	static char name[32];
	int fd;

	(void)snprintf(name, sizeof(name), "list-XXXXXX");
	fd = mkstemp(name);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return name;
}

START_TEST(shares_come_out_as_the_weights)
{
	struct weighted w = list("# words\n a.example 1\nb.example\t2.5\r\n\nc.example 0.5\nd.example\n");
	static const double want[] = { 1, 2.5, 0.5, 1 };
	unsigned counts[4] = { 0 };

	ck_assert_uint_eq(w.count, 4);
	for (uint64_t n = 0; n < 500000; n++)
		counts[weighted_draw(&w, chance_of(1, 0, n))]++;
	for (size_t i = 0; i < 4; i++)
		ck_assert_msg(fabs(counts[i] / 100000.0 - want[i]) < 0.02, "%.*s: %u", (int)w.slots[i].word.len,
			      w.slots[i].word.data, counts[i]);
	weighted_free(&w);
} END_TEST

/* A hundred thousand words, the first as heavy as all others together; each of the others may come. */
START_TEST(a_long_tail)
{
	enum { WORDS = 100000 };
	char *text = malloc(WORDS * 16), *at = text;
	unsigned *counts = calloc(WORDS, sizeof(*counts)), heavy, others = 0;
	struct weighted w;

	for (unsigned i = 0; i < WORDS; i++)
		at += snprintf(at, 16, i ? "d%u\n" : "d%u 99999\n", i);
	w = list(text);
	for (uint64_t n = 0; n < 2000000; n++)
		counts[weighted_draw(&w, chance_of(2, 0, n))]++;
	heavy = counts[0];
	for (unsigned i = 1; i < WORDS; i++)
		others += counts[i] > 0;
	ck_assert_msg(heavy > 990000 && heavy < 1010000, "%u", heavy);
	ck_assert_msg(others > WORDS * 0.9999, "%u of them came", others);
	weighted_free(&w);
	free(counts);
	free(text);
} END_TEST

static const struct {
	const char *label, *text, *says;
} wrong_cases[] = {
	{ "empty", "", "nothing in it" },
	{ "comments only", "# a\n\n", "nothing in it" },
	{ "no number", "a.example 1\nb.example heavy\n", "list:2: \"heavy\"" },
	{ "negative", "a -1", "list:1" },
	{ "nothing", "a 0", "list:1" },
	{ "infinite", "a inf", "list:1" },
	{ "two weights", "a 1 2", "list:1" },
};

START_TEST(wrong_lists_are_named)
{
	struct weighted w;

	ck_assert_int_lt(weighted_parse(&w, span_of(wrong_cases[_i].text), "list", why), 0);
	ck_assert_msg(strstr(why, wrong_cases[_i].says) != NULL, "%s: %s", wrong_cases[_i].label, why);
	weighted_free(&w);
} END_TEST

START_TEST(sizes_follow_the_file)
{
	const char *name = file("4096 3\n10K-1M 1\n");
	struct sizes s;
	unsigned small = 0, below = 0, ranged = 0;

	ck_assert_msg(sizes_open(&s, name, why) == 0, "%s", why);
	unlink(name);
	ck_assert_uint_eq(s.max, 1 << 20);
	for (uint64_t n = 0; n < 100000; n++) {
		uint64_t size = sizes_of(&s, 1, n);

		ck_assert_uint_eq(size, sizes_of(&s, 1, n));
		if (size == 4096) {
			small++;
			continue;
		}
		ck_assert(size >= 10 << 10 && size <= 1 << 20);
		ranged++;
		below += size < 102400; /* half of the doublings */
	}
	ck_assert_msg(small > 74000 && small < 76000, "%u", small);
	ck_assert_msg(fabs((double)below / ranged - 0.5) < 0.02, "%u of %u", below, ranged);
	sizes_free(&s);
} END_TEST

static int
size_order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* What the comment in sizes.c and the manual say of it. */
START_TEST(corporate_has_its_shape)
{
	enum { N = 100000 };
	static uint64_t all[N];
	struct sizes s;
	double sum = 0;

	ck_assert_int_eq(sizes_open(&s, "corporate", why), 0);
	for (uint64_t n = 0; n < N; n++)
		sum += (double)(all[n] = sizes_of(&s, 1, n));
	qsort(all, N, sizeof(all[0]), size_order);
	ck_assert_uint_ge(all[N / 2], 20 << 10);
	ck_assert_uint_le(all[N / 2], 40 << 10);
	ck_assert_uint_le(all[N * 4 / 5], 100 << 10);
	ck_assert_uint_ge(all[N * 99 / 100], 1 << 20);
	ck_assert(sum / N > 75 << 10 && sum / N < 110 << 10);
	sizes_free(&s);
} END_TEST

static const char *const wrong_sizes[] = { "many", "0", "10K-1K", "1-", "-5", "1T", "1000000M" };

START_TEST(wrong_sizes_are_named)
{
	const char *name = file(wrong_sizes[_i]);
	struct sizes s;

	ck_assert_int_lt(sizes_open(&s, name, why), 0);
	unlink(name);
	ck_assert_msg(strstr(why, wrong_sizes[_i]) != NULL, "%s", why);
	sizes_free(&s);
} END_TEST

static const struct {
	const char *label, *from, *rcpt;
	uint64_t pool;
	bool drawn;
	const char *want_from, *want_rcpt; /* of message 3, recipient 1 of 2 */
} mailbox_cases[] = {
	{ "as they are", "a@x.example", "b@y.example", 1, false, "a@x.example", "b@y.example" },
	{ "numbered", "a@x.example", "u%dv@y.example", 100, false, "a@x.example", "u7v@y.example" },
	{ "the pool is a ring", "a@x.example", "u%d@y.example", 4, false, "a@x.example", "u3@y.example" },
	{ "in the domain", "a@x.example", "u@h%d.example", 100, false, "a@x.example", "u@h7.example" },
	{ "null reverse-path", "", "b@y.example", 1, false, "", "b@y.example" },
	{ "drawn", "a@x.example", "u%d@y.example", 100, true, "a@only.example", "u7@only.example" },
	{ "drawn, no domain", "a", "u%d", 100, true, "a@only.example", "u7@only.example" },
};

START_TEST(mailboxes_are_made)
{
	const char *name = file("only.example\n");
	struct mailboxes_params p = {
		.from = mailbox_cases[_i].from, .rcpt = mailbox_cases[_i].rcpt, .recipients = 2,
		.pool = mailbox_cases[_i].pool, .from_domains = mailbox_cases[_i].drawn ? name : NULL,
		.rcpt_domains = mailbox_cases[_i].drawn ? name : NULL,
	};
	char room[MESSAGE_ADDRESS_MAX];
	struct mailboxes m;
	struct span got;

	ck_assert_msg(mailboxes_open(&m, &p, why) == 0, "%s: %s", mailbox_cases[_i].label, why);
	unlink(name);
	got = mailboxes_from(&m, 3, room);
	ck_assert_msg(span_equal(got, span_of(mailbox_cases[_i].want_from)), "%s: from %.*s", mailbox_cases[_i].label,
		      (int)got.len, got.data);
	got = mailboxes_recipient(&m, 3, 1, room);
	ck_assert_msg(span_equal(got, span_of(mailbox_cases[_i].want_rcpt)), "%s: to %.*s", mailbox_cases[_i].label,
		      (int)got.len, got.data);
	mailboxes_free(&m);
} END_TEST

START_TEST(wrong_mailboxes_are_named)
{
	const char *name = file("good.example\nbad>.example\n");
	struct mailboxes_params p = { .from = "a@x", .rcpt = "b@x", .recipients = 1, .pool = 1 };
	struct mailboxes m;

	p.rcpt = "b c@x";
	ck_assert_int_lt(mailboxes_open(&m, &p, why), 0);
	p.rcpt = "b@x";
	p.pool = 2;
	ck_assert_int_lt(mailboxes_open(&m, &p, why), 0);
	ck_assert(strstr(why, "%d") != NULL);
	p.pool = 1;
	p.rcpt_domains = name;
	ck_assert_int_lt(mailboxes_open(&m, &p, why), 0);
	ck_assert_msg(strstr(why, "bad>.example") != NULL, "%s", why);
	mailboxes_free(&m);
	unlink(name);
	ck_assert_int_lt(mailboxes_open(&m, &p, why), 0);
	ck_assert_msg(strstr(why, name) != NULL, "%s", why);
	mailboxes_free(&m);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("weighted");

	tcase_add_test(tc, shares_come_out_as_the_weights);
	tcase_add_test(tc, a_long_tail);
	tcase_add_loop_test(tc, wrong_lists_are_named, 0, COUNT_OF(wrong_cases));
	tcase_add_test(tc, sizes_follow_the_file);
	tcase_add_test(tc, corporate_has_its_shape);
	tcase_add_loop_test(tc, wrong_sizes_are_named, 0, COUNT_OF(wrong_sizes));
	tcase_add_loop_test(tc, mailboxes_are_made, 0, COUNT_OF(mailbox_cases));
	tcase_add_test(tc, wrong_mailboxes_are_named);
	return run_case("bench/weighted", tc);
}
