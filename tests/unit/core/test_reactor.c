/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: what runs when in a turn, what it counts, and two of them on threads of their own. */
#include "core/reactor.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

#include "rig.h"

static struct reactor reactor;
static char	      log_name[32];
static int	      log_fd;
static char	      order[64]; /* what ran, a letter each */

static void
note(char what)
{
	size_t len = strlen(order);

	ck_assert_uint_lt(len + 1, sizeof(order));
	order[len] = what;
}

static void
open_reactor(void)
{
	struct reactor_params p = { .core_count = 1, .memory_max = 1 << 20, .log_level = LOG_LEVEL_INFO };
	const char	     *why = "no sentence";

	(void)snprintf(log_name, sizeof(log_name), "log-XXXXXX");
	log_fd = p.log_fd = mkstemp(log_name);
	rig_net = io_net_new(1);
	ck_assert_msg(reactor_open(&reactor, rig_net, &p, &why) == 0, "%s", why);
	rig_io = reactor.io;
	ck_assert_ptr_eq(reactor_of(reactor.io), &reactor);
}

static void
close_reactor(void)
{
	if (reactor.io)
		reactor_close(&reactor);
	io_net_free(rig_net);
	close(log_fd);
	ck_assert_int_eq(unlink(log_name), 0);
}

static uint64_t
counted(enum reactor_counter which)
{
	return counter_get(&reactor.values[which]);
}

/* --- hooks ---------------------------------------------------------------------------------------- */

static struct reactor_hook first, second, third;

static void
run_first(struct reactor_hook *hook)
{
	ck_assert_ptr_eq(hook, &first);
	note('1');
	reactor_at_turn_end(&reactor, &third); /* runs in the same turn */
	reactor_hook_cancel(&second);
}

static void
run_second(struct reactor_hook *hook)
{
	(void)hook;
	note('2');
}

static void
run_third(struct reactor_hook *hook)
{
	(void)hook;
	note('3');
}

START_TEST(hooks_run_once_at_the_end_of_the_turn)
{
	reactor_hook_init(&first, run_first);
	reactor_hook_init(&second, run_second);
	reactor_hook_init(&third, run_third);
	reactor_hook_cancel(&first); /* harmless */
	reactor_at_turn_end(&reactor, &first);
	reactor_at_turn_end(&reactor, &second);
	reactor_at_turn_end(&reactor, &first);
	/* Asked for outside of a turn: nothing has to complete first. */
	reactor_turn(&reactor, UINT64_MAX);
	ck_assert_str_eq(order, "13");
	reactor_turn(&reactor, 0);
	ck_assert_str_eq(order, "13");
	reactor_at_turn_end(&reactor, &second);
	reactor_turn(&reactor, UINT64_MAX);
	ck_assert_str_eq(order, "132");
} END_TEST

/* --- a turn --------------------------------------------------------------------------------------- */

static struct wheel_timer timer;

static void
on_completion(struct io_op *op, const struct io_event *event)
{
	(void)op;
	ck_assert_int_eq(event->result, 1);
	note('c');
	reactor_at_turn_end(&reactor, &second);
}

static void
on_post(struct io *io, struct io_post *post)
{
	(void)io;
	(void)post;
	note('p');
}

static void
on_timer(struct wheel_timer *t)
{
	(void)t;
	note('t');
	log_info(reactor.log, "fired", LOG_UINT("n", 1));
}

START_TEST(a_turn_has_an_order)
{
	struct io_op   op;
	struct io_post post;
	char	       room[1];
	uint64_t       events = counted(REACTOR_EVENTS), turns = counted(REACTOR_TURNS);

	reactor_hook_init(&second, run_second);
	wheel_timer_init(&timer, on_timer);
	io_op_init(&op, on_completion);
	io_post_init(&post, on_post);
	io_post_to(reactor.io, 0, &post);
	wheel_arm(&reactor.wheel, &timer, 0);
	io_read(reactor.io, &op, open("/dev/zero", O_RDONLY), room, 1, 0);
	reactor_turn(&reactor, UINT64_MAX);
	ck_assert_str_eq(order, "cpt2");
	ck_assert_uint_eq(counted(REACTOR_EVENTS), events + 2);
	ck_assert_uint_eq(counted(REACTOR_TIMERS), 1);
	ck_assert_uint_eq(counted(REACTOR_TURNS), turns + 1);
} END_TEST

