/* SPDX-License-Identifier: Apache-2.0 */
/* The wheel against a model that looks at every timer; chance comes from a seed that a failure shows. */
#include "core/wheel.h"

#include "tests/support/run.h"

enum { TIMERS = 200, STEPS = 10000, SEEDS = 8 };

#define TICK (UINT64_C(1) << WHEEL_TICK_SHIFT)

static struct wheel wheel;
static uint64_t	    now;

/* --- the model ------------------------------------------------------------------------------------ */

struct modelled {
	struct wheel_timer timer;
	bool		   armed;
	uint64_t	   deadline;
	unsigned	   fired;
};

static struct modelled timers[TIMERS];
static uint64_t	       seed;
static unsigned	       seed_index; /* for the message */
static bool	       arm_inside;

static uint64_t
chance(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* As likely near as far: its number of bits is drawn first. */
static uint64_t
some_time(unsigned bits_max)
{
	return chance() >> (64 - 1 - chance() % bits_max);
}

static void
arm(struct modelled *m, uint64_t deadline)
{
	wheel_arm(&wheel, &m->timer, deadline);
	m->armed = true;
	m->deadline = deadline;
}

static void
disarm(struct modelled *m)
{
	wheel_disarm(&wheel, &m->timer);
	m->armed = false;
}

static void
on_fire(struct wheel_timer *t)
{
	struct modelled *m = CONTAINER_OF(t, struct modelled, timer);

	ck_assert(m->armed);
	ck_assert(!wheel_timer_armed(t));
	ck_assert_uint_le(m->deadline, now); /* never early */
	m->armed = false;
	m->fired++;
	if (!arm_inside)
		return;
	switch (chance() % 5) {
	case 0:
		arm(m, now + some_time(45));
		break;
	case 1:
		arm(&timers[chance() % TIMERS], now + some_time(30));
		break;
	case 2:
		disarm(&timers[chance() % TIMERS]);
		break;
	case 3: /* for the past, which is at the next run */
		arm(&timers[chance() % TIMERS], now - MIN_OF(now, some_time(30)));
		break;
	case 4:
		break;
	}
}

static void
check_model(void)
{
	uint64_t count = 0, earliest = UINT64_MAX, next = wheel_next(&wheel);

	for (size_t i = 0; i < TIMERS; i++) {
		if (wheel_timer_armed(&timers[i].timer) != timers[i].armed)
			ck_abort_msg("seed %u: timer %zu is lost or stays", seed_index, i);
		if (timers[i].armed) {
			count++;
			earliest = MIN_OF(earliest, timers[i].deadline);
		}
	}
	ck_assert_uint_eq(wheel.count, count);
	/* Who sleeps until `next` misses nothing: a deadline is at most one tick in front of it. */
	if (count)
		ck_assert_msg(next <= earliest || next - earliest < TICK || next <= now, "seed %u", seed_index);
	else
		ck_assert_uint_eq(next, UINT64_MAX);
}

START_TEST(agrees_with_the_model)
{
	seed_index = (unsigned)_i;
	seed = 0x9e3779b97f4a7c15u * (unsigned)(_i + 1);
	arm_inside = _i % 2;
	now = some_time(50);
	wheel_init(&wheel, now);
	for (size_t i = 0; i < TIMERS; i++)
		wheel_timer_init(&timers[i].timer, on_fire);
	for (unsigned step = 0; step < STEPS; step++) {
		struct modelled *m = &timers[chance() % TIMERS];

		switch (chance() % 8) {
		case 0:
		case 1:
		case 2:
			arm(m, now + some_time(52));
			break;
		case 3: /* later by a little, the common case */
			arm(m, (m->armed ? m->deadline : now) + some_time(24));
			break;
		case 4:
			disarm(m);
			break;
		case 5: /* exactly when it says */
			if (wheel_next(&wheel) == UINT64_MAX)
				break;
			now = MAX_OF(now, wheel_next(&wheel));
			(void)wheel_run(&wheel, now);
			break;
		case 6:
			now += some_time(30);
			(void)wheel_run(&wheel, now);
			break;
		case 7: /* a machine that slept */
			now += some_time(chance() % 50 == 0 ? 55 : 20);
			(void)wheel_run(&wheel, now);
			break;
		}
		/* What is due a tick ago and was not armed just now has fired. */
		(void)wheel_run(&wheel, now);
		for (size_t i = 0; i < TIMERS && !arm_inside; i++)
			if (timers[i].armed && timers[i].deadline + TICK <= now)
				ck_abort_msg("seed %d: timer %zu is late", _i, i);
		if (step % 16 == 0)
			check_model();
	}
} END_TEST

/* --- by hand -------------------------------------------------------------------------------------- */

struct counted {
	struct wheel_timer timer;
	unsigned	   fired;
	struct counted	  *other; /* what its handler meddles with */
	uint64_t	   again;
};

static void
count_fire(struct wheel_timer *t)
{
	CONTAINER_OF(t, struct counted, timer)->fired++;
}

static void
count_and_arm(struct wheel_timer *t)
{
	struct counted *c = CONTAINER_OF(t, struct counted, timer);

	c->fired++;
	wheel_arm(&wheel, t, c->again);
}

static void
count_and_disarm_other(struct wheel_timer *t)
{
	struct counted *c = CONTAINER_OF(t, struct counted, timer);

	c->fired++;
	wheel_disarm(&wheel, &c->other->timer);
}

static const uint64_t reaches[] = {
	0, 1, TICK - 1, TICK, TICK + 1, 63 * TICK, 64 * TICK, 65 * TICK, 4095 * TICK, 4096 * TICK, 4097 * TICK,
	UINT64_C(60) * 1000000000, UINT64_C(5) * 86400 * 1000000000, UINT64_C(3650) * 86400 * 1000000000,
	UINT64_C(1) << 62,
};

START_TEST(never_early_and_at_most_a_tick_late)
{
	static const uint64_t starts[] = { 0, 1, TICK - 1, 63 * TICK, 4095 * TICK + 7, UINT64_C(1) << 50 };

	for (size_t i = 0; i < COUNT_OF(starts); i++) {
		struct counted c = { .fired = 0 };
		uint64_t       deadline = starts[i] + reaches[_i], at = starts[i];

		wheel_init(&wheel, at);
		wheel_timer_init(&c.timer, count_fire);
		wheel_arm(&wheel, &c.timer, deadline);
		for (unsigned wakes = 0; c.fired == 0; wakes++) {
			uint64_t next = wheel_next(&wheel);

			ck_assert_uint_lt(wakes, 100); /* once for each level, and not once for each tick */
			ck_assert_uint_lt(next, deadline + TICK);
			at = MAX_OF(at, next);
			(void)wheel_run(&wheel, at);
			ck_assert(c.fired == 0 || at >= deadline);
		}
		ck_assert_uint_lt(at, deadline + TICK);
		ck_assert_uint_eq(wheel_next(&wheel), UINT64_MAX);
	}
} END_TEST

START_TEST(the_end_of_time_can_be_armed)
{
	struct counted c = { .fired = 0 };

	wheel_init(&wheel, 12345 * TICK);
	wheel_timer_init(&c.timer, count_fire);
	wheel_arm(&wheel, &c.timer, UINT64_MAX);
	ck_assert_uint_gt(wheel_next(&wheel), 12345 * TICK);
	(void)wheel_run(&wheel, UINT64_C(1) << 63);
	ck_assert_uint_eq(c.fired, 0);
	wheel_arm(&wheel, &c.timer, 12346 * TICK); /* earlier, and past already */
	(void)wheel_run(&wheel, (UINT64_C(1) << 63) + TICK);
	ck_assert_uint_eq(c.fired, 1);
} END_TEST

START_TEST(a_handler_that_arms_for_now_ends)
{
	struct counted c = { .again = 0 };

	wheel_init(&wheel, 100 * TICK);
	wheel_timer_init(&c.timer, count_and_arm);
	wheel_arm(&wheel, &c.timer, 0);
	for (unsigned i = 1; i < 10; i++) {
		ck_assert_uint_le(wheel_next(&wheel), 100 * TICK);
		ck_assert_uint_eq(wheel_run(&wheel, 100 * TICK), 1);
		ck_assert_uint_eq(c.fired, i);
	}
	c.again = 200 * TICK;
	ck_assert_uint_eq(wheel_run(&wheel, 150 * TICK), 1);
	ck_assert_uint_eq(wheel_run(&wheel, 199 * TICK), 0);
	c.again = UINT64_MAX;
	ck_assert_uint_eq(wheel_run(&wheel, 200 * TICK), 1);
} END_TEST

static struct wheel_timer crowd[3 * WHEEL_RUN_MAX + 7];
static unsigned		  crowd_fired;

static void
on_crowd(struct wheel_timer *t)
{
	ck_assert_ptr_eq(t, &crowd[crowd_fired]); /* who came first is served first */
	crowd_fired++;
}

/* However many are due, a run ends; and who sleeps no longer than wheel_next() misses none of the others. */
START_TEST(many_at_once_are_served_in_slices)
{
	static const unsigned at_once[] = { 1500, WHEEL_RUN_MAX, COUNT_OF(crowd) }; /* the others are due later */

	crowd_fired = 0;
	wheel_init(&wheel, 0);
	for (unsigned i = 0; i < COUNT_OF(crowd); i++) {
		wheel_timer_init(&crowd[i], on_crowd);
		wheel_arm(&wheel, &crowd[i], i < at_once[_i] ? 50 * TICK : 200 * TICK);
	}
	now = 10000 * TICK;
	while (crowd_fired < COUNT_OF(crowd)) {
		unsigned expected = MIN_OF((unsigned)WHEEL_RUN_MAX, (unsigned)COUNT_OF(crowd) - crowd_fired);

		ck_assert_uint_le(wheel_next(&wheel), now);
		ck_assert_uint_eq(wheel_run(&wheel, now), expected);
		now += TICK;
	}
	ck_assert_uint_eq(wheel.count, 0);
	ck_assert_uint_eq(wheel_next(&wheel), UINT64_MAX);
} END_TEST

static struct wheel_timer far[2 * WHEEL_DEAL_MAX + 5];
static unsigned		  far_fired;

static void
on_far(struct wheel_timer *t)
{
	ck_assert_uint_le(t->deadline_ns, now);
	far_fired++;
}

/* A slot of a higher level that holds very many is dealt out in slices, and nothing fires early, twice or never. */
START_TEST(many_far_ahead_are_dealt_out_in_slices)
{
	uint64_t first = (UINT64_C(64) * 64 * 64 * 3) * TICK; /* where a slot of the fourth level begins */
	struct counted near = { .again = 0 };
	unsigned       runs;

	far_fired = 0;
	wheel_init(&wheel, 0);
	for (unsigned i = 0; i < COUNT_OF(far); i++) {
		wheel_timer_init(&far[i], on_far);
		wheel_arm(&wheel, &far[i], first + (1 + i % 7000) * TICK);
	}
	now = first;
	for (runs = 0; wheel_next(&wheel) <= now; runs++) {
		ck_assert_uint_eq(wheel_run(&wheel, now), 0);
		if (runs == 0) { /* some still hang above */
			wheel_disarm(&wheel, &far[COUNT_OF(far) - 1]);
			wheel_timer_init(&near.timer, count_fire);
			wheel_arm(&wheel, &near.timer, now + 2 * TICK);
		}
	}
	ck_assert_uint_eq(runs, 3);
	for (runs = 0; wheel.count; runs++) {
		ck_assert_uint_lt(runs, 8000);
		now = MAX_OF(now, wheel_next(&wheel));
		(void)wheel_run(&wheel, now);
	}
	ck_assert_uint_eq(far_fired, COUNT_OF(far) - 1);
	ck_assert_uint_eq(near.fired, 1);
} END_TEST

START_TEST(a_handler_may_disarm_what_is_due_with_it)
{
	struct counted a = { .fired = 0 }, b = { .fired = 0 };

	a.other = &b;
	b.other = &a;
	wheel_init(&wheel, 0);
	wheel_timer_init(&a.timer, count_and_disarm_other);
	wheel_timer_init(&b.timer, count_and_disarm_other);
	wheel_arm(&wheel, &a.timer, TICK);
	wheel_arm(&wheel, &b.timer, TICK);
	ck_assert_uint_eq(wheel_run(&wheel, 10 * TICK), 1);
	ck_assert_uint_eq(a.fired + b.fired, 1);
	ck_assert_uint_eq(wheel_next(&wheel), UINT64_MAX);
	wheel_disarm(&wheel, &a.timer); /* harmless */
} END_TEST

START_TEST(a_deadline_moves_both_ways)
{
	struct counted c = { .fired = 0 };

	wheel_init(&wheel, 0);
	wheel_timer_init(&c.timer, count_fire);
	wheel_arm(&wheel, &c.timer, 100 * TICK);
	for (uint64_t t = 1; t < 90; t++) {
		wheel_arm(&wheel, &c.timer, (100 + t) * TICK);
		ck_assert_uint_eq(wheel_run(&wheel, t * TICK), 0);
	}
	ck_assert_uint_eq(wheel_run(&wheel, 188 * TICK), 0);
	wheel_arm(&wheel, &c.timer, 500 * TICK);
	wheel_arm(&wheel, &c.timer, 190 * TICK);
	ck_assert_uint_eq(wheel_run(&wheel, 189 * TICK), 0);
	ck_assert_uint_eq(wheel_run(&wheel, 190 * TICK), 1);
	ck_assert_uint_eq(wheel_run(&wheel, 1000 * TICK), 0);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("wheel");

	tcase_add_loop_test(tc, agrees_with_the_model, 0, SEEDS);
	tcase_add_loop_test(tc, never_early_and_at_most_a_tick_late, 0, COUNT_OF(reaches));
	tcase_add_test(tc, the_end_of_time_can_be_armed);
	tcase_add_test(tc, a_handler_that_arms_for_now_ends);
	tcase_add_loop_test(tc, many_at_once_are_served_in_slices, 0, 3);
	tcase_add_test(tc, many_far_ahead_are_dealt_out_in_slices);
	tcase_add_test(tc, a_handler_may_disarm_what_is_due_with_it);
	tcase_add_test(tc, a_deadline_moves_both_ways);
	return run_case("core/wheel", tc);
}
