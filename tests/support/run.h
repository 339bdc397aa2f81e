/* SPDX-License-Identifier: Apache-2.0 */
/* What each Check program begins and ends with: its cases, as one suite. */
#ifndef TESTS_SUPPORT_RUN_H
#define TESTS_SUPPORT_RUN_H

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

/* A case whose tests have a minute each; tcase_set_timeout() may say otherwise. */
static inline TCase *
case_new(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	return tc;
}

/* Runs cases, given to it; what main() returns. */
static inline int
run_cases(const char *name, TCase *const *cases, size_t count)
{
	Suite	*suite = suite_create(name);
	SRunner *runner;
	int	 failed;

	for (size_t i = 0; i < count; i++)
		suite_add_tcase(suite, cases[i]);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int
run_case(const char *name, TCase *tc)
{
	return run_cases(name, &tc, 1);
}

#endif