START_TEST(a_timer_wakes_the_loop)
{
	wheel_timer_init(&timer, on_timer);
	reactor_arm_ms(&reactor, &timer, 20);
	for (unsigned i = 0; i < RIG_TURNS_MAX && !*order; i++) {
		ck_assert(wheel_timer_armed(&timer));
		reactor_turn(&reactor, UINT64_MAX);
	}
	ck_assert_str_eq(order, "t");
	ck_assert_uint_ge(reactor_now(&reactor), timer.deadline_ns);
} END_TEST

static uint64_t rang_ns;

static void
ring(struct reactor *r)
{
	note('a');
	rang_ns = reactor_now(r);
	reactor_at_turn_end(r, &second);
}

/* Not at the next tick of the wheel: a few rounds, since a machine may be busy once and not each time. */
START_TEST(an_alarm_keeps_its_time)
{
	uint64_t at, late = UINT64_MAX;

	reactor_hook_init(&second, run_second);
	for (unsigned i = 0; i < 10; i++) {
		memset(order, 0, sizeof(order));
		at = io_mono_now(reactor.io) + 300000;
		reactor_set_alarm(&reactor, at + 1000000, ring);
		reactor_set_alarm(&reactor, at, ring);
		while (!order[0])
			reactor_turn(&reactor, UINT64_MAX);
		ck_assert_str_eq(order, "a2"); /* once, and hooks that it asks for run in its turn */
		ck_assert_uint_ge(rang_ns, at);
		late = MIN_OF(late, rang_ns - at);
	}
	ck_assert_uint_lt(late, 1 << WHEEL_TICK_SHIFT);
	reactor_turn(&reactor, 0);
	ck_assert_str_eq(order, "a2");
} END_TEST

static void
stop_now(struct wheel_timer *t)
{
	(void)t;
	reactor_stop(&reactor);
}

START_TEST(stopping_ends_the_run)
{
	wheel_timer_init(&timer, stop_now);
	reactor_arm_ms(&reactor, &timer, 1);
	reactor_run(&reactor);
	reactor_run(&reactor); /* stopped already: not one turn more */
	ck_assert_uint_ge(counted(REACTOR_TURNS), 1);
} END_TEST

/* --- log and counters ----------------------------------------------------------------------------- */

static const char *
log_text(void)
{
	static char text[4096];
	ssize_t	    n = pread(log_fd, text, sizeof(text) - 1, 0);

	ck_assert_int_ge(n, 0);
	text[n] = 0;
	return text;
}

START_TEST(what_was_logged_is_written_before_the_end)
{
	log_info(reactor.log, "early", LOG_UINT("n", 1));
	reactor_turn(&reactor, 0);
	log_info(reactor.log, "late", LOG_UINT("n", 2));
	reactor_close(&reactor);
	ck_assert_ptr_nonnull(strstr(log_text(), "event=early n=1\n"));
	ck_assert_ptr_nonnull(strstr(log_text(), "event=late n=2\n"));
} END_TEST

static void
dawdle(struct wheel_timer *t)
{
	uint64_t until = io_mono_now(reactor.io) + 60000000;

	(void)t;
	while (io_mono_now(reactor.io) < until)
		;
}

/* The loop wakes for it, though nothing else is to be done. */
START_TEST(a_line_is_written_when_it_is_due)
{
	uint64_t begun = io_mono_now(reactor.io), much_later = begun + 60 * UINT64_C(1000000000);

	log_info(reactor.log, "event", LOG_STR("text", "alone"));
	for (unsigned i = 0; i < RIG_TURNS_MAX && !log_idle(reactor.log); i++)
		reactor_turn(&reactor, much_later);
	ck_assert(log_idle(reactor.log));
	ck_assert_uint_lt(io_mono_now(reactor.io), much_later);
	ck_assert_int_gt(lseek(log_fd, 0, SEEK_END), 0);
} END_TEST

