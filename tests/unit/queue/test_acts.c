/* SPDX-License-Identifier: Apache-2.0 */
/* Results and the operator's acts: what they do at once, what is left of them after a restart; and thousands at random. */
#include "tests/unit/queue/queue_rig.h"

#include <errno.h>

#include "tests/support/run.h"

static void
open_small(void)
{
	rig_open();
	rig_start();
}

static struct queue_message *
find(struct id id)
{
	return queue_find(rig.queue, id);
}

static void
turns(unsigned n)
{
	while (n--)
		rig_turn();
}

static void
wait_until_due(void)
{
	for (unsigned i = 0; i < 1000 && rig.due == 0; i++)
		rig_turn();
	turns(5);
	ck_assert_uint_eq(rig.due, 1); /* and not again */
}

START_TEST(hold_and_release_last)
{
	struct id id = rig_put(0, 100);

	rig_act(id, QUEUE_HOLD);
	rig_restart();
	ck_assert_uint_eq(find(id)->held, 1);
	turns(5);
	ck_assert_uint_eq(rig.due, 0);
	rig_act(id, QUEUE_RELEASE);
	wait_until_due();
	rig_restart();
	ck_assert_uint_eq(find(id)->held, 0);
	wait_until_due();
}
END_TEST

START_TEST(delete_lasts)
{
	struct id		 kept = rig_put(0, 100), gone = rig_put(1, 100);
	struct queue_status status;

	rig_act(gone, QUEUE_HOLD);
	rig_act(gone, QUEUE_DELETE);
	ck_assert_ptr_null(find(gone));
	queue_status(rig.queue, &status);
	ck_assert_uint_eq(status.held, 0);
	ck_assert_uint_eq(status.recipients_open, RIG_RECIPIENTS);
	rig_restart();
	ck_assert_ptr_null(find(gone));
	ck_assert_int_eq(rig_check(kept, 0, 100), 0);
}
END_TEST

/* Deleted while a recipient is in hand: what comes of it counts, then the message goes. */
static const struct {
	const char *label;
	bool	    put_back, load;
	enum queue_state state;
} doomed_cases[] = {
	{ "delivered", false, false, QUEUE_DELIVERED },
	{ "deferred", false, false, QUEUE_WAITING },
	{ "put back", true, false, QUEUE_WAITING },
	{ "delivered while it is read", false, true, QUEUE_DELIVERED },
	{ "deferred while it is read", false, true, QUEUE_WAITING },
	{ "put back while it is read", true, true, QUEUE_WAITING },
};

static bool load_ended;
static int  load_result;

static void
on_load(struct queue_load *load, int result)
{
	load_ended = true;
	load_result = result;
	if (load->view)
		queue_view_unref(rig.queue, load->view);
}

START_TEST(delete_waits_for_what_is_in_hand)
{
	struct id	      id = rig_put(0, 100);
	struct queue_message *m = find(id);
	struct queue_result   r = { .recipient = 1, .state = doomed_cases[_i].state, .due_ms = INT64_C(1) << 42 };
	struct queue_load     load = { .done = on_load };

	load_ended = false;
	ck_assert(queue_take(rig.queue, m, 1));
	if (doomed_cases[_i].load)
		queue_load(rig.queue, m, &load);
	queue_act(rig.queue, m, QUEUE_DELETE, NULL);
	ck_assert_ptr_eq(find(id), m);
	ck_assert(!queue_take(rig.queue, m, 0));
	if (doomed_cases[_i].put_back)
		queue_put_back(rig.queue, m, 1, 5);
	else
		queue_record(rig.queue, m, &r, 1, NULL);
	if (doomed_cases[_i].load) {
		rig_turn_until(&load_ended);
		ck_assert_msg(load_result == -ENOENT, "%s: %d", doomed_cases[_i].label, load_result);
	}
	ck_assert_msg(find(id) == NULL, "%s", doomed_cases[_i].label);
	rig_restart();
	ck_assert_uint_eq(rig.what.messages, 0);
}
END_TEST

/* In hand is not on disk: the act that came last says what is left. */
START_TEST(delete_in_hand_lasts)
{
	struct id id = rig_put(0, 100);

	ck_assert(queue_take(rig.queue, find(id), 0));
	rig_act(id, QUEUE_DELETE);
	rig_restart();
	ck_assert_ptr_null(find(id));
}
END_TEST

START_TEST(retry_lasts)
{
	struct id id = rig_put(0, 100);

	wait_until_due();
	rig_settle(id, 0, QUEUE_WAITING, NULL);
	rig_settle(id, 1, QUEUE_WAITING, NULL);
	rig.due = 0;
	turns(10);
	ck_assert_uint_eq(rig.due, 0);
	rig_act(id, QUEUE_RETRY);
	wait_until_due();
	rig_restart();
	wait_until_due();
	ck_assert_uint_eq(find(id)->recipients[0].attempts, 1);
}
END_TEST

