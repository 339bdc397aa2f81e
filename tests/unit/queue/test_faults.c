/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same small day of a shard again and again, each time with another operation on its files failing: the first, the
 * second, and so on until a day has passed without one.  A fault comes once, or stays until it is taken away.
 *
 *   - Nobody is told 0 about what is not on disk; who was told 0 is there after a restart, with the same text.
 *   - Who was told an error is not there after a restart, unless the shard stopped before it could say so on disk.
 *   - The shard takes mail again by itself when the fault has gone.
 */
#include "tests/unit/queue/queue_faults.h"

#include <errno.h>

#include "queue/record.h"
#include "tests/support/run.h"

/* --- the day --------------------------------------------------------------------------------------------- */

enum { MESSAGES = 20, SIZE = 9000, SIZE_LARGE = 300 * 1024, AT_A_TIME = 3 };

static struct day {
	struct message {
		struct queue_ack  ack[RIG_RECIPIENTS];
		struct rig_intake in;
		struct id	  id;
		bool		  tried;
		int		  result; /* what intake was told */
		unsigned	  settled; /* recipients whose outcome is on disk */
		unsigned	  begun;   /* recipients whose outcome was recorded */
	} messages[MESSAGES];
	unsigned count;
} day;

static size_t
size_of(unsigned i)
{
	return i % 5 == 4 ? SIZE_LARGE : SIZE / (1 + i % 3);
}

static void
on_settled(struct queue_ack *ack, int result)
{
	for (unsigned i = 0; i < day.count; i++)
		for (unsigned r = 0; r < RIG_RECIPIENTS; r++)
			if (ack == &day.messages[i].ack[r])
				day.messages[i].settled += result == 0;
}

/* A few at a time; whatever happens to them. */
static void
take_in(unsigned count)
{
	unsigned from = day.count;

	for (unsigned i = from; i < from + count; i++) {
		struct message *m = &day.messages[i];

		day.count++;
		m->result = rig_intake_open(&m->in, i, size_of(i));
		if (m->result)
			continue;
		m->id = m->in.in.id;
		m->tried = true;
		m->result = rig_intake_fill(&m->in);
		if (m->result)
			queue_intake_abort(&m->in.in);
		else
			rig_intake_commit(&m->in, NULL);
	}
	for (unsigned i = from; i < from + count; i++) {
		struct message *m = &day.messages[i];

		for (unsigned turn = 0; m->result == 0 && !m->in.done; turn++) {
			ck_assert_uint_lt(turn, PATIENCE);
			turn_and_forward();
		}
		if (m->result == 0)
			m->result = m->in.result;
		ck_assert(m->result == 0 || m->result == -EIO || m->result == -ENOSPC || m->result == -EBUSY);
	}
}

static void
settle(unsigned i, unsigned recipient)
{
	struct message *m = &day.messages[i];

	if (m->result || queue_find(rig.queue, m->id) == NULL)
		return;
	if (queue_find(rig.queue, m->id)->recipients[recipient].state != QUEUE_WAITING)
		return;
	m->ack[recipient].done = on_settled;
	m->begun++;
	rig_settle(m->id, recipient, QUEUE_DELIVERED, &m->ack[recipient]);
}

static bool
results_on_their_way(void)
{
	for (unsigned i = 0; i < day.count; i++)
		if (day.messages[i].settled < day.messages[i].begun)
			return true;
	return false;
}

/* For the results, which may have to wait for the disk to be cured; and for what is to be removed then. */
static void
wait_a_little(void)
{
	bool hopeless = faults.happened && faults.stays && faults.at;

	for (unsigned i = 0; i < 12 || (i < 40 && !hopeless && results_on_their_way()); i++)
		turn_and_forward();
}

static void
wait_for_recovery(void)
{
	rig_begin();
	for (unsigned i = 0; !rig.recovered; i++) {
		ck_assert_uint_lt(i, PATIENCE);
		if (i >= 300 && faults.happened)
			heal();
		turn_and_forward();
	}
}

static void
check_day(const char *when, bool could_say)
{
	for (unsigned i = 0; i < day.count; i++) {
		const struct message *m = &day.messages[i];
		struct queue_message *found = m->tried ? queue_find(rig.queue, m->id) : NULL;

		if (m->result && could_say)
			ck_assert_msg(!found, "%s: message %u was refused with %d and is there", when, i, m->result);
		if (m->result)
			continue;
		if (m->settled == RIG_RECIPIENTS)
			ck_assert_msg(!found, "%s: message %u was done and is there", when, i);
		if (m->begun == RIG_RECIPIENTS)
			continue;
		ck_assert_msg(found != NULL, "%s: message %u is lost", when, i);
		ck_assert_msg(found->open <= RIG_RECIPIENTS - m->settled, "%s: a result of %u is lost", when, i);
		ck_assert_msg(found->open >= RIG_RECIPIENTS - m->begun, "%s: %u has a result nobody gave", when, i);
		ck_assert_msg(rig_check(m->id, i, size_of(i)) == 0, "%s: message %u cannot be read", when, i);
	}
}

