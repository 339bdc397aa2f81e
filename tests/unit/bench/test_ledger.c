/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ledger.h"

#include "tests/support/run.h"

static const struct {
	const char	  *label, *line;
	enum ledger_result want;
} parse_cases[] = {
	{ "whole", "accepted id=a-1 size=10 crc=00c0ffee code=250 queue=x rcpt=a@b time=5", LEDGER_OK },
	{ "keys in another order", "received time=5 rcpt=a@b crc=00c0ffee size=10 id=a-1", LEDGER_OK },
	{ "unknown key", "received id=a-1 colour=red time=5", LEDGER_OK },
	{ "empty", "", LEDGER_SKIP },
	{ "comment", "# accepted id=a-1", LEDGER_SKIP },
	{ "unknown word", "swallowed id=a-1 time=5", LEDGER_BROKEN },
	{ "torn within a key", "accepted id=a-1 si", LEDGER_BROKEN },
	{ "torn before the time", "accepted id=a-1 size=10 crc=00c0ffee", LEDGER_BROKEN },
	{ "no id", "accepted size=10 time=5", LEDGER_BROKEN },
	{ "empty id", "accepted id= time=5", LEDGER_BROKEN },
	{ "short crc", "accepted id=a-1 crc=c0ffee time=5", LEDGER_BROKEN },
	{ "upper case crc", "accepted id=a-1 crc=00C0FFEE time=5", LEDGER_BROKEN },
	{ "size not a number", "accepted id=a-1 size=1x time=5", LEDGER_BROKEN },
	{ "size too long", "accepted id=a-1 size=99999999999999999999 time=5", LEDGER_BROKEN },
	{ "two spaces", "accepted id=a-1  time=5", LEDGER_BROKEN },
	{ "trailing space", "accepted id=a-1 time=5 ", LEDGER_BROKEN },
	{ "a line of JSON", "{\"id\": 1}", LEDGER_BROKEN },
};

START_TEST(lines_parse)
{
	struct ledger_line line;
	enum ledger_result got = ledger_parse(span_of(parse_cases[_i].line), &line);

	ck_assert_msg(got == parse_cases[_i].want, "%s: got %d", parse_cases[_i].label, got);
	if (got == LEDGER_OK)
		ck_assert(span_equal(line.id, SPAN_LITERAL("a-1")));
} END_TEST

START_TEST(written_is_read)
{
	struct ledger_text t = { 0 };
	struct ledger_line line;
	struct span list, address;

	ledger_put_begin(&t, LEDGER_RECEIVED, SPAN_LITERAL("5d0c93aa-7"), 123456789012, 0xdeadbeef);
	ledger_put_key(&t, "from", SPAN_LITERAL("odd one@example.org"));
	ledger_put(&t, SPAN_LITERAL(" rcpt="));
	ledger_put_address(&t, true, SPAN_LITERAL("a,b%@example.org"));
	ledger_put_address(&t, false, SPAN_LITERAL("\x01\xc3\xa9@example.org"));
	ledger_put(&t, SPAN_LITERAL(" answered=no"));
	ledger_put_end(&t, 1700000000123456789);
	ck_assert_int_eq(t.data[t.len - 1], '\n');
	ck_assert_int_eq(ledger_parse(span_make(t.data, t.len - 1), &line), LEDGER_OK);
	ck_assert_int_eq(line.kind, LEDGER_RECEIVED);
	ck_assert_uint_eq(line.size, 123456789012);
	ck_assert_uint_eq(line.crc, 0xdeadbeef);
	ck_assert_int_eq(line.time_ms, 1700000000123);
	ck_assert(line.unanswered);
	ck_assert(span_equal(line.from, SPAN_LITERAL("odd%20one@example.org")));
	list = line.rcpt;
	ck_assert(ledger_next_address(&list, &address));
	ck_assert(span_equal(address, SPAN_LITERAL("a%2Cb%25@example.org")));
	ck_assert(ledger_next_address(&list, &address));
	ck_assert(span_equal(address, SPAN_LITERAL("%01%C3%A9@example.org")));
	ck_assert(!ledger_next_address(&list, &address));
	free(t.data);
} END_TEST

/* No line that lost its end is taken for a whole one. */
START_TEST(torn_anywhere_is_broken)
{
	static const char line[] = "accepted id=a-1 size=10 crc=00c0ffee code=250 queue=x rcpt=a@b time=1700";
	struct ledger_line out;

	for (size_t len = 1; len < sizeof(line) - sizeof("1700"); len++)
		ck_assert_msg(ledger_parse(span_make(line, len), &out) == LEDGER_BROKEN, "cut at %zu", len);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("ledger");

	tcase_add_loop_test(tc, lines_parse, 0, COUNT_OF(parse_cases));
	tcase_add_test(tc, written_is_read);
	tcase_add_test(tc, torn_anywhere_is_broken);
	return run_case("bench/ledger", tc);
}