static const int64_t due_cases[] = { INT64_MIN, -1, 0, (INT64_C(1) << 48) - 1, INT64_C(1) << 48, INT64_MAX };

/* A time from nowhere is still a time: the past is due now, the far future is not, and neither is the other. */
START_TEST(due_times_are_held_to_their_range)
{
	struct id	    id = rig_put(0, 100);
	struct queue_result r = { .recipient = 0, .state = QUEUE_WAITING, .due_ms = due_cases[_i] };
	bool		    past = due_cases[_i] <= 0;

	rig_settle(id, 1, QUEUE_DELIVERED, NULL);
	ck_assert(queue_take(rig.queue, find(id), 0));
	rig.due = 0;
	queue_record(rig.queue, find(id), &r, 1, NULL);
	if (past)
		wait_until_due();
	turns(10);
	ck_assert_uint_eq(rig.due, past);
	rig_restart();
	if (past)
		wait_until_due();
	turns(10);
	ck_assert_uint_eq(rig.due, past);
	ck_assert_uint_eq(find(id)->recipients[0].due_ms, past ? 0 : (UINT64_C(1) << 48) - 1);
}
END_TEST

enum { OVERDUE = 350, TOGETHER_MAX = 100 };

static uint64_t overdue[OVERDUE];

static bool
note_deadline(void *arg, struct queue_message *m)
{
	unsigned *n = arg;

	ck_assert_uint_lt(*n, OVERDUE);
	overdue[(*n)++] = m->timer.deadline_ns;
	return true;
}

/* Messages that were due before the start come due after it, each once, and not all in one turn. */
START_TEST(overdue_come_one_after_another)
{
	uint64_t cursor = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < OVERDUE; i++)
		(void)rig_put(i, 100);
	rig_restart();
	while (queue_walk(rig.queue, &cursor, 1000, note_deadline, &n))
		;
	ck_assert_uint_eq(n, OVERDUE);
	for (unsigned i = 0; i < n; i++) {
		unsigned together = 0;

		for (unsigned j = 0; j < n; j++)
			together += overdue[i] == overdue[j];
		ck_assert_uint_le(together, TOGETHER_MAX);
	}
	for (unsigned i = 0; i < RIG_TURNS_MAX && rig.due < OVERDUE; i++)
		rig_turn();
	turns(10);
	ck_assert_uint_eq(rig.due, OVERDUE);
}
END_TEST

struct word {
	struct queue_last_word lw;
	bool		       done;
	int		       result;
	char		       text[32];
};

static void
on_word(struct queue_last_word *lw, int result)
{
	struct word *w = CONTAINER_OF(lw, struct word, lw);

	w->done = true;
	w->result = result;
	(void)snprintf(w->text, sizeof(w->text), "%.*s|%.*s", (int)lw->host.len, lw->host.data, (int)lw->text.len,
		       lw->text.data);
}

static void
check_word(struct id id, unsigned recipient, const char *want)
{
	struct word w = { .lw = { .done = on_word } };

	queue_last_word(rig.queue, find(id), recipient, &w.lw);
	rig_turn_until(&w.done);
	ck_assert_int_eq(w.result, 0);
	ck_assert_str_eq(w.text, want);
}

START_TEST(last_words_are_found)
{
	struct id id = rig_put(0, 100);

	rig_settle(id, 0, QUEUE_WAITING, NULL);
	rig_act(id, QUEUE_RELEASE); /* and by then it is on disk */
	turns(10);
	check_word(id, 0, "mx|words");
	check_word(id, 1, "|");
	rig_restart();
	check_word(id, 0, "mx|words");
	check_word(id, 1, "|");
}
END_TEST

/* Closed while reads are under way: nothing of them is left. */
START_TEST(close_waits_for_reads)
{
	struct id	  id = rig_put(0, 100);
	struct queue_load load = { .done = on_load };

	rig_restart();
	load_ended = false;
	queue_load(rig.queue, find(id), &load);
	queue_close(rig.queue);
	rig_turn_until(&rig.closed);
	ck_assert(load_ended);
	queue_free(rig.queue);
	rig_start();
}
END_TEST

/* --- thousands ------------------------------------------------------------------------------------------- */

enum { MANY = 20000, AT_ONCE = 200 };

static struct expected {
	struct id id;
	uint8_t	  state[RIG_RECIPIENTS];
	bool	  held, gone;
} many[MANY];

