/* SPDX-License-Identifier: Apache-2.0 */
/* Reading settings while memory runs out: each allocation of ours fails once (the linker wraps malloc and calloc). */

#include "mta/settings_internal.h"
#include "tests/support/run.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static unsigned long allocations, failing; /* failing: number of the one that fails, 0: none */

void *
__wrap_malloc(size_t size)
{
	return ++allocations == failing ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return ++allocations == failing ? NULL : __real_calloc(count, size);
}

START_TEST(each_failure_is_said_and_nothing_leaks)
{
	char  *yaml = __real_malloc(1 << 16);
	size_t n = (size_t)snprintf(yaml, 1 << 16, "hostname: a.example\nrelay_networks: [10.0.0.0/8, 11.0.0.0/8]\n"
						    "accept_domains:\n");
	struct settings_error error = { "" };
	struct settings	     *s = NULL;
	unsigned long	      wanted = 0, failed = 0;

	for (unsigned i = 0; i < 500; i++)
		n += (size_t)snprintf(yaml + n, (1 << 16) - n, "- d%u.example\n", i);
	n += (size_t)snprintf(yaml + n, (1 << 16) - n, "routes:\n");
	for (unsigned i = 0; i < 500; i++)
		n += (size_t)snprintf(yaml + n, (1 << 16) - n, "  d%u.example: [\"smtp:a%u.example\", \"smtp:b\"]\n", i, i);
	for (failing = 1; s == NULL; failing++) {
		allocations = 0;
		s = settings_parse(span_make(yaml, n), "test", &error);
		if (s)
			break;
		failed++;
		ck_assert_msg(strstr(error.message, "memory") != NULL, "allocation %lu: %s", failing, error.message);
	}
	wanted = allocations;
	failing = 0;
	/* Every allocation was tried, and there were some in the arena, not only the first. */
	ck_assert_uint_eq(failed, wanted);
	ck_assert_uint_gt(wanted, 5);
	settings_unref(s);
	free(yaml);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("settings_memory");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, each_failure_is_said_and_nothing_leaks);
	return run_case("mta/settings_memory", tc);
}