START_TEST(a_stall_is_counted_and_logged)
{
	wheel_timer_init(&timer, dawdle);
	wheel_arm(&reactor.wheel, &timer, 0);
	reactor_turn(&reactor, 0);
	ck_assert_uint_ge(counted(REACTOR_STALLS), 1);
	reactor_close(&reactor);
	ck_assert_ptr_nonnull(strstr(log_text(), "level=warn event=stall core=0 ms="));
} END_TEST

START_TEST(counters_are_shown_by_group)
{
	static const struct counter_row rows[] = { { "things_total", COUNTER_TOTAL, "Things." } };
	counter_value			value = 0;
	struct counter_group		group = { .rows = rows, .values = &value, .count = 1 };
	unsigned			groups = 0, named = 0;

	reactor_add_counters(&reactor, &group);
	counter_add(&value, 5);
	counter_sub(&value, 2);
	ck_assert(budget_take(&reactor.memory, 1000));
	ck_assert(!budget_take(&reactor.memory, 1 << 20));
	reactor_turn(&reactor, 0);
	LIST_FOR_EACH(&reactor.counter_groups, it) {
		const struct counter_group *g = LIST_ENTRY(it, struct counter_group, node);

		groups++;
		for (unsigned i = 0; i < g->count; i++)
			if (strcmp(g->rows[i].name, "memory_budget_used_bytes") == 0) {
				ck_assert_uint_eq(counter_get(&g->values[i]), 1000);
				named++;
			}
	}
	ck_assert_uint_eq(groups, 2);
	ck_assert_uint_eq(named, 1);
	ck_assert_uint_eq(counter_get(&value), 3);
	budget_give(&reactor.memory, 1000);
} END_TEST

/* --- threads -------------------------------------------------------------------------------------- */

enum { CREW = 3, ROUNDS = 3000 };

struct member {
	struct reactor	reactor;
	struct io_post	baton; /* goes round; only member 0's is used */
	struct io_post	stop;
	pthread_t	thread;
	uint64_t	passed;
};

static struct member crew[CREW];
static struct io_net *crew_net;
static int	      crew_pipe = -1; /* where they log to; -1: to the file */
static atomic_bool    crew_done;      /* all is said, if not written */

static void
stop_member(struct io *io, struct io_post *post)
{
	(void)post;
	reactor_stop(reactor_of(io));
}

static void
pass_on(struct io *io, struct io_post *post)
{
	struct member *m = CONTAINER_OF(reactor_of(io), struct member, reactor);

	log_error(m->reactor.log, "passed", LOG_UINT("n", ++m->passed));
	if (m->passed < ROUNDS || m != &crew[CREW - 1]) {
		io_post_to(io, (io_core(io) + 1) % CREW, post);
		return;
	}
	for (unsigned i = 0; i < CREW; i++)
		io_post_to(io, i, &crew[i].stop);
	atomic_store(&crew_done, true);
}

static void *
member_run(void *arg)
{
	struct member	     *m = arg;
	struct reactor_params p = { .core = (unsigned)(m - crew), .core_count = CREW, .log_fd = log_fd,
				    .log_level = LOG_LEVEL_ERROR /* a stall is no error, and counts no line */,
				    .memory_max = 1 << 20 };
	const char	     *why;

	if (crew_pipe >= 0)
		p.log_fd = crew_pipe;
	reactor_pin_thread(p.core);
	INVARIANT(reactor_open(&m->reactor, crew_net, &p, &why) == 0);
	if (p.core == 0)
		io_post_to(m->reactor.io, 0, &m->baton);
	reactor_run(&m->reactor);
	reactor_close(&m->reactor);
	return NULL;
}