static void
put_many(unsigned from, unsigned count)
{
	static struct rig_intake in[AT_ONCE];

	for (unsigned i = 0; i < count; i++) {
		ck_assert_int_eq(rig_intake_open(&in[i], from + i, (from + i) % 300), 0);
		ck_assert_int_eq(rig_intake_fill(&in[i]), 0);
		rig_intake_commit(&in[i], NULL);
		many[from + i] = (struct expected){ .id = in[i].in.id };
	}
	for (unsigned i = 0; i < count; i++) {
		rig_turn_until(&in[i].done);
		ck_assert_int_eq(in[i].result, 0);
	}
}

static void
change_one(struct expected *e, uint64_t chance)
{
	static const enum queue_state states[] = { QUEUE_DELIVERED, QUEUE_DELIVERED, QUEUE_FAILED, QUEUE_WAITING };
	unsigned		      r = chance >> 8 & 1;
	struct queue_message	     *m = find(e->id);

	if (e->gone)
		return;
	ck_assert_ptr_nonnull(m);
	switch (chance & 15) {
	case 0:
		queue_act(rig.queue, m, e->held ? QUEUE_RELEASE : QUEUE_HOLD, NULL);
		e->held = !e->held;
		return;
	case 1:
		queue_act(rig.queue, m, QUEUE_DELETE, NULL);
		e->gone = true;
		return;
	default:
		break;
	}
	if (queue_state_final((enum queue_state)e->state[r]))
		return;
	e->state[r] = (uint8_t)states[chance >> 16 & 3];
	rig_settle(e->id, r, (enum queue_state)e->state[r], NULL);
	e->gone = queue_state_final((enum queue_state)e->state[0]) &&
		  queue_state_final((enum queue_state)e->state[1]);
}

static void
check_many(unsigned count)
{
	struct queue_status status;
	uint64_t	    alive = 0, open = 0, held = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct expected *e = &many[i];
		struct queue_message  *m = find(e->id);

		ck_assert_msg((m == NULL) == e->gone, "message %u is %s", i, m ? "there" : "lost");
		if (m == NULL)
			continue;
		alive++;
		held += e->held;
		ck_assert_uint_eq(m->held, e->held);
		for (unsigned r = 0; r < RIG_RECIPIENTS; r++) {
			ck_assert_msg(m->recipients[r].state == e->state[r], "message %u, recipient %u", i, r);
			open += !queue_state_final((enum queue_state)e->state[r]);
		}
		if (i % 16 == 0)
			ck_assert_int_eq(rig_check(e->id, i, i % 300), 0);
	}
	queue_status(rig.queue, &status);
	ck_assert_uint_eq(status.messages, alive);
	ck_assert_uint_eq(status.recipients_open, open);
	ck_assert_uint_eq(status.held, held);
	ck_assert_uint_eq(status.in_hand, 0);
}

START_TEST(many_at_random)
{
	uint64_t chance = rig_seed("many_at_random");
	unsigned count = 0;

	for (unsigned round = 0; count < MANY; round++) {
		put_many(count, AT_ONCE);
		count += AT_ONCE;
		for (unsigned i = 0; i < 2 * AT_ONCE; i++) {
			uint64_t which = rig_chance(&chance);

			change_one(&many[which % count], rig_chance(&chance));
		}
		if (round % 25 == 24) {
			rig_restart();
			ck_assert_uint_eq(rig.what.damaged, 0);
			check_many(count);
		}
	}
	/* The end of all: no segment but the current and the next is left. */
	for (unsigned i = 0; i < count; i++)
		if (!many[i].gone)
			queue_act(rig.queue, find(many[i].id), QUEUE_DELETE, NULL);
	rig_restart();
	ck_assert_uint_eq(rig.what.messages, 0);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("few"), *large = case_new("many");

	tcase_add_checked_fixture(tc, open_small, rig_close);
	tcase_add_test(tc, hold_and_release_last);
	tcase_add_test(tc, delete_lasts);
	tcase_add_loop_test(tc, delete_waits_for_what_is_in_hand, 0, COUNT_OF(doomed_cases));
	tcase_add_test(tc, delete_in_hand_lasts);
	tcase_add_test(tc, retry_lasts);
	tcase_add_loop_test(tc, due_times_are_held_to_their_range, 0, COUNT_OF(due_cases));
	tcase_add_test(tc, overdue_come_one_after_another);
	tcase_add_test(tc, last_words_are_found);
	tcase_add_test(tc, close_waits_for_reads);
	tcase_add_checked_fixture(large, open_small, rig_close);
	tcase_set_timeout(large, 200);
	tcase_add_test(large, many_at_random);
	return run_cases("acts", (TCase *[]){ tc, large }, 2);
}
