/* SPDX-License-Identifier: Apache-2.0 */
/* The pages an operator reads say what the program does.  RINGPOST_SOURCE_DIR says where they are. */

#include "mta/settings_internal.h"
#include "tests/support/run.h"

static struct settings_error error;

static char *
page(const char *name)
{
	const char *source = getenv("RINGPOST_SOURCE_DIR");
	char	    path[4096], *text = NULL;
	size_t	    len;

	(void)snprintf(path, sizeof(path), "%s/docs/%s", source ? source : ".", name);
	ck_assert_msg(io_file_slurp(path, 1 << 20, &text, &len) == 0, "%s cannot be read", path);
	return text;
}

START_TEST(the_manual_is_the_committed_one)
{
	char  *made = NULL, *kept = page("settings.md");
	size_t len = 0, at = 0, line = 1;
	FILE  *to = open_memstream(&made, &len);

	settings_print_manual(to);
	ck_assert_int_eq(fclose(to), 0);
	for (; made[at] && made[at] == kept[at]; at++)
		line += made[at] == '\n';
	ck_assert_msg(made[at] == kept[at],
		      "docs/settings.md differs in line %zu; make it anew: ringpost --settings-manual > docs/settings.md",
		      line);
	free(made);
	free(kept);
} END_TEST

START_TEST(the_manual_names_every_row_once)
{
	char *text = page("settings.md");

	for (size_t i = 0; i < COUNT_OF(settings_rows); i++) {
		char  heading[SETTINGS_PATH_MAX + 8];
		char *found;

		(void)snprintf(heading, sizeof(heading), "**%s**:", settings_rows[i].path);
		found = strstr(text, heading);
		ck_assert_msg(found && strstr(found + 1, heading) == NULL, "%s", settings_rows[i].path);
	}
	free(text);
} END_TEST

START_TEST(the_example_is_valid)
{
	char		*text = page("ringpost.yaml.example");
	struct settings *s = settings_parse(span_of(text), "docs/ringpost.yaml.example", &error);

	ck_assert_msg(s != NULL, "%s", error.message);
	ck_assert_str_eq(s->hostname.data, "mx1.example.org");
	ck_assert(settings_accepts(s, SPAN_LITERAL("sub.example.org")));
	ck_assert_uint_eq(settings_route_for(s, SPAN_LITERAL("example.org"))->hop_count, 2);
	settings_unref(s);
	free(text);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("settings_docs");

	tcase_add_test(tc, the_manual_is_the_committed_one);
	tcase_add_test(tc, the_manual_names_every_row_once);
	tcase_add_test(tc, the_example_is_valid);
	return run_case("mta/settings_docs", tc);
}
