/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/admin/ask.h"

#include "mta/admin/limits.h"
#include "tests/support/run.h"

#define ID_A "01m87t13bs0008mnvafp4f97d7"
#define ID_B "01M87T13BSOOO8MNVAFP4F97D8" /* look-alikes and upper case */

static const struct good {
	const char   *line;
	enum ask_verb verb;
	bool	      all;
	unsigned      limit, id_count;
	bool	      filtered;
} goods[] = {
	{ "{\"do\":\"status\"}", ASK_STATUS, false, ADMIN_LIST_DEFAULT, 0, false },
	{ "{\"do\":\"metrics\"}", ASK_METRICS, false, ADMIN_LIST_DEFAULT, 0, false },
	{ "  { \"do\" : \"reload\" }  ", ASK_RELOAD, false, ADMIN_LIST_DEFAULT, 0, false },
	{ "{\"do\":\"destinations\",\"limit\":7}", ASK_DESTINATIONS, false, 7, 0, false },
	{ "{\"do\":\"list\"}", ASK_LIST, false, ADMIN_LIST_DEFAULT, 0, false },
	{ "{\"limit\":0,\"do\":\"list\"}", ASK_LIST, false, 0, 0, false },
	{ "{\"do\":\"list\",\"limit\":10000}", ASK_LIST, false, ADMIN_LIST_MAX, 0, false },
	{ "{\"do\":\"list\",\"state\":\"any\",\"domain\":\"*\"}", ASK_LIST, false, ADMIN_LIST_DEFAULT, 0, false },
	{ "{\"do\":\"list\",\"state\":\"held\"}", ASK_LIST, false, ADMIN_LIST_DEFAULT, 0, true },
	{ "{\"do\":\"list\",\"from\":\"\"}", ASK_LIST, false, ADMIN_LIST_DEFAULT, 0, true },
	{ "{\"do\":\"show\",\"id\":\"" ID_A "\"}", ASK_SHOW, false, ADMIN_LIST_DEFAULT, 1, false },
	{ "{\"do\":\"hold\",\"ids\":[\"" ID_A "\",\"" ID_B "\"]}", ASK_HOLD, false, ADMIN_LIST_DEFAULT, 2, false },
	{ "{\"do\":\"release\",\"all\":true}", ASK_RELEASE, true, ADMIN_LIST_DEFAULT, 0, false },
	{ "{\"do\":\"retry\",\"domain\":\"example.org\",\"state\":\"waiting\"}", ASK_RETRY, false,
	  ADMIN_LIST_DEFAULT, 0, true },
	{ "{\"do\":\"delete\",\"from\":\"a@example.org\"}", ASK_DELETE, false, ADMIN_LIST_DEFAULT, 0, true },
};

START_TEST(good_lines)
{
	const struct good *g = &goods[_i];
	struct ask	   ask;
	char		   why[ASK_WHY_MAX] = "";

	ck_assert_msg(ask_parse(span_of(g->line), &ask, why), "%s: %s", g->line, why);
	ck_assert_int_eq(ask.verb, g->verb);
	ck_assert_int_eq(ask.all, g->all);
	ck_assert_uint_eq(ask.limit, g->limit);
	ck_assert_uint_eq(ask.id_count, g->id_count);
	ck_assert_msg(filter_is_empty(&ask.filter) != g->filtered, "%s", g->line);
	ask_fini(&ask);
}
END_TEST

