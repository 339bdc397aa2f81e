/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/balance.h"

#include "tests/support/run.h"

#define A1 "accepted id=r-1 size=10 crc=00000001 code=250 rcpt=a@x,b@x time=1\n"
#define R1(rcpt) "received id=r-1 size=10 crc=00000001 rcpt=" rcpt " time=2\n"

static const struct {
	const char    *label, *sent, *received;
	bool	       holds; /* with no duplicate allowed */
	struct balance want;
} cases[] = {
	{ "nothing", "", "", true, { 0 } },
	{ "all there in one", A1, R1("a@x,b@x"), true,
	  { .accepted = 1, .owed = 2, .copies = 2, .delivered = 2 } },
	{ "all there in two", A1, R1("b@x") R1("a@x"), true,
	  { .accepted = 1, .owed = 2, .copies = 2, .delivered = 2 } },
	{ "one recipient missing", A1, R1("a@x"), false,
	  { .accepted = 1, .owed = 2, .copies = 1, .delivered = 1, .missing = 1 } },
	{ "message missing", A1, "", false, { .accepted = 1, .owed = 2, .missing = 2 } },
	{ "reported instead", A1, R1("a@x") "reported id=r-1 rcpt=b@x time=3\n", true,
	  { .accepted = 1, .owed = 2, .copies = 1, .delivered = 1, .reported = 1 } },
	{ "report of another message does not help", A1, R1("a@x") "reported id=r-2 rcpt=b@x time=3\n", false,
	  { .accepted = 1, .owed = 2, .copies = 1, .delivered = 1, .missing = 1 } },
	{ "duplicate", A1, R1("a@x,b@x") R1("a@x"), false,
	  { .accepted = 1, .owed = 2, .copies = 3, .delivered = 2, .duplicates = 1 } },
	{ "duplicate of an unanswered copy", A1,
	  "received id=r-1 size=10 crc=00000001 rcpt=a@x,b@x answered=no time=2\n" R1("a@x,b@x"), true,
	  { .accepted = 1, .owed = 2, .copies = 4, .delivered = 2, .duplicates_excused = 2 } },
	{ "three copies, one of them unanswered", A1,
	  R1("a@x,b@x") "received id=r-1 size=10 crc=00000001 rcpt=a@x answered=no time=2\n" R1("a@x"), false,
	  { .accepted = 1, .owed = 2, .copies = 4, .delivered = 2, .duplicates = 1, .duplicates_excused = 1 } },
	{ "altered sum", A1, "received id=r-1 size=10 crc=00000002 rcpt=a@x,b@x time=2\n", false,
	  { .accepted = 1, .owed = 2, .copies = 2, .delivered = 2, .altered = 1 } },
	{ "altered size", A1, "received id=r-1 size=11 crc=00000001 rcpt=a@x,b@x time=2\n", false,
	  { .accepted = 1, .owed = 2, .copies = 2, .delivered = 2, .altered = 1 } },
	{ "refused and not there", "refused id=r-1 size=10 crc=00000001 code=451 at=dot time=1\n", "", true,
	  { .refused = 1 } },
	{ "refused and there", "refused id=r-1 size=10 crc=00000001 code=451 at=dot time=1\n", R1("a@x"), false,
	  { .refused = 1, .copies = 1, .forbidden = 1 } },
	{ "aborted and there", "aborted id=r-1 size=10 crc=00000001 at=data time=1\n", R1("a@x"), false,
	  { .aborted = 1, .copies = 1, .forbidden = 1 } },
	{ "recipient refused and there",
	  "accepted id=r-1 size=10 crc=00000001 rcpt=a@x refused=b@x time=1\n", R1("a@x,b@x"), false,
	  { .accepted = 1, .owed = 1, .copies = 2, .delivered = 1, .forbidden = 1 } },
	{ "recipient never named", A1, R1("a@x,b@x,c@x"), false,
	  { .accepted = 1, .owed = 2, .copies = 3, .delivered = 2, .forbidden = 1 } },
	{ "unknown and there", "unknown id=r-1 size=10 crc=00000001 at=dot rcpt=a@x time=1\n", R1("a@x"), true,
	  { .unknown = 1, .copies = 1, .unknown_arrived = 1 } },
	{ "unknown and not there", "unknown id=r-1 size=10 crc=00000001 at=dot rcpt=a@x time=1\n", "", true,
	  { .unknown = 1, .unknown_absent = 1 } },
	{ "unknown, but altered", "unknown id=r-1 size=9 crc=00000001 at=dot rcpt=a@x time=1\n", R1("a@x"), false,
	  { .unknown = 1, .copies = 1, .unknown_arrived = 1, .altered = 1 } },
	{ "stranger", A1, R1("a@x,b@x") "received id=- size=1 crc=00000000 rcpt=q@x time=2\n", true,
	  { .accepted = 1, .owed = 2, .copies = 2, .delivered = 2, .strangers = 1 } },
	{ "rejected by the sink does not count as there", A1,
	  "rejected id=r-1 size=10 crc=00000001 code=451 rcpt=a@x,b@x time=2\n", false,
	  { .accepted = 1, .owed = 2, .missing = 2 } },
	{ "torn line at the end", A1, R1("a@x,b@x") "received id=r-1 si", false,
	  { .accepted = 1, .owed = 2, .copies = 2, .delivered = 2, .broken = 1 } },
	{ "one id twice", A1 A1, R1("a@x,b@x"), false,
	  { .accepted = 2, .owed = 2, .copies = 2, .delivered = 2, .broken = 1 } },
};