static void
live_a_day(bool heal_at_night)
{
	rig.params.cache_octets_max = 0;
	wait_for_recovery();
	take_in(AT_A_TIME);
	settle(0, 0);
	settle(0, 1);
	settle(1, 0);
	take_in(AT_A_TIME);
	settle(4, 0);
	settle(4, 1);
	settle(3, 1);
	wait_a_little();
	if (heal_at_night) {
		heal();
		wait_for_mail();
		wait_a_little();
		check_day("evening", false);
	}
	stop_patiently();
	wait_for_recovery();
	take_in(AT_A_TIME);
	settle(1, 1);
	settle(2, 0);
	settle(6, 0);
	settle(6, 1);
	wait_a_little();
	take_in(AT_A_TIME);
	wait_a_little();
}

/* The sanitizers are slow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 4 };
#else
enum { SLOWER = 1 };
#endif

static void
one_fault(enum fault kind, bool stays, bool heal_at_night, unsigned step)
{
	static const char *const names[] = { "nothing", "EIO", "ENOSPC", "lie", "EMFILE", "short" };
	char		    when[80];
	unsigned	    n;

	for (n = 1;; n += step * SLOWER) {
		(void)snprintf(when, sizeof(when), "%s at %u%s%s", names[kind], n, stays ? ", stays" : "",
			       heal_at_night ? ", healed at night" : "");
		memset(&day, 0, sizeof(day));
		faults_reset();
		faults.kind = kind;
		faults.at = n;
		faults.stays = stays;
		rig_open();
		live_a_day(heal_at_night);
		heal();
		wait_for_mail();
		take_in(1);
		if (day.messages[day.count - 1].result) { /* it learned only now; once more, when it has tried again */
			for (unsigned i = 0; i < 800; i++)
				turn_and_forward();
			take_in(1);
		}
		ck_assert_msg(day.messages[day.count - 1].result == 0, "%s: no mail afterwards", when);
		stop_patiently();
		rig_start();
		/* A shard that stopped while its disk was failing cannot have voided what it refused. */
		check_day(when, !stays || heal_at_night);
		rig_stop();
		/* And once more: nothing that came back may have rested on what was just removed. */
		rig_start();
		check_day(when, !stays || heal_at_night);
		rig_close();
		if (!faults.happened)
			break;
	}
	ck_assert_uint_gt(n, 20);
}

static const struct {
	enum fault kind;
	bool	   stays, heal_at_night;
	unsigned   step; /* every how many operations; what is most likely to be lost is looked at everywhere */
} one_fault_cases[] = {
	{ FAULT_ERROR, false, false, 1 },   { FAULT_ERROR, true, false, 2 },	{ FAULT_ERROR, true, true, 3 },
	{ FAULT_NO_SPACE, true, false, 2 }, { FAULT_NO_SPACE, false, true, 3 }, { FAULT_LIE, false, false, 1 },
	{ FAULT_LIE, true, true, 3 },	    { FAULT_SHORT, false, false, 2 },	{ FAULT_SHORT, true, true, 3 },
	{ FAULT_NO_DESCRIPTOR, true, true, 3 },
};

START_TEST(each_operation_fails_once)
{
	one_fault(one_fault_cases[_i].kind, one_fault_cases[_i].stays, one_fault_cases[_i].heal_at_night,
		  one_fault_cases[_i].step);
}
END_TEST

/* --- the power ------------------------------------------------------------------------------------------- */

/* Files to be written anew, full of what a sender would like to be taken for records. */
static void
write_spares(void)
{
	static const uint32_t likeness[] = { RECORD_MAGIC, 0, 0x01010101, 0x01010101, ~0u, 0x7fffffff, 4000, 0, 2, 0 };
	char		     *bytes = malloc(rig.params.segment_octets);

	for (size_t at = 0; at < rig.params.segment_octets; at += sizeof(likeness))
		memcpy(bytes + at, likeness, MIN_OF(sizeof(likeness), rig.params.segment_octets - at));
	rig_start();
	rig_stop();
	for (unsigned i = 0; i < 4; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "%016x.old", i);
		rig_write(name, bytes, rig.params.segment_octets);
	}
	free(bytes);
}

