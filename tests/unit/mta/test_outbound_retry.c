/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/outbound/retry.h"

#include "tests/support/run.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static const struct settings usual = {
	.retry_first_ms = 5 * MINUTE,
	.retry_max_ms = 4 * HOUR,
	.retry_jitter_percent = 20,
	.retry_expire_ms = 120 * (uint64_t)HOUR,
	.retry_warn_ms = 4 * HOUR,
};

static const struct {
	unsigned attempts;
	uint64_t pause_ms; /* in the middle */
} pauses[] = {
	{ 0, 5 * MINUTE },   { 1, 5 * MINUTE },	  { 2, 10 * MINUTE },  { 3, 20 * MINUTE },
	{ 6, 160 * MINUTE }, { 7, 4 * HOUR },	  { 8, 4 * HOUR },     { 65535, 4 * HOUR },
};

START_TEST(a_pause)
{
	struct settings steady = usual;
	uint64_t	middle = pauses[_i].pause_ms, least = UINT64_MAX, most = 0;

	steady.retry_jitter_percent = 0;
	ck_assert_uint_eq(retry_pause_ms(&steady, pauses[_i].attempts, UINT64_MAX), middle);
	for (uint64_t chance = 0; chance < 2 * middle; chance += 997) {
		uint64_t pause = retry_pause_ms(&usual, pauses[_i].attempts, chance);

		least = MIN_OF(least, pause);
		most = MAX_OF(most, pause);
	}
	ck_assert_uint_ge(least, middle * 8 / 10);
	ck_assert_uint_le(most, middle * 12 / 10);
	/* All of the width is used. */
	ck_assert_uint_le(least, middle * 81 / 100);
	ck_assert_uint_ge(most, middle * 119 / 100);
} END_TEST

START_TEST(odd_pauses)
{
	struct settings s = usual;

	s.retry_first_ms = s.retry_max_ms = 1;
	s.retry_jitter_percent = 50;
	ck_assert_uint_ge(retry_pause_ms(&s, 1, 0), 1);
	/* first above max: max counts */
	s.retry_first_ms = 10 * HOUR;
	s.retry_max_ms = HOUR;
	s.retry_jitter_percent = 0;
	ck_assert_uint_eq(retry_pause_ms(&s, 3, 0), HOUR);
} END_TEST

static const struct {
	const char *label;
	int64_t	    age_ms;
	bool	    expired, warns;
	int64_t	    due_in_ms; /* without jitter, after 7 attempts (4 h); -1: not asked */
} ages[] = {
	{ "fresh", 0, false, false, 4 * HOUR },
	{ "the clock was set back", -10 * (int64_t)HOUR, false, false, 4 * HOUR },
	{ "just below the warning", 4 * (int64_t)HOUR - 1, false, false, 4 * HOUR },
	{ "at the warning", 4 * (int64_t)HOUR, false, true, 4 * HOUR },
	{ "the last attempt is made when it expires", 118 * (int64_t)HOUR, false, true, 2 * HOUR },
	{ "just below the end", 120 * (int64_t)HOUR - 1, false, true, 1 },
	{ "at the end", 120 * (int64_t)HOUR, true, true, -1 },
	{ "long after", 1000 * (int64_t)HOUR, true, true, -1 },
};

START_TEST(an_age)
{
	const int64_t	now = INT64_C(1700000000000), accepted = now - ages[_i].age_ms;
	struct settings s = usual;

	s.retry_jitter_percent = 0;
	ck_assert_msg(retry_expired(&s, accepted, now) == ages[_i].expired, "%s: expired", ages[_i].label);
	ck_assert_msg(retry_warns(&s, accepted, now) == ages[_i].warns, "%s: warns", ages[_i].label);
	if (ages[_i].due_in_ms >= 0)
		ck_assert_msg(retry_due_ms(&s, accepted, 7, now, 0) == now + ages[_i].due_in_ms, "%s: due in %lld",
			      ages[_i].label, (long long)(retry_due_ms(&s, accepted, 7, now, 0) - now));
	s.retry_warn_ms = 0;
	ck_assert_msg(!retry_warns(&s, accepted, now), "%s: warns though told never to", ages[_i].label);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("retry");

	tcase_add_loop_test(tc, a_pause, 0, COUNT_OF(pauses));
	tcase_add_test(tc, odd_pauses);
	tcase_add_loop_test(tc, an_age, 0, COUNT_OF(ages));
	return run_case("outbound retry", tc);
}
