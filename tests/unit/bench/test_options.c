/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/options.h"

#include "tests/support/run.h"

static const char *const words[] = { "early", "late", NULL };

struct values {
	bool		      loud, quiet;
	uint64_t	      count, octets;
	const char	     *text;
	struct endpoint	      to;
	struct option_endpoints at;
	struct option_refusal refusal;
	struct option_chance  chance;
	unsigned	      when;
};

static const struct option_row rows[] = {
	{ "loud", OPTION_FLAG, offsetof(struct values, loud), NULL, "Be loud.", 0, 0, NULL },
	{ "no-quiet", OPTION_CLEAR, offsetof(struct values, quiet), NULL, "Be not quiet.", 0, 0, NULL },
	{ "count", OPTION_COUNT, offsetof(struct values, count), "N", "How many.", 1, 100, NULL },
	{ "octets", OPTION_OCTETS, offsetof(struct values, octets), "N", "How large.", 0, UINT64_MAX, NULL },
	{ "text", OPTION_TEXT, offsetof(struct values, text), "WORD", "What.", 0, 0, NULL },
	{ "to", OPTION_ENDPOINT, offsetof(struct values, to), "ADDRESS:PORT", "Whither.", 0, 0, NULL },
	{ "at", OPTION_ENDPOINTS, offsetof(struct values, at), "ADDRESS:PORT", "Where.", 0, 0, NULL },
	{ "refuse", OPTION_REFUSAL, offsetof(struct values, refusal), "CODE:PERCENT", "Refuse.", 0, 0, NULL },
	{ "close", OPTION_CHANCE, offsetof(struct values, chance), "WHERE:PERCENT", "Close.", 0, 0, words },
	{ "when", OPTION_WORD, offsetof(struct values, when), "WHEN", "When.", 0, 0, words },
};

static const struct {
	const char	  *label, *argv[4];
	enum option_result want;
	const char	  *says; /* in why */
} cases[] = {
	{ "nothing", { NULL }, OPTIONS_OK, NULL },
	{ "flag", { "--loud" }, OPTIONS_OK, NULL },
	{ "flag with value", { "--loud=yes" }, OPTIONS_WRONG, "takes no value" },
	{ "count", { "--count", "100" }, OPTIONS_OK, NULL },
	{ "count by =", { "--count=1" }, OPTIONS_OK, NULL },
	{ "count too small", { "--count", "0" }, OPTIONS_WRONG, "from 1 to 100" },
	{ "count too large", { "--count", "101" }, OPTIONS_WRONG, "from 1 to 100" },
	{ "count with suffix", { "--count", "1K" }, OPTIONS_WRONG, "--count" },
	{ "count negative", { "--count", "-1" }, OPTIONS_WRONG, "--count" },
	{ "count empty", { "--count=" }, OPTIONS_WRONG, "--count" },
	{ "count missing", { "--count" }, OPTIONS_WRONG, "wants a value" },
	{ "octets", { "--octets", "100k" }, OPTIONS_OK, NULL },
	{ "octets overflow", { "--octets", "18446744073709551615G" }, OPTIONS_WRONG, "--octets" },
	{ "octets beyond 64 bits", { "--octets", "18446744073709551616" }, OPTIONS_WRONG, "--octets" },
	{ "octets, two suffixes", { "--octets", "1kk" }, OPTIONS_WRONG, "--octets" },
	{ "text empty", { "--text=" }, OPTIONS_WRONG, "--text" },
	{ "endpoint", { "--to", "127.0.0.1:2525" }, OPTIONS_OK, NULL },
	{ "endpoint without port", { "--to", "127.0.0.1" }, OPTIONS_WRONG, "with a port" },
	{ "endpoint by name", { "--to", "localhost:25" }, OPTIONS_WRONG, "localhost" },
	{ "endpoints", { "--at", "127.0.0.1:2525", "--at", "[::1]:2525" }, OPTIONS_OK, NULL },
	{ "endpoints, one wrong", { "--at", "127.0.0.1:2525", "--at", "[::1]" }, OPTIONS_WRONG, "with a port" },
	{ "refusal", { "--refuse", "451:12.5" }, OPTIONS_OK, NULL },
	{ "refusal always", { "--refuse", "550" }, OPTIONS_OK, NULL },
	{ "refusal with 2xx", { "--refuse", "250:1" }, OPTIONS_WRONG, "CODE:PERCENT" },
	{ "refusal of four digits", { "--refuse", "4511:1" }, OPTIONS_WRONG, "CODE:PERCENT" },
	{ "refusal beyond all", { "--refuse", "451:101" }, OPTIONS_WRONG, "CODE:PERCENT" },
	{ "chance", { "--close", "late:1" }, OPTIONS_OK, NULL },
	{ "chance, no such place", { "--close", "never:1" }, OPTIONS_WRONG, "early, late" },
	{ "word", { "--when", "late" }, OPTIONS_OK, NULL },
	{ "word, a part of it", { "--when", "lat" }, OPTIONS_WRONG, "early, late" },
	{ "unknown", { "--lod" }, OPTIONS_WRONG, "--lod" },
	{ "unknown, one is near", { "--lod" }, OPTIONS_WRONG, "--loud meant" },
	{ "unknown, none is near", { "--xyzzyx" }, OPTIONS_WRONG, "--help" },
	{ "part of a name", { "--cou", "1" }, OPTIONS_WRONG, "--cou" },
	{ "one dash", { "-v" }, OPTIONS_WRONG, "two dashes" },
	{ "help", { "--loud", "--help" }, OPTIONS_HELP, NULL },
	{ "a word", { "letter" }, OPTIONS_OK, NULL },
	{ "two words", { "letter", "other" }, OPTIONS_WRONG, "too many" },
	{ "a word behind --", { "--", "--loud" }, OPTIONS_OK, NULL },
};