/* From the at-th operation on nothing reaches the disk any more. */
static void
live_until_the_cut(unsigned at, unsigned quarters)
{
	faults.kind = FAULT_CUT;
	faults.stays = true;
	faults.quarters = quarters;
	faults.at = faults.count + at;
	faults.happened = false;
	rig_begin();
	for (unsigned i = 0; i < 300 && !rig.recovered && !faults.happened; i++)
		turn_and_forward();
	if (rig.recovered) {
		unsigned from = day.count;

		take_in(1);
		take_in(AT_A_TIME); /* in one batch */
		settle(from, 0);
		settle(from + 1, 0);
		settle(from + 1, 1);
		wait_a_little();
		take_in(AT_A_TIME);
		wait_a_little();
	}
	stop_patiently();
	heal();
}

/*
 * The power goes at each operation in turn, with some of the blocks that were being written on disk; and once more in the life
 * that follows, be it while that reads the past.  Nothing is lost, and nothing of it is damage, then or later.
 */
START_TEST(power_goes_at_each_operation)
{
	char	 when[80];
	unsigned n;
	bool	 happened = true;

	for (n = 1; happened; n += SLOWER) {
		(void)snprintf(when, sizeof(when), "power cut at %u, %d quarters", n, _i);
		memset(&day, 0, sizeof(day));
		faults_reset();
		rig_open();
		rig.params.cache_octets_max = 0;
		write_spares();
		live_until_the_cut(n, (unsigned)_i);
		happened = faults.happened;
		live_until_the_cut(1 + n * 7 % 41, (unsigned)_i);
		for (unsigned i = 0; i < 3; i++) {
			rig_start();
			ck_assert_msg(rig.what.damaged == 0, "%s: damage at start %u", when, i);
			check_day(when, false);
			if (i == 0)
				take_in(AT_A_TIME);
			ck_assert_msg(day.messages[day.count - 1].result == 0, "%s: no mail afterwards", when);
			rig_stop();
		}
		rig_close();
	}
	ck_assert_uint_gt(n, 20);
}
END_TEST

/* --- space ----------------------------------------------------------------------------------------------- */

START_TEST(mail_stops_at_the_limit_and_comes_back)
{
	struct id id[200];
	unsigned  n = 0;
	int	  result = 0;

	faults_reset();
	rig_open();
	rig.params.spool_octets_max = 4 * (64 << 10);
	rig_start();
	for (; n < COUNT_OF(id) && result == 0; n++)
		result = rig_try(n, 6000, &id[n]);
	n--;
	ck_assert_int_eq(result, -ENOSPC);
	ck_assert_uint_gt(n, 20);
	/* Results are taken all the same, more than the reserve holds. */
	for (unsigned k = 0; k < 40; k++) {
		for (unsigned i = 0; i < n - 1; i++)
			rig_settle(id[i], 0, QUEUE_WAITING, NULL);
		rig_act(id[n - 1], QUEUE_HOLD);
		rig_act(id[n - 1], QUEUE_RELEASE);
	}
	ck_assert_int_eq(queue_refusal(rig.queue), -ENOSPC);
	for (unsigned i = 0; i < n; i++) {
		rig_settle(id[i], 0, QUEUE_DELIVERED, NULL);
		rig_settle(id[i], 1, QUEUE_DELIVERED, NULL);
	}
	wait_for_mail();
	id[0] = rig_put(1, 6000);
	stop_patiently();
	rig_start();
	ck_assert_uint_eq(rig.what.messages, 1);
	ck_assert_int_eq(rig_check(id[0], 1, 6000), 0);
	rig_close();
}
END_TEST

START_TEST(mail_stops_at_the_floor_and_comes_back)
{
	struct id id;

	faults_reset();
	rig_open();
	rig.params.space_free_min = 1 << 20;
	rig_start();
	id = rig_put(0, 100);
	faults.space_free = 1000;
	for (unsigned i = 0; i < 30; i++)
		turn_and_forward();
	ck_assert_int_eq(queue_refusal(rig.queue), -ENOSPC);
	rig_act(id, QUEUE_HOLD);
	faults.space_free = INT64_C(1) << 40;
	wait_for_mail();
	(void)rig_put(1, 100);
	rig_close();
}
END_TEST

struct told {
	struct queue_ack ack;
	bool		 done;
};

static void
on_told(struct queue_ack *ack, int result)
{
	ck_assert_int_eq(result, 0);
	CONTAINER_OF(ack, struct told, ack)->done = true;
}