START_TEST(books_balance)
{
	struct balance got;

	ck_assert_int_eq(balance_ledgers(span_of(cases[_i].sent), span_of(cases[_i].received), NULL, NULL, &got),
			 0);
#define SAME(field)                                                                                \
	ck_assert_msg(got.field == cases[_i].want.field, "%s: " #field " is %llu", cases[_i].label, \
		      (unsigned long long)got.field)
	SAME(accepted); SAME(refused); SAME(aborted); SAME(unknown);
	SAME(owed); SAME(copies); SAME(delivered); SAME(missing); SAME(reported);
	SAME(forbidden); SAME(altered); SAME(broken);
	SAME(duplicates); SAME(duplicates_excused);
	SAME(unknown_arrived); SAME(unknown_absent); SAME(strangers);
#undef SAME
	ck_assert_msg(balance_holds(&got, 0) == cases[_i].holds, "%s: verdict", cases[_i].label);
} END_TEST

START_TEST(allowed_duplicates_hold)
{
	struct balance got;

	ck_assert_int_eq(balance_ledgers(span_of(A1), span_of(R1("a@x,b@x") R1("a@x")), NULL, NULL, &got), 0);
	ck_assert(!balance_holds(&got, 0));
	ck_assert(balance_holds(&got, 1));
} END_TEST

/* Enough messages that the table grows and its chains wrap. */
START_TEST(many_messages)
{
	enum { COUNT = 20000, LINE = 80 };
	char *sent = malloc((size_t)COUNT * LINE), *received = malloc((size_t)COUNT * LINE);
	size_t sent_len = 0, received_len = 0;
	struct balance got;

	for (int i = 0; i < COUNT; i++) {
		sent_len += (size_t)snprintf(sent + sent_len, LINE,
					     "accepted id=r-%d size=1 crc=00000000 rcpt=a@x time=1\n", i);
		if (i != 4711)
			received_len += (size_t)snprintf(received + received_len, LINE,
							 "received id=r-%d size=1 crc=00000000 rcpt=a@x time=1\n",
							 COUNT - 1 - i);
	}
	ck_assert_int_eq(balance_ledgers(span_make(sent, sent_len), span_make(received, received_len), NULL, NULL,
					 &got), 0);
	ck_assert_uint_eq(got.delivered, COUNT - 1);
	ck_assert_uint_eq(got.missing, 1);
	free(sent);
	free(received);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("balance");

	tcase_add_loop_test(tc, books_balance, 0, COUNT_OF(cases));
	tcase_add_test(tc, allowed_duplicates_hold);
	tcase_add_test(tc, many_messages);
	return run_case("bench/balance", tc);
}
