/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the sending side end with: their cases as one suite. */
#ifndef TESTS_UNIT_MTA_OUTBOUND_RUN_H
#define TESTS_UNIT_MTA_OUTBOUND_RUN_H

#include <check.h>
#include <stdlib.h>

static inline int
run_case(const char *name, TCase *tc)
{
	Suite	*suite = suite_create(name);
	SRunner *runner;
	int	 failed;

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