/* A message for which the current segment has no room does not take it from the results on a disk that is full. */
START_TEST(large_mail_does_not_take_the_reserve)
{
	struct told told = { .ack = { .done = on_told } };
	struct id   small, large;

	faults_reset();
	rig_open();
	rig_start();
	wait_a_little();
	faults.space_free = 1000;
	small = rig_put(0, 100);
	wait_a_little();
	ck_assert_int_eq(rig_try(1, SIZE_LARGE, &large), -ENOSPC);
	rig_settle(small, 0, QUEUE_DELIVERED, &told.ack);
	for (unsigned i = 0; i < 100 && !told.done; i++)
		turn_and_forward();
	ck_assert(told.done);
	stop_patiently();
	rig_start();
	ck_assert_uint_eq(queue_find(rig.queue, small)->open, RIG_RECIPIENTS - 1);
	rig_close();
}
END_TEST

/* While results have no place to go no delivery begins, and a shard that is told to close does. */
static const enum fault disk_cases[] = { FAULT_ERROR, FAULT_NO_SPACE, FAULT_LIE };

START_TEST(deliveries_wait_for_the_disk)
{
	const int errors[] = { -EIO, -ENOSPC, -EIO };
	struct id id;

	faults_reset();
	rig_open();
	rig_start();
	id = rig_put(0, 100);
	(void)rig_put(1, 100);
	wait_a_little();
	faults.kind = disk_cases[_i];
	faults.at = faults.count + 1;
	faults.stays = true;
	rig_settle(id, 0, QUEUE_DELIVERED, NULL);
	for (unsigned i = 0; i < 100; i++)
		turn_and_forward();
	ck_assert_int_eq(queue_refusal(rig.queue), errors[_i]);
	ck_assert_uint_lt(faults.count - faults.at, 40); /* in ten seconds: it pauses */
	rig.due = 0;
	queue_act(rig.queue, queue_find(rig.queue, id), QUEUE_RETRY, NULL);
	wait_a_little();
	ck_assert_uint_eq(rig.due, 0);
	stop_patiently();
	heal();
	rig_start();
	/* What was written in spite of the error may count: nothing could be written to say otherwise. */
	ck_assert_uint_eq(queue_find(rig.queue, id)->open, disk_cases[_i] == FAULT_LIE ? 1 : 2);
	rig_close();
}
END_TEST

/* What waits through a failure keeps its order: the last word about a message is the one that counts after a restart. */
START_TEST(acts_keep_their_order)
{
	struct id id;

	faults_reset();
	rig_open();
	rig_start();
	id = rig_put(0, 100);
	wait_a_little();
	faults.kind = FAULT_ERROR;
	faults.at = faults.count + 1;
	queue_act(rig.queue, queue_find(rig.queue, id), QUEUE_HOLD, NULL);
	while (!faults.happened)
		turn_and_forward();
	queue_act(rig.queue, queue_find(rig.queue, id), QUEUE_RELEASE, NULL); /* while that is on its way */
	wait_for_mail();
	wait_a_little();
	wait_for_mail();
	stop_patiently();
	rig_start();
	ck_assert_uint_eq(queue_find(rig.queue, id)->held, 0);
	rig_close();
}
END_TEST

/* The seam may write less than was asked; that is no failure of the disk. */
START_TEST(short_write_goes_on)
{
	struct id id, settled;

	faults_reset();
	rig_open();
	rig_start();
	settled = rig_put(0, 100);
	wait_a_little();
	for (unsigned n = 1; n <= 12; n++) {
		faults.kind = FAULT_SHORT;
		faults.at = faults.count + 1;
		ck_assert_int_eq(rig_try(n, 100 * n, &id), 0);
		ck_assert(faults.happened);
		ck_assert_int_eq(queue_refusal(rig.queue), 0);
	}
	rig_settle(settled, 0, QUEUE_DELIVERED, NULL);
	wait_a_little();
	stop_patiently();
	rig_start();
	ck_assert_uint_eq(rig.what.messages, 13);
	ck_assert_uint_eq(rig.what.damaged, 0);
	ck_assert_int_eq(rig_check(id, 12, 1200), 0);
	ck_assert_uint_eq(queue_find(rig.queue, settled)->open, 1);
	rig_close();
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("disk");

	tcase_set_timeout(tc, 200);
	tcase_add_loop_test(tc, each_operation_fails_once, 0, COUNT_OF(one_fault_cases));
	tcase_add_loop_test(tc, power_goes_at_each_operation, 0, 5);
	tcase_add_test(tc, mail_stops_at_the_limit_and_comes_back);
	tcase_add_test(tc, mail_stops_at_the_floor_and_comes_back);
	tcase_add_test(tc, large_mail_does_not_take_the_reserve);
	tcase_add_loop_test(tc, deliveries_wait_for_the_disk, 0, COUNT_OF(disk_cases));
	tcase_add_test(tc, acts_keep_their_order);
	tcase_add_test(tc, short_write_goes_on);
	return run_case("faults", tc);
}