static void
crew_start(void)
{
	crew_net = io_net_new(CREW);
	for (unsigned i = 0; i < CREW; i++) {
		io_post_init(&crew[i].baton, pass_on);
		io_post_init(&crew[i].stop, stop_member);
	}
	for (unsigned i = 0; i < CREW; i++)
		ck_assert_int_eq(pthread_create(&crew[i].thread, NULL, member_run, &crew[i]), 0);
}

static void
crew_join(void)
{
	for (unsigned i = 0; i < CREW; i++)
		ck_assert_int_eq(pthread_join(crew[i].thread, NULL), 0);
	io_net_free(crew_net);
	for (unsigned i = 0; i < CREW; i++)
		ck_assert_uint_eq(crew[i].passed, ROUNDS);
}

/* All lines are there, and each is whole. */
static void
check_lines(const char *text)
{
	size_t lines = 0, whole = 0;

	for (const char *at = text, *end; (end = strchr(at, '\n')); at = end + 1) {
		lines++;
		whole += strncmp(at, "ts=", 3) == 0 && memmem(at + 3, (size_t)(end - at) - 3, "ts=", 3) == NULL &&
			 memmem(at, (size_t)(end - at), " event=passed n=", 16) != NULL;
	}
	ck_assert_uint_eq(lines, CREW * ROUNDS);
	ck_assert_uint_eq(whole, lines);
}

/* One file, opened without O_APPEND: no core writes over another's lines. */
START_TEST(reactors_work_and_stop_together)
{
	char  *text;
	size_t len;

	crew_start();
	crew_join();
	ck_assert_int_eq(io_file_slurp(log_name, 4 << 20, &text, &len), 0);
	check_lines(text);
	free(text);
} END_TEST

/* Nobody reads until the batches have grown far beyond what it takes at once. */
START_TEST(cores_share_a_pipe_line_by_line)
{
	static char text[4 << 20];
	size_t	    len = 0, lines = 0;
	int	    ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);
	crew_pipe = ends[1];
	crew_start();
	while (!atomic_load(&crew_done))
		(void)sched_yield();
	while (lines < CREW * ROUNDS) {
		ssize_t n = read(ends[0], text + len, 3000);

		ck_assert_int_gt(n, 0);
		for (ssize_t i = 0; i < n; i++)
			lines += text[len + (size_t)i] == '\n';
		len += (size_t)n;
	}
	crew_join();
	check_lines(text);
} END_TEST

START_TEST(a_thread_is_pinned_to_one_processor)
{
	cpu_set_t before, after;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(before), &before), 0);
	reactor_pin_thread(1000001);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(after), &after), 0);
	ck_assert_int_eq(CPU_COUNT(&after), 1);
	CPU_AND(&after, &after, &before);
	ck_assert_int_eq(CPU_COUNT(&after), 1);
} END_TEST

int
main(void)
{
	TCase *cases[] = { case_new("loop"), case_new("threads") };

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		tcase_add_checked_fixture(cases[i], open_reactor, close_reactor);
	tcase_add_test(cases[0], hooks_run_once_at_the_end_of_the_turn);
	tcase_add_test(cases[0], a_turn_has_an_order);
	tcase_add_test(cases[0], a_timer_wakes_the_loop);
	tcase_add_test(cases[0], an_alarm_keeps_its_time);
	tcase_add_test(cases[0], stopping_ends_the_run);
	tcase_add_test(cases[0], what_was_logged_is_written_before_the_end);
	tcase_add_test(cases[0], a_line_is_written_when_it_is_due);
	tcase_add_test(cases[0], a_stall_is_counted_and_logged);
	tcase_add_test(cases[0], counters_are_shown_by_group);
	tcase_add_test(cases[1], reactors_work_and_stop_together);
	tcase_add_test(cases[1], cores_share_a_pipe_line_by_line);
	tcase_add_test(cases[1], a_thread_is_pinned_to_one_processor);
	return rig_run("core/reactor", cases, COUNT_OF(cases));
}