static const struct {
	const char *line, *why; /* somewhere in the sentence */
} bads[] = {
	{ "", "no JSON" },
	{ "status", "no JSON" },
	{ "{\"do\":\"status\"", "no JSON" },
	{ "{\"do\":\"status\"}x", "no JSON" },
	{ "{\"do\":\"status\",\"do\":\"status\"}", "no JSON" },
	{ "[]", "object" },
	{ "{}", "\"do\" must be there" },
	{ "{\"do\":1}", "\"do\" must be there" },
	{ "{\"do\":\"Status\"}", "no request" },
	{ "{\"do\":\"status\",\"limit\":1}", "\"status\" takes no \"limit\"" },
	{ "{\"do\":\"list\",\"domian\":\"example.org\"}", "takes no \"domian\"" },
	{ "{\"do\":\"list\",\"ids\":[\"" ID_A "\"]}", "takes no \"ids\"" },
	{ "{\"do\":\"list\",\"limit\":-1}", "\"limit\" must" },
	{ "{\"do\":\"list\",\"limit\":10001}", "\"limit\" must" },
	{ "{\"do\":\"list\",\"limit\":1.0}", "\"limit\" must" },
	{ "{\"do\":\"list\",\"limit\":null}", "\"limit\" must" },
	{ "{\"do\":\"list\",\"state\":\"\"}", "\"state\" must" },
	{ "{\"do\":\"list\",\"domain\":\"..\"}", "\"domain\" must" },
	{ "{\"do\":\"list\",\"from\":{}}", "\"from\" must" },
	{ "{\"do\":\"show\"}", "wants an \"id\"" },
	{ "{\"do\":\"show\",\"id\":\"\"}", "no id" },
	{ "{\"do\":\"show\",\"id\":\"" ID_A "x\"}", "no id" },
	{ "{\"do\":\"show\",\"id\":[]}", "must be a text" },
	{ "{\"do\":\"hold\"}", "wants either" },
	{ "{\"do\":\"hold\",\"domain\":\"*\"}", "wants either" },
	{ "{\"do\":\"hold\",\"ids\":[]}", "1 to 2000" },
	{ "{\"do\":\"hold\",\"ids\":{}}", "1 to 2000" },
	{ "{\"do\":\"hold\",\"ids\":[\"" ID_A "\",2]}", "must be a text" },
	{ "{\"do\":\"hold\",\"ids\":[\"" ID_A "\"],\"all\":true}", "wants either" },
	{ "{\"do\":\"hold\",\"ids\":[\"" ID_A "\"],\"from\":\"<>\"}", "wants either" },
	{ "{\"do\":\"hold\",\"all\":false}", "\"all\" must" },
	{ "{\"do\":\"delete\",\"all\":true,\"yes\":true}", "takes no \"yes\"" },
};

/* And nothing is left on the heap, which the address sanitizer sees. */
START_TEST(bad_lines)
{
	struct ask ask;
	char	   why[ASK_WHY_MAX] = "";

	ck_assert_msg(!ask_parse(span_of(bads[_i].line), &ask, why), "%s", bads[_i].line);
	ck_assert_msg(strstr(why, bads[_i].why) != NULL, "%s: %s", bads[_i].line, why);
}
END_TEST

START_TEST(as_many_ids_as_fit)
{
	static char line[(ADMIN_IDS_MAX + 2) * (ID_TEXT_LEN + 4) + 64];
	struct ask  ask;
	char	    why[ASK_WHY_MAX];

	for (unsigned count = ADMIN_IDS_MAX; count <= ADMIN_IDS_MAX + 1; count++) {
		size_t len = (size_t)snprintf(line, sizeof(line), "{\"do\":\"hold\",\"ids\":[");

		for (unsigned i = 0; i < count; i++)
			len += (size_t)snprintf(line + len, sizeof(line) - len, "%s\"01m87t13bs%016u\"", i ? "," : "",
						i);
		len += (size_t)snprintf(line + len, sizeof(line) - len, "]}");
		ck_assert_uint_lt(len, sizeof(line));
		ck_assert_int_eq(ask_parse(span_make(line, len), &ask, why), count <= ADMIN_IDS_MAX);
		if (count > ADMIN_IDS_MAX)
			break;
		ck_assert_uint_lt(len, ADMIN_LINE_MAX);
		ck_assert_uint_eq(ask.id_count, count);
		ask_fini(&ask);
	}
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("ask");

	tcase_add_loop_test(tc, good_lines, 0, COUNT_OF(goods));
	tcase_add_loop_test(tc, bad_lines, 0, COUNT_OF(bads));
	tcase_add_test(tc, as_many_ids_as_fit);
	return run_case("mta/admin/ask", tc);
}
