/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report.h"

#include "tests/support/run.h"

static struct report r, other;

static void
clear(void)
{
	memset(&r, 0, sizeof(r));
	memset(&other, 0, sizeof(other));
}

#define MS UINT64_C(1000000)

static const struct {
	const char *label;
	double	    busy;
	unsigned    on_time, late; /* messages begun at once, and 20 ms late */
	bool	    want;
} saturated_cases[] = {
	{ "nothing happened", 0, 0, 0, false },
	{ "busy, but not all the time", 0.94, 1000, 0, false },
	{ "busy all the time", 0.96, 1000, 0, true },
	{ "a few are late", 0.1, 1000, 9, false },
	{ "one in fifty is late", 0.1, 980, 20, true },
};

START_TEST(saturated_when_busy_or_late)
{
	r.busy = saturated_cases[_i].busy;
	for (unsigned i = 0; i < saturated_cases[_i].on_time; i++)
		report_latency(&r, REPORT_LATE, MS / 10);
	for (unsigned i = 0; i < saturated_cases[_i].late; i++)
		report_latency(&r, REPORT_LATE, 20 * MS);
	ck_assert_msg(report_saturated(&r) == saturated_cases[_i].want, "%s", saturated_cases[_i].label);
} END_TEST

START_TEST(cores_add_up)
{
	r.cores = 1;
	r.busy = 0.5;
	r.first_ns = 2000;
	r.last_ns = 3000;
	other.busy = 0.7;
	other.first_ns = 1000;
	other.last_ns = 2500;
	other.latencies = REPORT_KNOWN(COMMIT);
	report_latency(&other, REPORT_COMMIT, MS);
	report_add(&other, REPORT_MESSAGES, 3);
	report_merge(&r, &other);
	ck_assert_uint_eq(r.cores, 2);
	ck_assert_double_eq(r.busy, 0.7);
	ck_assert_uint_eq(r.first_ns, 1000);
	ck_assert_uint_eq(r.last_ns, 3000);
	ck_assert_uint_eq(r.counts[REPORT_MESSAGES], 3);
	ck_assert_uint_eq(r.latencies, REPORT_KNOWN(COMMIT));
	ck_assert_uint_eq(histogram_percentile(&r.latency[REPORT_COMMIT], 50), MS);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("report");

	tcase_add_checked_fixture(tc, clear, NULL);
	tcase_add_loop_test(tc, saturated_when_busy_or_late, 0, COUNT_OF(saturated_cases));
	tcase_add_test(tc, cores_add_up);
	return run_case("bench/report", tc);
}
