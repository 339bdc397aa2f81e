/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pace.h"

#include "tests/support/run.h"

#define SECOND UINT64_C(1000000000)

static uint64_t
off(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The n-th message of the run, one core of three. */
START_TEST(constant_arrivals_do_not_drift)
{
	struct pace_params params = { .rate = 700, .core = 1, .core_count = 3 };
	struct pace p;

	pace_begin(&p, &params, 5 * SECOND);
	for (uint64_t n = 1; n < 3000000; n += 3) {
		if (off(p.due_ns, 5 * SECOND + n * SECOND / 700) > 2)
			ck_abort_msg("message %llu is due at %llu", (unsigned long long)n, (unsigned long long)p.due_ns);
		pace_next(&p);
	}
} END_TEST

START_TEST(a_ramp_is_a_straight_line)
{
	struct pace_params params = { .rate = 1000, .ramp_s = 10, .core_count = 1 };
	struct pace p;
	unsigned counts[20] = { 0 };

	pace_begin(&p, &params, SECOND);
	for (; p.due_ns < 21 * SECOND; pace_next(&p))
		counts[(p.due_ns - SECOND) / SECOND]++;
	for (unsigned s = 0; s < 20; s++)
		ck_assert_msg(off(counts[s], s < 10 ? 50 + 100 * s : 1000) <= 1, "second %u has %u", s, counts[s]);
} END_TEST

START_TEST(chance_keeps_the_rate_and_repeats)
{
	struct pace_params params = { .rate = 1000, .arrivals = PACE_POISSON, .seed = 7, .core_count = 4 };
	struct pace p, same, other;
	uint64_t before = 0, n = 0, empty_ms = 0;

	pace_begin(&p, &params, 0);
	pace_begin(&same, &params, 0);
	params.core = 1;
	pace_begin(&other, &params, 0);
	ck_assert_uint_ne(p.due_ns, other.due_ns);
	for (; p.due_ns < 400 * SECOND; n++) {
		empty_ms += (p.due_ns - before) > 4000000; /* the mean gap of one of four */
		before = p.due_ns;
		pace_next(&p);
		pace_next(&same);
		ck_assert_uint_eq(p.due_ns, same.due_ns);
		ck_assert_uint_ge(p.due_ns, before);
	}
	ck_assert_msg(off(n, 100000) < 2000, "%llu arrivals", (unsigned long long)n);
	/* exp(-1) of the gaps are longer than the mean. */
	ck_assert_msg(off(empty_ms, n * 37 / 100) < n / 50, "%llu long gaps", (unsigned long long)empty_ms);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("pace");

	tcase_add_test(tc, constant_arrivals_do_not_drift);
	tcase_add_test(tc, a_ramp_is_a_straight_line);
	tcase_add_test(tc, chance_keeps_the_rate_and_repeats);
	return run_case("bench/pace", tc);
}
