/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/histogram.h"

#include "tests/support/run.h"

static struct histogram h;

static void
clear(void)
{
	memset(&h, 0, sizeof(h));
}

START_TEST(empty_has_no_percentiles)
{
	ck_assert_uint_eq(histogram_percentile(&h, 50), 0);
	ck_assert_double_eq(histogram_mean(&h), 0);
} END_TEST

static const struct {
	const char *label;
	double	    percent;
	uint64_t    low, high; /* of what 1..1000 must give */
} percentile_cases[] = {
	{ "none of them", 0, 1, 1 },
	{ "exact below the steps", 5, 50, 50 },
	{ "median", 50, 500, 503 },
	{ "ninety", 90, 900, 907 },
	{ "ninety-nine", 99, 990, 1000 },
	{ "all: never above the maximum", 100, 1000, 1000 },
};

START_TEST(percentiles_of_a_ramp)
{
	uint64_t got;

	for (uint64_t i = 1; i <= 1000; i++)
		histogram_add(&h, i);
	got = histogram_percentile(&h, percentile_cases[_i].percent);
	ck_assert_msg(got >= percentile_cases[_i].low && got <= percentile_cases[_i].high, "%s: got %llu",
		      percentile_cases[_i].label, (unsigned long long)got);
	ck_assert_double_eq(histogram_mean(&h), 500.5);
} END_TEST

static const uint64_t edge_cases[] = {
	0, 1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1u << 20, ((uint64_t)1 << 40) + 12345, UINT64_MAX / 2, UINT64_MAX,
};

/* What comes back is not below what went in and at most a 128th above. */
START_TEST(error_is_bounded)
{
	uint64_t in = edge_cases[_i], got;

	histogram_add(&h, in);
	histogram_add(&h, UINT64_MAX); /* so that the maximum does not help */
	got = histogram_percentile(&h, 50);
	ck_assert_msg(got >= in && got - in <= in / 128, "%llu came back as %llu", (unsigned long long)in,
		      (unsigned long long)got);
} END_TEST

START_TEST(merged_is_as_if_added)
{
	static struct histogram a, b;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	for (uint64_t i = 0; i < 5000; i++) {
		histogram_add(i % 3 ? &a : &b, i * i);
		histogram_add(&h, i * i);
	}
	histogram_merge(&a, &b);
	ck_assert_uint_eq(a.count, h.count);
	ck_assert_uint_eq(a.max, h.max);
	ck_assert_mem_eq(a.slots, h.slots, sizeof(a.slots));
} END_TEST

START_TEST(packed_is_the_same)
{
	static struct histogram other, back;
	struct histogram_slot *a, *b, *sum;
	unsigned a_count, b_count, count;

	memset(&other, 0, sizeof(other));
	memset(&back, 0, sizeof(back));
	ck_assert_ptr_null(histogram_pack(&other, &count));
	ck_assert_uint_eq(count, 0);
	for (uint64_t i = 0; i < 5000; i++)
		histogram_add(i % 3 ? &h : &other, i * i);
	a = histogram_pack(&h, &a_count);
	b = histogram_pack(&other, &b_count);
	sum = histogram_packed_add(a, a_count, b, b_count, &count);
	histogram_merge(&h, &other);
	histogram_unpack(&back, sum, count);
	ck_assert_uint_eq(back.count, h.count);
	ck_assert_mem_eq(back.slots, h.slots, sizeof(h.slots));
	ck_assert(back.max >= h.max && back.max - h.max <= h.max / 128);
	free(sum);
	sum = histogram_packed_add(a, a_count, NULL, 0, &count);
	ck_assert_uint_eq(count, a_count);
	ck_assert_mem_eq(sum, a, a_count * sizeof(*a));
	free(sum);
	free(a);
	free(b);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("histogram");

	tcase_add_checked_fixture(tc, clear, NULL);
	tcase_add_test(tc, empty_has_no_percentiles);
	tcase_add_loop_test(tc, percentiles_of_a_ramp, 0, COUNT_OF(percentile_cases));
	tcase_add_loop_test(tc, error_is_bounded, 0, COUNT_OF(edge_cases));
	tcase_add_test(tc, merged_is_as_if_added);
	tcase_add_test(tc, packed_is_the_same);
	return run_case("bench/histogram", tc);
}