START_TEST(command_lines_parse)
{
	struct values values = { 0 };
	char why[OPTION_WHY_MAX] = "";
	const char *rest[1];
	size_t rest_count = COUNT_OF(rest);
	enum option_result got;
	int argc = 0;

	while (argc < 4 && cases[_i].argv[argc])
		argc++;
	got = options_parse(rows, COUNT_OF(rows), argc, (char *const *)cases[_i].argv, &values, rest, &rest_count,
			    why);
	ck_assert_msg(got == cases[_i].want, "%s: got %d (%s)", cases[_i].label, got, why);
	if (cases[_i].says)
		ck_assert_msg(strstr(why, cases[_i].says) != NULL, "%s: says \"%s\"", cases[_i].label, why);
} END_TEST

START_TEST(values_arrive)
{
	static const char *const argv[] = {
		"--loud", "--no-quiet", "--count", "7", "--octets=3M", "--text", "hi", "--to", "[::1]:25",
		"--refuse", "451:12.5", "--close", "late:3", "--when", "late", "letter",
		"--at", "127.0.0.1:1", "--at", "[::1]:2",
	};
	struct values v = { .quiet = true };
	char why[OPTION_WHY_MAX];
	const char *rest[1];
	size_t rest_count = COUNT_OF(rest);

	ck_assert_int_eq(options_parse(rows, COUNT_OF(rows), COUNT_OF(argv), (char *const *)argv, &v, rest,
				       &rest_count, why), OPTIONS_OK);
	ck_assert(v.loud && !v.quiet);
	ck_assert_uint_eq(v.count, 7);
	ck_assert_uint_eq(v.octets, 3u << 20);
	ck_assert_str_eq(v.text, "hi");
	ck_assert_uint_eq(v.to.port, 25);
	ck_assert_uint_eq(v.at.count, 2);
	ck_assert_uint_eq(v.at.at[0].port, 1);
	ck_assert_uint_eq(v.at.at[1].port, 2);
	ck_assert_uint_eq(v.refusal.code, 451);
	ck_assert_double_eq(v.refusal.percent, 12.5);
	ck_assert_int_eq(v.chance.word, 1);
	ck_assert_double_eq(v.chance.percent, 3);
	ck_assert_uint_eq(v.when, 1);
	ck_assert_uint_eq(rest_count, 1);
	ck_assert_str_eq(rest[0], "letter");
} END_TEST

START_TEST(endpoints_have_an_end)
{
	char *argv[2 * (OPTION_ENDPOINTS_MAX + 1)], option[] = "--at", address[] = "127.0.0.1:1";
	struct values v = { 0 };
	char why[OPTION_WHY_MAX];
	const char *rest[1];
	size_t rest_count = COUNT_OF(rest);

	for (size_t i = 0; i < COUNT_OF(argv); i++)
		argv[i] = i % 2 ? address : option;
	ck_assert_int_eq(options_parse(rows, COUNT_OF(rows), COUNT_OF(argv), argv, &v, rest, &rest_count, why),
			 OPTIONS_WRONG);
	ck_assert_uint_eq(v.at.count, OPTION_ENDPOINTS_MAX);
	ck_assert_msg(strstr(why, "8 times") != NULL, "says \"%s\"", why);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("options");

	tcase_add_loop_test(tc, command_lines_parse, 0, COUNT_OF(cases));
	tcase_add_test(tc, values_arrive);
	tcase_add_test(tc, endpoints_have_an_end);
	return run_case("bench/options", tc);
}
